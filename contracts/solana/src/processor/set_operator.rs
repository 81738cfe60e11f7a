//! Appoint the treasury's operator. Authority only.

use pinocchio::ProgramResult;

use super::{accounts, Call};
use crate::{
    abi::EVENT_OPERATOR_SET,
    chain::{emit, same, Event, ZERO},
    error::{require, Refusal},
    state::{is, load_mut, Treasury},
};

#[inline(never)]
pub fn process(call: Call) -> ProgramResult {
    accounts!(call: authority, treasury);
    let mut arguments = call.arguments;
    let operator = arguments.bytes::<32>()?;
    arguments.end()?;
    let address = *treasury.address().as_array();
    let mut state = load_mut::<Treasury>(treasury, call.program)?;
    require(is(authority, &state.authority), Refusal::NotAuthority)?;
    require(!same(operator, &ZERO), Refusal::ZeroAddress)?;
    state.operator = *operator;
    emit(&Event::<72>::new(EVENT_OPERATOR_SET).with(&address).with(operator));
    Ok(())
}

//! Appoint the treasury's guardian. Authority only.

use pinocchio::ProgramResult;

use super::{accounts, Call};
use crate::{
    abi::EVENT_GUARDIAN_SET,
    chain::{emit, same, Event, ZERO},
    error::{require, Refusal},
    state::{is, load_mut, Treasury},
};

#[inline(never)]
pub fn process(call: Call) -> ProgramResult {
    accounts!(call: authority, treasury);
    let mut arguments = call.arguments;
    let guardian = arguments.bytes::<32>()?;
    arguments.end()?;
    let address = *treasury.address().as_array();
    let mut state = load_mut::<Treasury>(treasury, call.program)?;
    require(is(authority, &state.authority), Refusal::NotAuthority)?;
    require(!same(guardian, &ZERO), Refusal::ZeroAddress)?;
    state.guardian = *guardian;
    emit(&Event::<72>::new(EVENT_GUARDIAN_SET).with(&address).with(guardian));
    Ok(())
}

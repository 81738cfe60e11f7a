//! Stop all payments at once, or let them go on. The guardian may only stop.

use pinocchio::ProgramResult;

use super::{accounts, Call};
use crate::{
    abi::EVENT_PAUSED_SET,
    chain::{emit, Event},
    error::{require, Refusal},
    state::{is, load_mut, Treasury},
};

#[inline(never)]
pub fn process(call: Call) -> ProgramResult {
    accounts!(call: authority, treasury);
    let mut arguments = call.arguments;
    let paused = arguments.flag()?;
    arguments.end()?;
    let address = *treasury.address().as_array();
    let mut state = load_mut::<Treasury>(treasury, call.program)?;
    let tightens = paused && is(authority, &state.guardian);
    require(is(authority, &state.authority) || tightens, Refusal::NotAuthority)?;
    state.paused = paused as u8;
    emit(&Event::<41>::new(EVENT_PAUSED_SET).with(&address).with(&[paused as u8]));
    Ok(())
}

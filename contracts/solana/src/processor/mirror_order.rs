//! Take over one executed order of the home chain: its link is hashed onto the present head, as the
//! home chain did, so an order can be neither skipped nor put in another place. Authority only.

use pinocchio::ProgramResult;

use super::{accounts, Call};
use crate::{
    abi::EVENT_ORDER_MIRRORED,
    chain::{emit, now_s, same, sha256, Event},
    error::{require, Refusal},
    state::{is, load_mut, Governor},
};

#[inline(never)]
pub fn process(call: Call) -> ProgramResult {
    accounts!(call: authority, governor);
    let mut arguments = call.arguments;
    let sequence = arguments.u64()?;
    let previous_head = arguments.bytes::<32>()?;
    let link = arguments.bytes::<32>()?;
    let expiry_s = arguments.u64()?;
    arguments.end()?;
    let mut state = load_mut::<Governor>(governor, call.program)?;
    require(is(authority, &state.authority), Refusal::NotAuthority)?;
    require(now_s()? <= expiry_s, Refusal::OrderExpired)?;
    require(Some(sequence) == state.sequence.get().checked_add(1), Refusal::WrongSequence)?;
    require(same(previous_head, &state.head), Refusal::WrongHead)?;
    let head = sha256(&[previous_head, link]);
    state.sequence.set(sequence);
    state.head = head;
    emit(
        &Event::<112>::new(EVENT_ORDER_MIRRORED)
            .number(sequence)
            .with(previous_head)
            .with(link)
            .with(&head),
    );
    Ok(())
}

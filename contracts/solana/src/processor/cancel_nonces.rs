//! Burn unused nonces of a page: bit `b` of `mask` is nonce 256 · word + b. The guardian may too.

use pinocchio::ProgramResult;

use super::{accounts, Call};
use crate::{
    abi::EVENT_CANCELLED,
    chain::{emit, same, Event},
    error::{require, Refusal},
    state::{is, load, load_mut, Maker, NoncePage},
};

#[inline(never)]
pub fn process(call: Call) -> ProgramResult {
    accounts!(call: authority, maker, page);
    let mut arguments = call.arguments;
    let mask = arguments.bytes::<32>()?;
    arguments.end()?;
    let state = load::<Maker>(maker, call.program)?;
    require(
        is(authority, &state.authority) || is(authority, &state.guardian),
        Refusal::NotAuthority,
    )?;
    let mut nonces = load_mut::<NoncePage>(page, call.program)?;
    require(same(&nonces.maker, maker.address().as_array()), Refusal::WrongAccount)?;
    let burnt = nonces.cancel(mask);
    emit(
        &Event::<80>::new(EVENT_CANCELLED)
            .with(maker.address().as_array())
            .number(nonces.word.get())
            .with(&burnt),
    );
    Ok(())
}

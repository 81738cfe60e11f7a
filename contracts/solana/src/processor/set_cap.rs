//! Set what may leave of a token in a day, and whether it may be bought. Authority only.

use pinocchio::ProgramResult;

use super::{accounts, Call};
use crate::{
    abi::EVENT_CAP_SET,
    chain::{emit, Event},
    error::{require, Refusal},
    spending::load_cap,
    state::{is, load, load_new, TokenCap, Treasury},
    system::create,
    token::Asset,
};

#[inline(never)]
pub fn process(call: Call) -> ProgramResult {
    accounts!(call: payer, authority, treasury, cap, mint, token_program, _system);
    let mut arguments = call.arguments;
    let amount_per_day = arguments.u64()?;
    let buyable = arguments.flag()?;
    arguments.end()?;
    {
        let state = load::<Treasury>(treasury, call.program)?;
        require(is(authority, &state.authority), Refusal::NotAuthority)?;
    }
    Asset::new(mint, token_program)?;
    let (owner, token) = (treasury.address(), mint.address());
    if cap.data_len() == 0 {
        let seeds: [&[u8]; 3] = [b"cap", owner.as_array(), token.as_array()];
        create::<TokenCap, 3, 4>(call.program, payer, cap, seeds)?;
        let mut fresh = load_new::<TokenCap>(cap, call.program)?;
        fresh.treasury = *owner.as_array();
        fresh.mint = *token.as_array();
    }
    let mut state = load_cap(call.program, cap, owner, token)?;
    state.amount_per_day.set(amount_per_day);
    state.buyable = buyable as u8;
    emit(
        &Event::<81>::new(EVENT_CAP_SET)
            .with(owner.as_array())
            .with(token.as_array())
            .number(amount_per_day)
            .with(&[buyable as u8]),
    );
    Ok(())
}

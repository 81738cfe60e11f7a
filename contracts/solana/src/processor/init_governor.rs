//! Make a mirror of the home chain's log of executed orders, for the authority that signs.

use pinocchio::ProgramResult;

use super::{accounts, Call};
use crate::{
    error::{require, Refusal},
    state::{load_new, Governor},
    system::create,
};

#[inline(never)]
pub fn process(call: Call) -> ProgramResult {
    accounts!(call: payer, authority, governor, _system);
    let mut arguments = call.arguments;
    let home = arguments.bytes::<32>()?;
    let head = arguments.bytes::<32>()?;
    arguments.end()?;
    require(authority.is_signer(), Refusal::NotAuthority)?;
    let owner = *authority.address().as_array();
    let bump = create::<Governor, 2, 3>(call.program, payer, governor, [b"governor", &owner])?;
    let mut state = load_new::<Governor>(governor, call.program)?;
    state.authority = owner;
    state.home = *home;
    state.head = *head;
    state.bump = bump;
    Ok(())
}

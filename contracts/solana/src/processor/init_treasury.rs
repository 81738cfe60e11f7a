//! Make a treasury for the authority that signs.

use pinocchio::ProgramResult;

use super::{accounts, Call};
use crate::{
    chain::{same, ZERO},
    error::{require, Refusal},
    state::{load_new, Treasury},
    system::create,
};

#[inline(never)]
pub fn process(call: Call) -> ProgramResult {
    accounts!(call: payer, authority, treasury, _system);
    let mut arguments = call.arguments;
    let operator = arguments.bytes::<32>()?;
    let guardian = arguments.bytes::<32>()?;
    arguments.end()?;
    require(authority.is_signer(), Refusal::NotAuthority)?;
    require(!same(operator, &ZERO) && !same(guardian, &ZERO), Refusal::ZeroAddress)?;
    let owner = *authority.address().as_array();
    let bump = create::<Treasury, 2, 3>(call.program, payer, treasury, [b"treasury", &owner])?;
    let mut state = load_new::<Treasury>(treasury, call.program)?;
    state.authority = owner;
    state.operator = *operator;
    state.guardian = *guardian;
    state.bump = bump;
    Ok(())
}

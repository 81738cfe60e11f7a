//! Make a maker for the authority that signs: any signer, an address of a multisig program too.

use pinocchio::ProgramResult;

use super::{accounts, Call};
use crate::{
    chain::{same, ZERO},
    error::{require, Refusal},
    state::{load_new, Maker},
    system::create,
};

#[inline(never)]
pub fn process(call: Call) -> ProgramResult {
    accounts!(call: payer, authority, maker, _system);
    let mut arguments = call.arguments;
    let network = arguments.bytes::<32>()?;
    let guardian = arguments.bytes::<32>()?;
    let lifetime_s_max = arguments.u64()?;
    arguments.end()?;
    require(authority.is_signer(), Refusal::NotAuthority)?;
    require(!same(network, &ZERO), Refusal::WrongNetwork)?;
    let owner = *authority.address().as_array();
    let bump = create::<Maker, 2, 3>(call.program, payer, maker, [b"maker", &owner])?;
    let mut state = load_new::<Maker>(maker, call.program)?;
    state.authority = owner;
    state.guardian = *guardian;
    state.network = *network;
    state.lifetime_s_max.set(lifetime_s_max);
    state.bump = bump;
    Ok(())
}

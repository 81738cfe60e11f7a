//! Make a distributor of one token that pays from one vault, which it owns.

use pinocchio::ProgramResult;

use super::{accounts, Call};
use crate::{
    chain::{same, ZERO},
    error::{require, Refusal},
    state::{load_new, Distributor},
    system::create,
    token::Asset,
};

/// The longest challenge, seconds.
const CHALLENGE_S_MAX: u64 = 30 * 86_400;

#[inline(never)]
pub fn process(call: Call) -> ProgramResult {
    accounts!(call: payer, authority, distributor, vault, mint, token_program, _system);
    let mut arguments = call.arguments;
    let number = arguments.u64()?;
    let network = arguments.bytes::<32>()?;
    let guardian = arguments.bytes::<32>()?;
    let budget = arguments.u64()?;
    let challenge_s = arguments.u64()?;
    arguments.end()?;
    require(authority.is_signer(), Refusal::NotAuthority)?;
    require(!same(network, &ZERO), Refusal::WrongNetwork)?;
    require(!same(guardian, &ZERO), Refusal::ZeroAddress)?;
    require(challenge_s <= CHALLENGE_S_MAX, Refusal::ChallengeTooLong)?;
    Asset::new(mint, token_program)?.require_account(vault, distributor.address())?;
    let owner = *authority.address().as_array();
    let seeds: [&[u8]; 3] = [b"distributor", &owner, &number.to_le_bytes()];
    let bump = create::<Distributor, 3, 4>(call.program, payer, distributor, seeds)?;
    let mut state = load_new::<Distributor>(distributor, call.program)?;
    state.authority = owner;
    state.guardian = *guardian;
    state.network = *network;
    state.mint = *mint.address().as_array();
    state.vault = *vault.address().as_array();
    state.number.set(number);
    state.challenge_s.set(challenge_s);
    state.budget.set(budget);
    state.bump = bump;
    Ok(())
}

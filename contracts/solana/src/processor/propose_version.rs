//! Propose the next version of the tree. Authority only, one at a time, within the budget, funded.

use pinocchio::ProgramResult;

use super::{accounts, Call};
use crate::{
    abi::EVENT_PROPOSED,
    chain::{emit, now_s, same, Event, ZERO},
    error::{require, Refusal},
    state::{is, load_mut, Distributor},
    token::balance,
};

#[inline(never)]
pub fn process(call: Call) -> ProgramResult {
    accounts!(call: authority, distributor, vault);
    let mut arguments = call.arguments;
    let version = arguments.u64()?;
    let root = arguments.bytes::<32>()?;
    let total = arguments.u64()?;
    let ends_at_s = arguments.u64()?;
    arguments.end()?;
    let now_s = now_s()?;
    let address = *distributor.address().as_array();
    let mut state = load_mut::<Distributor>(distributor, call.program)?;
    require(is(authority, &state.authority), Refusal::NotAuthority)?;
    require(same(vault.address().as_array(), &state.vault), Refusal::WrongTokenAccount)?;
    require(!state.is_challenged(now_s), Refusal::StillChallenged)?;
    require(
        Some(version) == state.last_version.get().checked_add(1),
        Refusal::WrongVersion,
    )?;
    require(!same(root, &ZERO), Refusal::ZeroRoot)?;
    let claimed = state.claimed_total.get();
    // Once the last version has ended, what nobody claimed of it is allocated no longer.
    let ended = now_s > state.last.ends_at_s.get();
    let before = if ended { claimed } else { state.last.total.get() };
    require(total >= before, Refusal::TotalFell)?;
    require(total - before <= state.budget.get(), Refusal::BudgetExceeded)?;
    require(total - claimed <= balance(vault)?, Refusal::NotFunded)?;
    let ready_at_s = now_s + state.challenge_s.get();
    require(ends_at_s >= ready_at_s, Refusal::Ended)?;
    state.last_version.set(version);
    state.before = state.last;
    state.last.root = *root;
    state.last.total.set(total);
    state.last.ready_at_s.set(ready_at_s);
    state.last.ends_at_s.set(ends_at_s);
    emit(
        &Event::<104>::new(EVENT_PROPOSED)
            .with(&address)
            .number(version)
            .with(root)
            .number(total)
            .number(ready_at_s)
            .number(ends_at_s),
    );
    Ok(())
}

//! What every payment of the treasury passes: operator, pause, deadline, key, the day's cap.

use pinocchio::{address::Address, error::ProgramError, AccountView, ProgramResult};

use crate::{
    chain::{now_s, owned, same, Hash},
    error::{require, Refusal},
    state::{is, load, load_mut, load_new, TokenCap, Treasury, UsedKey},
    system::create,
};

const DAY_S: u64 = 86_400;

/// The accounts behind one payment, and what it is for.
pub struct Payment<'a> {
    pub program: &'a Address,
    pub treasury: &'a Address,
    pub mint: &'a Address,
    pub key: &'a Hash,
    pub amount: u64,
    pub deadline_s: u64,
}

/// What signing as the treasury needs.
pub struct TreasuryKeys {
    pub authority: Hash,
    pub bump: u8,
}

/// Refuse whoever is not the operator, and everybody while the treasury is paused.
#[inline(always)]
pub fn open(
    program: &Address,
    operator: &AccountView,
    treasury: &AccountView,
) -> Result<TreasuryKeys, ProgramError> {
    let state = load::<Treasury>(treasury, program)?;
    require(is(operator, &state.operator), Refusal::NotOperator)?;
    require(state.paused == 0, Refusal::Paused)?;
    Ok(TreasuryKeys { authority: state.authority, bump: state.bump })
}

/// Use up the key for ever, and the amount from what is left of the day's cap. Equality passes.
#[inline(never)]
pub fn spend(
    payment: &Payment,
    operator: &AccountView,
    used_key: &mut AccountView,
    cap: &mut AccountView,
) -> ProgramResult {
    let now_s = now_s()?;
    require(payment.amount != 0, Refusal::ZeroAmount)?;
    require(now_s <= payment.deadline_s, Refusal::DeadlinePassed)?;
    require(!owned(used_key, payment.program), Refusal::KeyUsed)?;
    let treasury = payment.treasury.as_array();
    let seeds: [&[u8]; 3] = [b"key", treasury, payment.key];
    create::<UsedKey, 3, 4>(payment.program, operator, used_key, seeds)?;
    let mut used = load_new::<UsedKey>(used_key, payment.program)?;
    used.treasury = *treasury;
    used.key = *payment.key;
    used.used_at_s.set(now_s);
    let mut cap = load_cap(payment.program, cap, payment.treasury, payment.mint)?;
    let day = now_s / DAY_S;
    let spent = if cap.day.get() == day { cap.spent.get() } else { 0 };
    let left = cap.amount_per_day.get().saturating_sub(spent);
    require(payment.amount <= left, Refusal::CapExceeded)?;
    cap.day.set(day);
    cap.spent.set(spent + payment.amount);
    Ok(())
}

/// The cap of that mint in that treasury, and no other.
#[inline(always)]
pub fn load_cap<'a>(
    program: &Address,
    cap: &'a mut AccountView,
    treasury: &Address,
    mint: &Address,
) -> Result<pinocchio::account::RefMut<'a, TokenCap>, ProgramError> {
    let state = load_mut::<TokenCap>(cap, program)?;
    require(
        same(&state.treasury, treasury.as_array()) && same(&state.mint, mint.as_array()),
        Refusal::WrongAccount,
    )?;
    Ok(state)
}

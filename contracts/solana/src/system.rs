//! Making state accounts at derived addresses.

use pinocchio::{
    address::{address_eq, Address},
    cpi::{Seed, Signer},
    error::ProgramError,
    sysvars::{get_sysvar, rent::RENT_ID},
    AccountView, ProgramResult,
};

use crate::{
    chain::owned,
    error::{require, Refusal},
    invoke::{invoke, Role},
    state::State,
};

const SYSTEM: Address = Address::new_from_array([0; 32]);
/// Bytes that the runtime adds to every account when it asks for rent.
const OVERHEAD_BYTES: u64 = 128;
/// The exemption threshold of clusters that still store it as two years; newer ones store one.
const TWO_YEARS: u64 = 0x4000_0000_0000_0000;

/// Create a state account of kind `T` at the one address that `seeds` lead to; return its bump.
///
/// The address is searched, never taken from the caller: a second bump would be a second account
/// under the same name, and a used key could be used again there.
#[inline(always)]
pub fn create<T: State, const N: usize, const M: usize>(
    program: &Address,
    payer: &AccountView,
    target: &AccountView,
    seeds: [&[u8]; N],
) -> Result<u8, ProgramError> {
    const { assert!(M == N + 1) };
    let (address, bump) = Address::find_program_address(&seeds, program);
    require(address_eq(&address, target.address()), Refusal::WrongAccount)?;
    require(
        owned(target, &SYSTEM) && target.data_len() == 0,
        Refusal::AccountInUse,
    )?;
    let bumps = [bump];
    let with_bump: [Seed; M] =
        core::array::from_fn(|i| Seed::from(if i < N { seeds[i] } else { &bumps[..] }));
    let account = Account { program, payer, target, space: T::LENGTH as u64 };
    account.make(&[Signer::from(&with_bump)])?;
    Ok(bump)
}

struct Account<'a> {
    program: &'a Address,
    payer: &'a AccountView,
    target: &'a AccountView,
    space: u64,
}

impl Account<'_> {
    /// Anyone may send lamports to an address in advance, and CreateAccount then fails for ever. So
    /// the missing lamports are added, then the space and the owner.
    #[inline(never)]
    fn make(&self, signers: &[Signer]) -> ProgramResult {
        let missing = rent_lamports(self.space)?.saturating_sub(self.target.lamports());
        let (payer, target) = (self.payer, self.target);
        if missing != 0 {
            let data = instruction::<12>(2, missing);
            let accounts = [(payer, Role::WritableSigner), (target, Role::Writable)];
            invoke(&SYSTEM, &data, accounts, &[])?;
        }
        let accounts = [(target, Role::WritableSigner)];
        invoke(&SYSTEM, &instruction::<12>(8, self.space), accounts, signers)?;
        let mut assign = [0u8; 36];
        assign[0] = 1;
        assign[4..].copy_from_slice(self.program.as_array());
        invoke(&SYSTEM, &assign, accounts, signers)
    }
}

#[inline(always)]
fn instruction<const N: usize>(kind: u8, number: u64) -> [u8; N] {
    let mut data = [0u8; N];
    data[0] = kind;
    data[4..12].copy_from_slice(&number.to_le_bytes());
    data
}

/// The lamports an account of that many bytes must hold. pinocchio's own `Rent` ignores the
/// exemption threshold, which clusters change from two to one while they double the price per byte.
fn rent_lamports(space: u64) -> Result<u64, ProgramError> {
    let mut rent = [0u8; 16];
    get_sysvar(&mut rent, &RENT_ID, 0)?;
    let (price, threshold) = rent.split_at(8);
    let price = u64::from_le_bytes(price.try_into().unwrap_or_default());
    let threshold = u64::from_le_bytes(threshold.try_into().unwrap_or_default());
    let years = if threshold == TWO_YEARS { 2 } else { 1 };
    Ok((OVERHEAD_BYTES + space) * price * years)
}

//! Token accounts, mints and transfers: SPL Token, and Token-2022 where its mints are plain.

use pinocchio::{
    address::{address_eq, Address},
    cpi::Signer,
    error::ProgramError,
    AccountView, ProgramResult,
};

use crate::{
    chain::{owned, same},
    error::{require, Refusal},
    invoke::{invoke, Role},
};

const TOKEN: Address = Address::new_from_array([
    6, 221, 246, 225, 215, 101, 161, 147, 217, 203, 225, 70, 206, 235, 121, 172, 28, 180, 133, 237,
    95, 91, 55, 145, 58, 140, 245, 133, 126, 255, 0, 169,
]);
const TOKEN_2022: Address = Address::new_from_array([
    6, 221, 246, 225, 238, 117, 143, 222, 24, 66, 93, 188, 228, 108, 205, 218, 182, 26, 252, 77,
    131, 185, 13, 39, 254, 189, 249, 40, 216, 161, 139, 252,
]);
const ACCOUNT_BYTES: usize = 165;
const MINT_BYTES: usize = 82;
const MINT_DECIMALS_AT: usize = 44;
/// In accounts with extensions: what kind of account this is, then type, length and value of each.
const KIND_AT: usize = 165;
const KIND_MINT: u8 = 1;
const KIND_ACCOUNT: u8 = 2;
const EXTENSIONS_AT: usize = 166;
/// Far more than Token-2022 knows.
const EXTENSIONS_MAX: usize = 32;
const TRANSFER_FEE: u16 = 1;
const TRANSFER_HOOK: u16 = 14;
/// Extensions that only describe: metadata pointer, metadata, group and member with their pointers.
const DESCRIBING: core::ops::RangeInclusive<u16> = 18..=23;

const TRANSFER: u8 = 3;
const BURN: u8 = 8;
const TRANSFER_CHECKED: u8 = 12;

/// One asset of an instruction: its mint and the program that runs it, both checked.
pub struct Asset<'a> {
    mint: &'a AccountView,
    program: &'a AccountView,
    decimals: u8,
}

impl<'a> Asset<'a> {
    /// Refuse foreign programs, and mints whose transfers do more than move the amount.
    #[inline(always)]
    pub fn new(mint: &'a AccountView, program: &'a AccountView) -> Result<Self, ProgramError> {
        let classic = address_eq(program.address(), &TOKEN);
        require(classic || address_eq(program.address(), &TOKEN_2022), Refusal::WrongTokenProgram)?;
        require(owned(mint, program.address()), Refusal::WrongMint)?;
        let data = mint.try_borrow()?;
        if data.len() != MINT_BYTES {
            require(!classic, Refusal::WrongMint)?;
            require_plain(&data)?;
        }
        Ok(Self { mint, program, decimals: data[MINT_DECIMALS_AT] })
    }

    #[inline(always)]
    pub fn mint(&self) -> &Address {
        self.mint.address()
    }

    /// Refuse anything but a token account of this asset that belongs to `owner`.
    #[inline(always)]
    pub fn require_account(&self, account: &AccountView, owner: &Address) -> ProgramResult {
        require(owned(account, self.program.address()), Refusal::WrongTokenAccount)?;
        let data = account.try_borrow()?;
        require(
            data.len() == ACCOUNT_BYTES
                || (data.len() > KIND_AT && data[KIND_AT] == KIND_ACCOUNT),
            Refusal::WrongTokenAccount,
        )?;
        require(holds(&data, 0, self.mint()), Refusal::WrongMint)?;
        require(holds(&data, 32, owner), Refusal::WrongTokenAccount)
    }

    /// Move atoms. The token program checks the authority and that both accounts hold one mint.
    #[inline(never)]
    pub fn transfer(&self, transfer: &Transfer, signers: &[Signer]) -> ProgramResult {
        let Transfer { from, to, authority, amount } = *transfer;
        let program = self.program.address();
        if address_eq(program, &TOKEN) {
            // Costs 1,500 units less than the checked form, which compares the decimals as well.
            let data = amount_of::<9>(TRANSFER, amount);
            let accounts =
                [(from, Role::Writable), (to, Role::Writable), (authority, Role::Signer)];
            return invoke(program, &data, accounts, signers);
        }
        let mut data = amount_of::<10>(TRANSFER_CHECKED, amount);
        data[9] = self.decimals;
        let accounts = [
            (from, Role::Writable),
            (self.mint, Role::Readonly),
            (to, Role::Writable),
            (authority, Role::Signer),
        ];
        invoke(program, &data, accounts, signers)
    }

    /// Destroy atoms of an account.
    #[inline(never)]
    pub fn burn(&self, burn: &Burn, signers: &[Signer]) -> ProgramResult {
        let Burn { from, authority, amount } = *burn;
        let data = amount_of::<9>(BURN, amount);
        let accounts =
            [(from, Role::Writable), (self.mint, Role::Writable), (authority, Role::Signer)];
        invoke(self.program.address(), &data, accounts, signers)
    }
}

/// Atoms in a token account whose address is known to be one.
#[inline(always)]
pub fn balance(account: &AccountView) -> Result<u64, ProgramError> {
    let data = account.try_borrow()?;
    match data.get(64..72).and_then(|bytes| bytes.try_into().ok()) {
        Some(bytes) => Ok(u64::from_le_bytes(bytes)),
        None => Err(Refusal::WrongTokenAccount.into()),
    }
}

/// One movement between two token accounts.
pub struct Transfer<'a> {
    pub from: &'a AccountView,
    pub to: &'a AccountView,
    pub authority: &'a AccountView,
    pub amount: u64,
}

/// What is destroyed, and whose it is.
pub struct Burn<'a> {
    pub from: &'a AccountView,
    pub authority: &'a AccountView,
    pub amount: u64,
}

#[inline(always)]
fn amount_of<const N: usize>(kind: u8, amount: u64) -> [u8; N] {
    let mut data = [0u8; N];
    data[0] = kind;
    data[1..9].copy_from_slice(&amount.to_le_bytes());
    data
}

#[inline(always)]
fn holds(data: &[u8], at: usize, address: &Address) -> bool {
    match data[at..].first_chunk::<32>() {
        Some(bytes) => same(bytes, address.as_array()),
        None => false,
    }
}

/// Walk a mint's extensions and refuse, by name, those that change what a transfer does.
#[inline(never)]
fn require_plain(data: &[u8]) -> ProgramResult {
    require(
        data.len() > KIND_AT && data[KIND_AT] == KIND_MINT,
        Refusal::WrongMint,
    )?;
    let mut rest = &data[EXTENSIONS_AT..];
    for _ in 0..EXTENSIONS_MAX {
        if rest.len() < 4 {
            return Ok(());
        }
        let kind = u16::from_le_bytes([rest[0], rest[1]]);
        let end = 4 + u16::from_le_bytes([rest[2], rest[3]]) as usize;
        match kind {
            0 => return Ok(()),
            TRANSFER_FEE => return Err(Refusal::TransferFeeMint.into()),
            TRANSFER_HOOK => return Err(Refusal::TransferHookMint.into()),
            _ => require(DESCRIBING.contains(&kind), Refusal::UnsupportedMint)?,
        }
        require(rest.len() >= end, Refusal::WrongMint)?;
        rest = &rest[end..];
    }
    Err(Refusal::UnsupportedMint.into())
}

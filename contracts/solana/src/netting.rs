//! Two assets between one maker and one taker: at most one transfer per asset, and one per fee.

use pinocchio::{
    address::{address_eq, Address},
    cpi::{Seed, Signer},
    AccountView, ProgramResult,
};

use crate::{
    error::{require, Refusal},
    exchange::MakerKeys,
    token::{Asset, Transfer},
};

/// The net of one asset, atoms: what the maker gives beside the fee, what it takes, and the fee.
#[derive(Default)]
pub struct Net {
    pub given: u64,
    pub taken: u64,
    pub fee: u64,
}

/// Who pays whom.
pub struct Sides<'a> {
    pub taker: &'a AccountView,
    pub maker: &'a AccountView,
    pub book: &'a MakerKeys,
}

impl Sides<'_> {
    /// Move one asset's net. `accounts` are the taker's, the maker's vault and the fee account.
    #[inline(never)]
    pub fn move_net(&self, asset: &Asset, net: &Net, accounts: [&AccountView; 3]) -> ProgramResult {
        let [taker_side, vault, fee_account] = accounts;
        asset.require_account(vault, self.maker.address())?;
        require_apart(taker_side.address(), vault.address())?;
        let bump = [self.book.bump];
        let seeds = [Seed::from(b"maker"), Seed::from(&self.book.authority), Seed::from(&bump)];
        let maker = [Signer::from(&seeds)];
        if net.given > net.taken {
            let (authority, amount) = (self.maker, net.given - net.taken);
            asset.transfer(&Transfer { from: vault, to: taker_side, authority, amount }, &maker)?;
        } else if net.given < net.taken {
            let (authority, amount) = (self.taker, net.taken - net.given);
            asset.transfer(&Transfer { from: taker_side, to: vault, authority, amount }, &[])?;
        }
        if net.fee != 0 {
            require_apart(fee_account.address(), vault.address())?;
            let (authority, amount) = (self.maker, net.fee);
            asset.transfer(&Transfer { from: vault, to: fee_account, authority, amount }, &maker)?;
        }
        Ok(())
    }
}

/// A transfer from an account to itself succeeds and moves nothing.
#[inline(always)]
fn require_apart(one: &Address, other: &Address) -> ProgramResult {
    require(!address_eq(one, other), Refusal::DuplicateAccount)
}

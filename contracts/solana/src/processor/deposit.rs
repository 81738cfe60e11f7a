//! Top up a vault: a transfer that lands in no account but one of the maker's own.

use pinocchio::{address::address_eq, ProgramResult};

use super::{accounts, Call};
use crate::{
    error::{require, Refusal},
    state::{load, Maker},
    token::{Asset, Transfer},
};

#[inline(never)]
pub fn process(call: Call) -> ProgramResult {
    accounts!(call: authority, maker, source, vault, mint, token_program);
    let mut arguments = call.arguments;
    let amount = arguments.u64()?;
    arguments.end()?;
    require(amount != 0, Refusal::ZeroAmount)?;
    require(authority.is_signer(), Refusal::MissingSigner)?;
    load::<Maker>(maker, call.program)?;
    let asset = Asset::new(mint, token_program)?;
    asset.require_account(vault, maker.address())?;
    require(!address_eq(source.address(), vault.address()), Refusal::DuplicateAccount)?;
    asset.transfer(&Transfer { from: source, to: vault, authority, amount }, &[])
}

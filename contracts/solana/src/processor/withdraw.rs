//! Take tokens out of a maker's vault. Authority only.

use pinocchio::{
    address::address_eq,
    cpi::{Seed, Signer},
    ProgramResult,
};

use super::{accounts, Call};
use crate::{
    error::{require, Refusal},
    exchange::MakerKeys,
    state::{is, load, Maker},
    token::{Asset, Transfer},
};

#[inline(never)]
pub fn process(call: Call) -> ProgramResult {
    accounts!(call: authority, maker, vault, destination, mint, token_program);
    let mut arguments = call.arguments;
    let amount = arguments.u64()?;
    arguments.end()?;
    require(amount != 0, Refusal::ZeroAmount)?;
    let book = {
        let state = load::<Maker>(maker, call.program)?;
        require(is(authority, &state.authority), Refusal::NotAuthority)?;
        MakerKeys::of(&state)
    };
    let asset = Asset::new(mint, token_program)?;
    asset.require_account(vault, maker.address())?;
    require(!address_eq(destination.address(), vault.address()), Refusal::DuplicateAccount)?;
    let bump = [book.bump];
    let seeds = [Seed::from(b"maker"), Seed::from(&book.authority), Seed::from(&bump)];
    let transfer = Transfer { from: vault, to: destination, authority: maker, amount };
    asset.transfer(&transfer, &[Signer::from(&seeds)])
}

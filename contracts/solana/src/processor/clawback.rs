//! Take back tokens. Authority only: what no version allocates, at any time; everything, once the
//! last version has ended.

use pinocchio::{
    address::address_eq,
    cpi::{Seed, Signer},
    ProgramResult,
};

use super::{accounts, Call};
use crate::{
    abi::EVENT_CLAWED_BACK,
    chain::{emit, now_s, same, Event},
    error::{require, Refusal},
    state::{is, load, Distributor},
    token::{balance, Asset, Transfer},
};

#[inline(never)]
pub fn process(call: Call) -> ProgramResult {
    accounts!(call: authority, distributor, vault, destination, mint, token_program);
    let mut arguments = call.arguments;
    let amount = arguments.u64()?;
    arguments.end()?;
    let asset = Asset::new(mint, token_program)?;
    let address = *distributor.address().as_array();
    let (owner, number, bump) = {
        let state = load::<Distributor>(distributor, call.program)?;
        require(is(authority, &state.authority), Refusal::NotAuthority)?;
        require(same(vault.address().as_array(), &state.vault), Refusal::WrongTokenAccount)?;
        let free = state.free(balance(vault)?, now_s()?);
        require(amount != 0 && amount <= free, Refusal::NothingToTake)?;
        (state.authority, state.number, state.bump)
    };
    require(!address_eq(destination.address(), vault.address()), Refusal::DuplicateAccount)?;
    let (number, bump) = (number.get().to_le_bytes(), [bump]);
    let seeds = [
        Seed::from(b"distributor"),
        Seed::from(&owner),
        Seed::from(&number),
        Seed::from(&bump),
    ];
    let transfer = Transfer { from: vault, to: destination, authority: distributor, amount };
    asset.transfer(&transfer, &[Signer::from(&seeds)])?;
    emit(
        &Event::<80>::new(EVENT_CLAWED_BACK)
            .with(&address)
            .with(destination.address().as_array())
            .number(amount),
    );
    Ok(())
}

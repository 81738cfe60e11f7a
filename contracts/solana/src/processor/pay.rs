//! Pay once under a key. Operator only, at or before the deadline, within the day's cap.

use pinocchio::{
    address::address_eq,
    cpi::{Seed, Signer},
    ProgramResult,
};

use super::{accounts, Call};
use crate::{
    abi::EVENT_PAID,
    chain::{emit, Event},
    error::{require, Refusal},
    spending::{open, spend, Payment},
    token::{Asset, Transfer},
};

#[inline(never)]
pub fn process(call: Call) -> ProgramResult {
    accounts!(call: operator, treasury, cap, used_key, vault, recipient, destination, mint,
        token_program, _system);
    let mut arguments = call.arguments;
    let key = arguments.bytes::<32>()?;
    let amount = arguments.u64()?;
    let deadline_s = arguments.u64()?;
    arguments.end()?;
    let keys = open(call.program, operator, treasury)?;
    let asset = Asset::new(mint, token_program)?;
    asset.require_account(vault, treasury.address())?;
    asset.require_account(destination, recipient.address())?;
    require(!address_eq(destination.address(), vault.address()), Refusal::DuplicateAccount)?;
    let payment = Payment {
        program: call.program,
        treasury: treasury.address(),
        mint: asset.mint(),
        key,
        amount,
        deadline_s,
    };
    spend(&payment, operator, used_key, cap)?;
    let bump = [keys.bump];
    let seeds = [Seed::from(b"treasury"), Seed::from(&keys.authority), Seed::from(&bump)];
    let transfer = Transfer { from: vault, to: destination, authority: treasury, amount };
    asset.transfer(&transfer, &[Signer::from(&seeds)])?;
    emit(
        &Event::<112>::new(EVENT_PAID)
            .with(key)
            .with(asset.mint().as_array())
            .with(recipient.address().as_array())
            .number(amount),
    );
    Ok(())
}

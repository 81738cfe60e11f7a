//! Take a maker's quote with treasury money, once under a key; then destroy what was bought, or keep
//! it. The quote binds the treasury as its taker; its signature stands in the instruction before.

use pinocchio::{
    cpi::{Seed, Signer},
    ProgramResult,
};

use super::Call;
use crate::{
    abi::EVENT_BOUGHT_BACK,
    chain::{emit, now_s, same, Event},
    ed25519::signed,
    error::{require, Refusal},
    exchange::{Accounts, MakerKeys, Taking},
    quote::Terms,
    spending::{load_cap, open, spend, Payment},
    state::{load, load_mut, Maker, NoncePage},
    token::Burn,
};

#[inline(never)]
pub fn process(call: Call) -> ProgramResult {
    let [operator, treasury, paid_cap, bought_cap, used_key, maker, page, a, b, c, d, e, f, g, h, i, instructions, _system, ..] =
        call.accounts
    else {
        return Err(Refusal::MissingAccount.into());
    };
    let mut arguments = call.arguments;
    let key = arguments.bytes::<32>()?;
    let terms = Terms::read(&mut arguments)?;
    let deadline_s = arguments.u64()?;
    let output_min = arguments.u64()?;
    let burn = arguments.flag()?;
    arguments.end()?;
    let keys = open(call.program, operator, treasury)?;
    let rest = [*a, *b, *c, *d, *e, *f, *g, *h, *i];
    let accounts = Accounts::new(maker, &rest)?;
    accounts.taker_asset.require_account(accounts.taker_source, treasury.address())?;
    accounts.maker_asset.require_account(accounts.recipient, treasury.address())?;
    let owner = treasury.address();
    let (bought, paid) = (accounts.maker_asset.mint(), accounts.taker_asset.mint());
    require(
        load_cap(call.program, bought_cap, owner, bought)?.buyable == 1,
        Refusal::NotBuyable,
    )?;
    let amount = terms.taker_amount;
    let program = call.program;
    let payment = Payment { program, treasury: owner, mint: paid, key, amount, deadline_s };
    spend(&payment, operator, used_key, paid_cap)?;
    let quote = signed(instructions, 1)?;
    let book = {
        let state = load::<Maker>(maker, program)?;
        state.require_alive(terms.expiry_s, now_s()?)?;
        state.require_delegate(&quote.signer)?;
        MakerKeys::of(&state)
    };
    let parties = accounts.parties(program, &book, &quote.signer, owner);
    require(same(&terms.digest(&parties), &quote.digest), Refusal::WrongSignature)?;
    load_mut::<NoncePage>(page, program)?.use_nonce(maker.address().as_array(), terms.nonce)?;
    let flows = terms.flows(amount)?;
    require(flows.output >= output_min, Refusal::OutputTooLow)?;
    let bump = [keys.bump];
    let seeds = [Seed::from(b"treasury"), Seed::from(&keys.authority), Seed::from(&bump)];
    let signers = [Signer::from(&seeds)];
    accounts.settle(&flows, &Taking { authority: treasury, signers: &signers, book: &book })?;
    accounts.announce(&terms, &flows);
    if burn {
        let (from, amount) = (accounts.recipient, flows.output);
        accounts.maker_asset.burn(&Burn { from, authority: treasury, amount }, &signers)?;
    }
    emit(
        &Event::<153>::new(EVENT_BOUGHT_BACK)
            .with(key)
            .with(terms.quote_id)
            .with(paid.as_array())
            .number(flows.taken)
            .with(bought.as_array())
            .number(flows.output)
            .with(&[burn as u8]),
    );
    Ok(())
}

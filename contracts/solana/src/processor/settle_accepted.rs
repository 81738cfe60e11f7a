//! Settle a quote that its taker has accepted by signature; possible up to and including
//! `settle_by`. Anyone may relay it, and nothing depends on who does.
//!
//! Two checks stand before this instruction: the taker's acceptance, then the maker's quote. The
//! taker's tokens move because their owner has made this program's "mover" their delegate.

use pinocchio::{
    cpi::{Seed, Signer},
    ProgramResult,
};

use super::{accounts, Call};
use crate::{
    chain::{now_s, same},
    ed25519::signed,
    error::{require, Refusal},
    exchange::{Accounts, MakerKeys, Taking},
    quote::{acceptance_digest, Terms},
    state::{load, load_mut, Maker, NoncePage},
};

#[inline(never)]
pub fn process(call: Call) -> ProgramResult {
    accounts!(call: taker, mover, maker, page, a, b, c, d, e, f, g, h, i, instructions);
    let mut arguments = call.arguments;
    let terms = Terms::read(&mut arguments)?;
    let amount = arguments.u64()?;
    let mover_bump = *arguments.bytes::<1>()?;
    arguments.end()?;
    let rest = [*a, *b, *c, *d, *e, *f, *g, *h, *i];
    let accounts = Accounts::new(maker, &rest)?;
    // The mover is delegate of many owners: this one's tokens and no other's.
    accounts.taker_asset.require_account(accounts.taker_source, taker.address())?;
    let quote = signed(instructions, 1)?;
    let acceptance = signed(instructions, 2)?;
    let book = {
        let state = load::<Maker>(maker, call.program)?;
        state.require_alive(terms.settle_by_s, now_s()?)?;
        state.require_delegate(&quote.signer)?;
        MakerKeys::of(&state)
    };
    let parties = accounts.parties(call.program, &book, &quote.signer, taker.address());
    require(same(&terms.digest(&parties), &quote.digest), Refusal::WrongSignature)?;
    require(same(&acceptance.signer, taker.address().as_array()), Refusal::WrongTaker)?;
    let recipient = accounts.recipient.address();
    let accepted = acceptance_digest(terms.quote_id, &quote.digest, amount, recipient);
    require(same(&accepted, &acceptance.digest), Refusal::WrongAcceptance)?;
    load_mut::<NoncePage>(page, call.program)?.use_nonce(maker.address().as_array(), terms.nonce)?;
    let flows = terms.flows(amount)?;
    let seeds = [Seed::from(b"mover"), Seed::from(&mover_bump)];
    let signers = [Signer::from(&seeds)];
    accounts.settle(&flows, &Taking { authority: mover, signers: &signers, book: &book })?;
    accounts.announce(&terms, &flows);
    Ok(())
}

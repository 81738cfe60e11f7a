//! Take a quote as its taker, who signs the transaction; possible up to and including `expiry`.
//! The maker's signature stands in the instruction before this one.

use pinocchio::ProgramResult;

use super::{accounts, Call};
use crate::{
    chain::{now_s, same},
    ed25519::signed,
    error::{require, Refusal},
    exchange::{Accounts, MakerKeys, Taking},
    quote::Terms,
    state::{load, load_mut, Maker, NoncePage},
};

#[inline(never)]
pub fn process(call: Call) -> ProgramResult {
    accounts!(call: taker, maker, page, a, b, c, d, e, f, g, h, i, instructions);
    let mut arguments = call.arguments;
    let terms = Terms::read(&mut arguments)?;
    let amount = arguments.u64()?;
    let output_min = arguments.u64()?;
    arguments.end()?;
    require(taker.is_signer(), Refusal::WrongTaker)?;
    let rest = [*a, *b, *c, *d, *e, *f, *g, *h, *i];
    let accounts = Accounts::new(maker, &rest)?;
    let quote = signed(instructions, 1)?;
    let book = {
        let state = load::<Maker>(maker, call.program)?;
        state.require_alive(terms.expiry_s, now_s()?)?;
        state.require_delegate(&quote.signer)?;
        MakerKeys::of(&state)
    };
    let parties = accounts.parties(call.program, &book, &quote.signer, taker.address());
    require(same(&terms.digest(&parties), &quote.digest), Refusal::WrongSignature)?;
    load_mut::<NoncePage>(page, call.program)?.use_nonce(maker.address().as_array(), terms.nonce)?;
    let flows = terms.flows(amount)?;
    require(flows.output >= output_min, Refusal::OutputTooLow)?;
    accounts.settle(&flows, &Taking { authority: taker, signers: &[], book: &book })?;
    accounts.announce(&terms, &flows);
    Ok(())
}

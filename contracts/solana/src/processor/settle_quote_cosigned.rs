//! Settle a quote that the maker's hot key signs by signing the transaction itself: a last look.
//! No nonce is used; a transaction runs once.

use pinocchio::ProgramResult;

use super::{accounts, Call};
use crate::{
    abi::EVENT_COSIGNED,
    chain::{emit, now_s, Event},
    error::{require, Refusal},
    exchange::{Accounts, MakerKeys, Taking},
    math::fee_of,
    quote::{Flows, FEE_BPS_MAX},
    state::{load, Maker},
};

#[inline(never)]
pub fn process(call: Call) -> ProgramResult {
    accounts!(call: taker, signer, maker, a, b, c, d, e, f, g, h, i);
    let mut arguments = call.arguments;
    let quote_id = arguments.bytes::<32>()?;
    let maker_amount = arguments.u64()?;
    let taker_amount = arguments.u64()?;
    let fee_bps = arguments.u16()?;
    let expiry_s = arguments.u64()?;
    arguments.end()?;
    require(taker.is_signer(), Refusal::WrongTaker)?;
    require(signer.is_signer(), Refusal::MissingSigner)?;
    require(fee_bps <= FEE_BPS_MAX, Refusal::FeeTooHigh)?;
    require(maker_amount != 0 && taker_amount != 0, Refusal::ZeroAmount)?;
    let rest = [*a, *b, *c, *d, *e, *f, *g, *h, *i];
    let accounts = Accounts::new(maker, &rest)?;
    let book = {
        let state = load::<Maker>(maker, call.program)?;
        state.require_alive(expiry_s, now_s()?)?;
        state.require_delegate(signer.address().as_array())?;
        MakerKeys::of(&state)
    };
    let fee = fee_of(maker_amount, fee_bps);
    let flows = Flows { taken: taker_amount, output: maker_amount - fee, fee };
    accounts.settle(&flows, &Taking { authority: taker, signers: &[], book: &book })?;
    emit(
        &Event::<96>::new(EVENT_COSIGNED)
            .with(quote_id)
            .with(maker.address().as_array())
            .number(flows.taken)
            .number(flows.output)
            .number(flows.fee),
    );
    Ok(())
}

//! Net quotes of one maker, each with its own signature; the taker signs the transaction. Signature
//! checks stand before this instruction in the order of the quotes. Their size bounds a batch to
//! two without address lookup tables: larger ones are settled by statement.

use pinocchio::{address::address_eq, error::ProgramError, ProgramResult};

use super::{accounts, Call};
use crate::{
    abi::EVENT_FILLED,
    chain::{emit, now_s, same, Event},
    ed25519::signed,
    error::{require, Refusal},
    exchange::MakerKeys,
    netting::{Net, Sides},
    quote::{Flows, Parties, Terms},
    state::{load, load_mut, Maker, NoncePage},
    token::Asset,
};

/// More quotes than a transaction can carry.
const QUOTES_MAX: u32 = 16;

#[inline(never)]
pub fn process(call: Call) -> ProgramResult {
    accounts!(call: taker, maker, page, base_mint, cash_mint, base_program, cash_program,
        taker_base, maker_base, base_fee_account, taker_cash, maker_cash, cash_fee_account,
        instructions);
    let mut arguments = call.arguments;
    let count = u32::from_le_bytes(*arguments.bytes()?);
    require(count != 0, Refusal::EmptyBatch)?;
    require(count <= QUOTES_MAX, Refusal::BatchTooLong)?;
    require(taker.is_signer(), Refusal::WrongTaker)?;
    require(!address_eq(base_mint.address(), cash_mint.address()), Refusal::SameToken)?;
    let (mut base, mut cash) = (Net::default(), Net::default());
    let book = {
        let state = load::<Maker>(maker, call.program)?;
        let book = MakerKeys::of(&state);
        let mut nonces = load_mut::<NoncePage>(page, call.program)?;
        let now_s = now_s()?;
        for left in (1..=count).rev() {
            let sells_base = arguments.flag()?;
            let terms = Terms::read(&mut arguments)?;
            let amount = arguments.u64()?;
            let quote = signed(instructions, left as i64)?;
            state.require_alive(terms.expiry_s, now_s)?;
            state.require_delegate(&quote.signer)?;
            let (given, taken, fee_account) = match sells_base {
                true => (base_mint.address(), cash_mint.address(), &base_fee_account),
                false => (cash_mint.address(), base_mint.address(), &cash_fee_account),
            };
            let parties = Parties {
                program: call.program,
                network: &book.network,
                maker: maker.address(),
                signer: &quote.signer,
                taker: taker.address(),
                maker_mint: given,
                taker_mint: taken,
                fee_account: fee_account.address(),
            };
            require(same(&terms.digest(&parties), &quote.digest), Refusal::WrongSignature)?;
            nonces.use_nonce(maker.address().as_array(), terms.nonce)?;
            let flows = terms.flows(amount)?;
            match sells_base {
                true => add(&mut base, &mut cash, &flows)?,
                false => add(&mut cash, &mut base, &flows)?,
            }
            emit(
                &Event::<104>::new(EVENT_FILLED)
                    .with(terms.quote_id)
                    .with(maker.address().as_array())
                    .number(terms.nonce)
                    .number(flows.taken)
                    .number(flows.output)
                    .number(flows.fee),
            );
        }
        book
    };
    arguments.end()?;
    let sides = Sides { taker, maker, book: &book };
    let base_asset = Asset::new(base_mint, base_program)?;
    sides.move_net(&base_asset, &base, [taker_base, maker_base, base_fee_account])?;
    let cash_asset = Asset::new(cash_mint, cash_program)?;
    sides.move_net(&cash_asset, &cash, [taker_cash, maker_cash, cash_fee_account])
}

#[inline(always)]
fn add(given: &mut Net, taken: &mut Net, flows: &Flows) -> Result<(), ProgramError> {
    given.given = sum(given.given, flows.output)?;
    given.fee = sum(given.fee, flows.fee)?;
    taken.taken = sum(taken.taken, flows.taken)?;
    Ok(())
}

#[inline(always)]
fn sum(one: u64, other: u64) -> Result<u64, ProgramError> {
    match one.checked_add(other) {
        Some(total) => Ok(total),
        None => Err(Refusal::AmountOverflow.into()),
    }
}

//! Settle many accepted quotes between one maker and one taker by what both sign about them: the
//! root of their hashes, the net per asset, the nonces they use up. Both sign the transaction, so no
//! single signature is checked, and a batch of hundreds fits into one transaction.

use pinocchio::{address::{address_eq, Address}, error::ProgramError, AccountView, ProgramResult};

use super::Call;
use crate::{
    abi::EVENT_STATEMENT_SETTLED,
    chain::{emit, now_s, same, Event, Hash},
    error::{require, Refusal},
    exchange::MakerKeys,
    netting::{Net, Sides},
    reader::Reader,
    state::{load, load_mut, Maker, NoncePage},
    token::Asset,
};

/// Pages, and thus words of 256 nonces, in one statement.
const WORDS_MAX: usize = 8;

#[inline(never)]
pub fn process(call: Call) -> ProgramResult {
    let [taker, signer, maker, base_mint, cash_mint, base_program, cash_program, taker_base, maker_base, base_fee_account, taker_cash, maker_cash, cash_fee_account, pages @ ..] =
        call.accounts
    else {
        return Err(Refusal::MissingAccount.into());
    };
    let mut arguments = call.arguments;
    let batch_root = arguments.bytes::<32>()?;
    let count = arguments.u16()?;
    let settle_by_s = arguments.u64()?;
    let base = read_net(&mut arguments)?;
    let cash = read_net(&mut arguments)?;
    let masks = arguments.hashes(WORDS_MAX)?;
    arguments.end()?;
    require(taker.is_signer(), Refusal::WrongTaker)?;
    require(signer.is_signer(), Refusal::MissingSigner)?;
    require(!address_eq(base_mint.address(), cash_mint.address()), Refusal::SameToken)?;
    let book = {
        let state = load::<Maker>(maker, call.program)?;
        state.require_alive(settle_by_s, now_s()?)?;
        state.require_delegate(signer.address().as_array())?;
        MakerKeys::of(&state)
    };
    let owner = maker.address().as_array();
    require(use_pages(call.program, owner, pages, masks)? == count as u32, Refusal::WrongCount)?;
    let sides = Sides { taker, maker, book: &book };
    let base_asset = Asset::new(base_mint, base_program)?;
    sides.move_net(&base_asset, &base, [taker_base, maker_base, base_fee_account])?;
    let cash_asset = Asset::new(cash_mint, cash_program)?;
    sides.move_net(&cash_asset, &cash, [taker_cash, maker_cash, cash_fee_account])?;
    emit(
        &Event::<106>::new(EVENT_STATEMENT_SETTLED)
            .with(batch_root)
            .with(owner)
            .with(taker.address().as_array())
            .with(&count.to_le_bytes()),
    );
    Ok(())
}

/// What the maker owes the taker in one asset, negative when the taker owes; then the fee.
fn read_net(arguments: &mut Reader) -> Result<Net, ProgramError> {
    let to_taker = arguments.i64()?;
    let fee = arguments.u64()?;
    let owed = to_taker.unsigned_abs();
    let (given, taken) = if to_taker < 0 { (0, owed) } else { (owed, 0) };
    Ok(Net { given, taken, fee })
}

/// Use up the nonces of the masks, page by page; return how many they are. Without a nonce to use
/// up, a statement would leave no trace of having been settled: there is always one.
fn use_pages(
    program: &Address,
    maker: &Hash,
    pages: &mut [AccountView],
    masks: &[Hash],
) -> Result<u32, ProgramError> {
    require(!masks.is_empty(), Refusal::EmptyBatch)?;
    require(pages.len() == masks.len(), Refusal::MissingAccount)?;
    let (mut count, mut last) = (0, None);
    for (page, mask) in pages.iter_mut().zip(masks) {
        let mut nonces = load_mut::<NoncePage>(page, program)?;
        require(same(&nonces.maker, maker), Refusal::WrongAccount)?;
        let word = nonces.word.get();
        require(last < Some(word), Refusal::NotAscending)?;
        last = Some(word);
        let used = nonces.use_mask(mask)?;
        require(used != 0, Refusal::EmptyBatch)?;
        count += used;
    }
    Ok(count)
}

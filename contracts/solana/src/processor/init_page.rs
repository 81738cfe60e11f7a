//! Make a page of 256 nonces ahead of its use; anyone may pay for it.

use pinocchio::ProgramResult;

use super::{accounts, Call};
use crate::{
    state::{load, load_new, Maker, NoncePage},
    system::create,
};

#[inline(never)]
pub fn process(call: Call) -> ProgramResult {
    accounts!(call: payer, maker, page, _system);
    let mut arguments = call.arguments;
    let word = arguments.u64()?;
    arguments.end()?;
    load::<Maker>(maker, call.program)?;
    let owner = maker.address().as_array();
    let seeds: [&[u8]; 3] = [b"page", owner, &word.to_le_bytes()];
    let bump = create::<NoncePage, 3, 4>(call.program, payer, page, seeds)?;
    let mut state = load_new::<NoncePage>(page, call.program)?;
    state.maker = *owner;
    state.word.set(word);
    state.bump = bump;
    Ok(())
}

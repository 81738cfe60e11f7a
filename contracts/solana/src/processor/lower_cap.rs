//! Lower what may leave of a token in a day. Guardian only.

use pinocchio::ProgramResult;

use super::{accounts, Call};
use crate::{
    abi::EVENT_CAP_SET,
    chain::{emit, same, Event},
    error::{require, Refusal},
    state::{is, load, load_mut, TokenCap, Treasury},
};

#[inline(never)]
pub fn process(call: Call) -> ProgramResult {
    accounts!(call: guardian, treasury, cap);
    let mut arguments = call.arguments;
    let amount_per_day = arguments.u64()?;
    arguments.end()?;
    {
        let state = load::<Treasury>(treasury, call.program)?;
        require(is(guardian, &state.guardian), Refusal::NotGuardian)?;
    }
    let owner = treasury.address().as_array();
    let mut state = load_mut::<TokenCap>(cap, call.program)?;
    require(same(&state.treasury, owner), Refusal::WrongAccount)?;
    require(amount_per_day < state.amount_per_day.get(), Refusal::CapNotLower)?;
    state.amount_per_day.set(amount_per_day);
    emit(
        &Event::<81>::new(EVENT_CAP_SET)
            .with(owner)
            .with(&state.mint)
            .number(amount_per_day)
            .with(&[state.buyable]),
    );
    Ok(())
}

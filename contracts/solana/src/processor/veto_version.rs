//! Strike the version under challenge. Guardian only, before it can be claimed.

use pinocchio::ProgramResult;

use super::{accounts, Call};
use crate::{
    abi::EVENT_VETOED,
    chain::{emit, now_s, Event},
    error::{require, Refusal},
    state::{is, load_mut, Distributor},
};

#[inline(never)]
pub fn process(call: Call) -> ProgramResult {
    accounts!(call: guardian, distributor);
    let mut arguments = call.arguments;
    let version = arguments.u64()?;
    arguments.end()?;
    let now_s = now_s()?;
    let address = *distributor.address().as_array();
    let mut state = load_mut::<Distributor>(distributor, call.program)?;
    require(is(guardian, &state.guardian), Refusal::NotGuardian)?;
    require(version != 0 && version == state.last_version.get(), Refusal::WrongVersion)?;
    require(state.is_challenged(now_s), Refusal::ChallengeOver)?;
    state.last_version.set(version - 1);
    state.last = state.before;
    emit(&Event::<48>::new(EVENT_VETOED).with(&address).number(version));
    Ok(())
}

//! Lower how much one version may add to the total. Guardian only.

use pinocchio::ProgramResult;

use super::{accounts, Call};
use crate::{
    abi::EVENT_BUDGET_SET,
    chain::{emit, Event},
    error::{require, Refusal},
    state::{is, load_mut, Distributor},
};

#[inline(never)]
pub fn process(call: Call) -> ProgramResult {
    accounts!(call: guardian, distributor);
    let mut arguments = call.arguments;
    let budget = arguments.u64()?;
    arguments.end()?;
    let address = *distributor.address().as_array();
    let mut state = load_mut::<Distributor>(distributor, call.program)?;
    require(is(guardian, &state.guardian), Refusal::NotGuardian)?;
    require(budget < state.budget.get(), Refusal::BudgetNotLower)?;
    state.budget.set(budget);
    emit(&Event::<48>::new(EVENT_BUDGET_SET).with(&address).number(budget));
    Ok(())
}

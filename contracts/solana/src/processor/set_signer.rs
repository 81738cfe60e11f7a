//! Delegate to a hot key, or revoke it; both count from the next transaction on. The guardian may
//! only revoke.

use pinocchio::{error::ProgramError, ProgramResult};

use super::{accounts, Call};
use crate::{
    abi::EVENT_SIGNER_SET,
    chain::{emit, same, Event, Hash, ZERO},
    error::{require, Refusal},
    state::{is, load_mut, Maker},
};

#[inline(never)]
pub fn process(call: Call) -> ProgramResult {
    accounts!(call: authority, maker);
    let mut arguments = call.arguments;
    let signer = arguments.bytes::<32>()?;
    let allowed = arguments.flag()?;
    arguments.end()?;
    require(!same(signer, &ZERO), Refusal::ZeroAddress)?;
    let address = *maker.address().as_array();
    let mut state = load_mut::<Maker>(maker, call.program)?;
    let tightens = !allowed && is(authority, &state.guardian);
    require(is(authority, &state.authority) || tightens, Refusal::NotAuthority)?;
    if allowed {
        add(&mut state, signer)?;
    } else {
        remove(&mut state, signer)?;
    }
    emit(
        &Event::<73>::new(EVENT_SIGNER_SET).with(&address).with(signer).with(&[allowed as u8]),
    );
    Ok(())
}

fn add(state: &mut Maker, signer: &Hash) -> Result<(), ProgramError> {
    if state.signers.iter().any(|known| same(known, signer)) {
        return Ok(());
    }
    match state.signers.iter_mut().find(|slot| same(slot, &ZERO)) {
        Some(slot) => {
            *slot = *signer;
            Ok(())
        }
        None => Err(Refusal::SignersFull.into()),
    }
}

fn remove(state: &mut Maker, signer: &Hash) -> Result<(), ProgramError> {
    match state.signers.iter_mut().find(|slot| same(slot, signer)) {
        Some(slot) => {
            *slot = ZERO;
            Ok(())
        }
        None => Err(Refusal::SignerNotAllowed.into()),
    }
}

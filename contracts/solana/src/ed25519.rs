//! Signatures checked by the runtime's Ed25519 program in the instruction before ours.
//!
//! The published way around such a check is an instruction whose offsets point elsewhere. So only
//! one layout counts: one signature, and key, signature and a message of 32 bytes inside the very
//! instruction, in that order and without gaps.

use pinocchio::{
    address::{address_eq, Address},
    error::ProgramError,
    sysvars::instructions::{Instructions, INSTRUCTIONS_ID},
    AccountView,
};

use crate::{
    chain::Hash,
    error::{require, Refusal},
};

const PROGRAM: Address = Address::new_from_array([
    3, 125, 70, 214, 124, 147, 251, 190, 18, 249, 66, 143, 131, 141, 64, 255, 5, 112, 116, 73, 39,
    244, 138, 100, 252, 202, 112, 68, 128, 0, 0, 0,
]);
/// One signature; signature at 48, key at 16, message at 112 of 32 bytes; all in this instruction.
const HEADER: u128 = u128::from_le_bytes([
    1, 0, 48, 0, 0xff, 0xff, 16, 0, 0xff, 0xff, 112, 0, 32, 0, 0xff, 0xff,
]);
const LENGTH: usize = 144;

/// Who signed which digest, as the runtime has checked.
pub struct Signed {
    pub signer: Hash,
    pub digest: Hash,
}

/// Read the check that stands `back` instructions before this transaction's present one.
#[inline(always)]
pub fn signed(sysvar: &AccountView, back: i64) -> Result<Signed, ProgramError> {
    require(address_eq(sysvar.address(), &INSTRUCTIONS_ID), Refusal::WrongAccount)?;
    // The address was compared; the constructor that compares it too takes a hundred units more.
    let instructions = unsafe { Instructions::new_unchecked(sysvar.try_borrow()?) };
    let check = match instructions.get_instruction_relative(-back) {
        Ok(check) => check,
        Err(_) => return Err(Refusal::NoSignatureInstruction.into()),
    };
    let data = check.get_instruction_data();
    require(
        check.num_account_metas() == 0
            && address_eq(check.get_program_id(), &PROGRAM)
            && data.len() == LENGTH
            && header(data) == HEADER,
        Refusal::NoSignatureInstruction,
    )?;
    // The length was checked, and arrays of bytes have no alignment.
    unsafe {
        Ok(Signed {
            signer: *(data.as_ptr().add(16) as *const Hash),
            digest: *(data.as_ptr().add(112) as *const Hash),
        })
    }
}

/// The first 16 bytes; the caller has checked that there are as many.
#[inline(always)]
fn header(data: &[u8]) -> u128 {
    unsafe { (data.as_ptr() as *const u128).read_unaligned() }
}

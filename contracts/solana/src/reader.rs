//! Borsh arguments, read in order; every byte must be used.

use pinocchio::error::ProgramError;

use crate::{
    chain::Hash,
    error::{require, Refusal},
};

pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    #[inline(always)]
    pub fn new(data: &'a [u8]) -> Self {
        Self { rest: data }
    }

    #[inline(always)]
    pub fn bytes<const N: usize>(&mut self) -> Result<&'a [u8; N], ProgramError> {
        match self.rest.split_first_chunk::<N>() {
            Some((head, rest)) => {
                self.rest = rest;
                Ok(head)
            }
            None => Err(Refusal::WrongInstruction.into()),
        }
    }

    #[inline(always)]
    pub fn u64(&mut self) -> Result<u64, ProgramError> {
        Ok(u64::from_le_bytes(*self.bytes()?))
    }

    #[inline(always)]
    pub fn i64(&mut self) -> Result<i64, ProgramError> {
        Ok(i64::from_le_bytes(*self.bytes()?))
    }

    #[inline(always)]
    pub fn u16(&mut self) -> Result<u16, ProgramError> {
        Ok(u16::from_le_bytes(*self.bytes()?))
    }

    /// Borsh knows two booleans; any other byte is no argument of ours.
    #[inline(always)]
    pub fn flag(&mut self) -> Result<bool, ProgramError> {
        let [byte] = *self.bytes()?;
        require(byte < 2, Refusal::WrongInstruction)?;
        Ok(byte == 1)
    }

    /// A vector of hashes, at most `max` of them.
    #[inline(always)]
    pub fn hashes(&mut self, max: usize) -> Result<&'a [Hash], ProgramError> {
        let count = u32::from_le_bytes(*self.bytes()?) as usize;
        require(count <= max, Refusal::BatchTooLong)?;
        require(self.rest.len() >= count * 32, Refusal::WrongInstruction)?;
        let (head, rest) = self.rest.split_at(count * 32);
        self.rest = rest;
        // An array of bytes has no alignment, and the length was checked.
        Ok(unsafe { core::slice::from_raw_parts(head.as_ptr() as *const Hash, count) })
    }

    #[inline(always)]
    pub fn end(self) -> Result<(), ProgramError> {
        require(self.rest.is_empty(), Refusal::WrongInstruction)
    }
}

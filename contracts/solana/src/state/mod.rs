//! State accounts: an eight-byte discriminator, then the fields, byte by byte as Borsh would.
//!
//! Only this program can write to accounts it owns, and it writes a discriminator only after it has
//! checked the address. So owner, length and discriminator together prove what an account is, and
//! the hot path never searches for an address. No instruction closes a state account.

mod distributor;
mod governor;
mod maker;
mod treasury;

pub use distributor::{ClaimStatus, Distributor};
pub use governor::Governor;
pub use maker::{Maker, NoncePage};
pub use treasury::{TokenCap, Treasury, UsedKey};

use pinocchio::{
    account::{Ref, RefMut},
    address::Address,
    error::ProgramError,
    AccountView,
};

use crate::{
    chain::{owned, same},
    error::{require, Refusal},
};

/// A number in little-endian bytes, without alignment.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct U64([u8; 8]);

impl U64 {
    #[inline(always)]
    pub fn get(&self) -> u64 {
        u64::from_le_bytes(self.0)
    }

    #[inline(always)]
    pub fn set(&mut self, value: u64) {
        self.0 = value.to_le_bytes();
    }
}

/// # Safety
/// An implementer is `repr(C)`, has only fields of bytes, and starts with the discriminator.
pub unsafe trait State: Sized {
    const DISCRIMINATOR: u64;
    const LENGTH: usize = core::mem::size_of::<Self>();
}

#[inline(always)]
fn check<T: State>(view: &AccountView, program: &Address) -> Result<(), ProgramError> {
    require(owned(view, program) && view.data_len() == T::LENGTH, Refusal::WrongAccount)
}

#[inline(always)]
fn check_kind<T: State>(data: &[u8]) -> Result<(), ProgramError> {
    let kind = unsafe { core::ptr::read_unaligned(data.as_ptr() as *const u64) };
    require(kind == T::DISCRIMINATOR, Refusal::WrongAccount)
}

/// Read a state account of kind `T`.
#[inline(always)]
pub fn load<'a, T: State>(
    view: &'a AccountView,
    program: &Address,
) -> Result<Ref<'a, T>, ProgramError> {
    check::<T>(view, program)?;
    let data = view.try_borrow()?;
    check_kind::<T>(&data)?;
    // The length was compared, and bytes have no alignment.
    Ok(Ref::map(data, |bytes| unsafe { &*(bytes.as_ptr() as *const T) }))
}

/// Write to a state account of kind `T`. A second borrow of the same account is refused.
#[inline(always)]
pub fn load_mut<'a, T: State>(
    view: &'a mut AccountView,
    program: &Address,
) -> Result<RefMut<'a, T>, ProgramError> {
    check::<T>(view, program)?;
    let data = view.try_borrow_mut()?;
    check_kind::<T>(&data)?;
    Ok(RefMut::map(data, |bytes| unsafe { &mut *(bytes.as_mut_ptr() as *mut T) }))
}

/// Write to an account that was created a moment ago: zeros, but for the discriminator set here.
#[inline(always)]
pub fn load_new<'a, T: State>(
    view: &'a mut AccountView,
    program: &Address,
) -> Result<RefMut<'a, T>, ProgramError> {
    check::<T>(view, program)?;
    let mut data = view.try_borrow_mut()?;
    require(data[..8] == [0; 8], Refusal::AccountInUse)?;
    data[..8].copy_from_slice(&T::DISCRIMINATOR.to_le_bytes());
    Ok(RefMut::map(data, |bytes| unsafe { &mut *(bytes.as_mut_ptr() as *mut T) }))
}

/// Whether `view` signed and is who `address` says.
#[inline(always)]
pub fn is(view: &AccountView, address: &[u8; 32]) -> bool {
    view.is_signer() && same(view.address().as_array(), address)
}

use super::{State, U64};
use crate::abi::{ACCOUNT_CAP, ACCOUNT_KEY, ACCOUNT_TREASURY};

/// The desk's vault for payouts and buybacks. Address: "treasury", authority.
#[repr(C)]
pub struct Treasury {
    discriminator: [u8; 8],
    pub authority: [u8; 32],
    pub operator: [u8; 32],
    pub guardian: [u8; 32],
    pub paused: u8,
    pub bump: u8,
}

unsafe impl State for Treasury {
    const DISCRIMINATOR: u64 = ACCOUNT_TREASURY;
}

/// What may leave of one token. Address: "cap", treasury, mint.
#[repr(C)]
pub struct TokenCap {
    discriminator: [u8; 8],
    pub treasury: [u8; 32],
    pub mint: [u8; 32],
    /// Atoms that may leave in one day of 86,400 seconds UTC.
    pub amount_per_day: U64,
    /// The last day on which something left, counted from 1970-01-01.
    pub day: U64,
    /// What left on that day, atoms.
    pub spent: U64,
    pub buyable: u8,
}

unsafe impl State for TokenCap {
    const DISCRIMINATOR: u64 = ACCOUNT_CAP;
}

/// A payment's key, used up. Address: "key", treasury, key.
#[repr(C)]
pub struct UsedKey {
    discriminator: [u8; 8],
    pub treasury: [u8; 32],
    pub key: [u8; 32],
    /// When it was used, seconds.
    pub used_at_s: U64,
}

unsafe impl State for UsedKey {
    const DISCRIMINATOR: u64 = ACCOUNT_KEY;
}

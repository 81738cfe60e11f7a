use super::{State, U64};
use crate::abi::ACCOUNT_GOVERNOR;

/// The head of the home chain's log of executed orders. Address: "governor", authority.
#[repr(C)]
pub struct Governor {
    discriminator: [u8; 8],
    pub authority: [u8; 32],
    /// What names the home chain's contract: a hash of network and address.
    pub home: [u8; 32],
    pub sequence: U64,
    pub head: [u8; 32],
    pub bump: u8,
}

unsafe impl State for Governor {
    const DISCRIMINATOR: u64 = ACCOUNT_GOVERNOR;
}

use super::{State, U64};
use crate::abi::{ACCOUNT_CLAIM, ACCOUNT_DISTRIBUTOR};

/// A whole tree of what every holder was ever allocated.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Version {
    pub root: [u8; 32],
    /// Sum of the leaves, atoms.
    pub total: U64,
    /// First second in which it can be claimed.
    pub ready_at_s: U64,
    /// Last second in which it can be claimed.
    pub ends_at_s: U64,
}

/// Cumulative claims on one token. Address: "distributor", authority, number.
#[repr(C)]
pub struct Distributor {
    discriminator: [u8; 8],
    pub authority: [u8; 32],
    pub guardian: [u8; 32],
    /// Genesis hash of the cluster, in every leaf.
    pub network: [u8; 32],
    pub mint: [u8; 32],
    /// The one token account that pays.
    pub vault: [u8; 32],
    pub number: U64,
    pub challenge_s: U64,
    /// How much one version may add to the total, atoms.
    pub budget: U64,
    pub claimed_total: U64,
    /// The last version that was proposed, and the one before it. The last one is current once it is
    /// ready; until then the one before it is.
    pub last_version: U64,
    pub last: Version,
    pub before: Version,
    pub paused: u8,
    pub bump: u8,
}

unsafe impl State for Distributor {
    const DISCRIMINATOR: u64 = ACCOUNT_DISTRIBUTOR;
}

impl Distributor {
    #[inline(always)]
    pub fn is_challenged(&self, now_s: u64) -> bool {
        now_s < self.last.ready_at_s.get()
    }

    /// The version that can be claimed now, and its number; zero before the first.
    #[inline(always)]
    pub fn current(&self, now_s: u64) -> (u64, &Version) {
        if self.is_challenged(now_s) {
            (self.last_version.get() - 1, &self.before)
        } else {
            (self.last_version.get(), &self.last)
        }
    }

    /// What of `held` no version that has not ended allocates to anybody.
    #[inline(always)]
    pub fn free(&self, held: u64, now_s: u64) -> u64 {
        if self.last_version.get() == 0 || now_s > self.last.ends_at_s.get() {
            return held;
        }
        held.saturating_sub(self.last.total.get() - self.claimed_total.get())
    }
}

/// What one holder was paid. Address: "claim", distributor, holder.
#[repr(C)]
pub struct ClaimStatus {
    discriminator: [u8; 8],
    pub distributor: [u8; 32],
    pub holder: [u8; 32],
    pub claimed: U64,
}

unsafe impl State for ClaimStatus {
    const DISCRIMINATOR: u64 = ACCOUNT_CLAIM;
}

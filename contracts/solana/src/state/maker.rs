use super::{State, U64};
use crate::{
    abi::{ACCOUNT_MAKER, ACCOUNT_NONCE_PAGE},
    chain::{same, ZERO},
    error::{require, Refusal},
};
use pinocchio::error::ProgramError;

/// Hot keys one maker can delegate to at a time.
const SIGNERS_MAX: usize = 4;

/// A maker: owner of the vaults that its quotes give from. Address: "maker", authority.
#[repr(C)]
pub struct Maker {
    discriminator: [u8; 8],
    pub authority: [u8; 32],
    pub guardian: [u8; 32],
    /// Genesis hash of the cluster: a quote signed for a test network is none on another.
    pub network: [u8; 32],
    /// Longest time, in seconds, a quote may still have to run when it is settled.
    pub lifetime_s_max: U64,
    pub signers: [[u8; 32]; SIGNERS_MAX],
    pub paused: u8,
    pub bump: u8,
}

unsafe impl State for Maker {
    const DISCRIMINATOR: u64 = ACCOUNT_MAKER;
}

impl Maker {
    /// Refuse a key the maker has not delegated to. The zero key is no delegate.
    #[inline(always)]
    pub fn require_delegate(&self, signer: &[u8; 32]) -> Result<(), ProgramError> {
        let found = self.signers.iter().any(|known| same(known, signer));
        require(found && !same(signer, &ZERO), Refusal::SignerNotAllowed)
    }

    /// Refuse what is over, or runs longer than the maker lets quotes run. Equality passes.
    #[inline(always)]
    pub fn require_alive(&self, last_s: u64, now_s: u64) -> Result<(), ProgramError> {
        require(self.paused == 0, Refusal::Paused)?;
        require(now_s <= last_s, Refusal::QuoteExpired)?;
        require(last_s - now_s <= self.lifetime_s_max.get(), Refusal::LifetimeTooLong)
    }
}

/// 256 nonces of a maker. Address: "page", maker, word. `cancelled` is a part of `used`.
#[repr(C)]
pub struct NoncePage {
    discriminator: [u8; 8],
    pub maker: [u8; 32],
    pub word: U64,
    pub used: [u8; 32],
    pub cancelled: [u8; 32],
    pub bump: u8,
}

unsafe impl State for NoncePage {
    const DISCRIMINATOR: u64 = ACCOUNT_NONCE_PAGE;
}

impl NoncePage {
    /// Use up one nonce that lies on this page of that maker.
    #[inline(always)]
    pub fn use_nonce(&mut self, maker: &[u8; 32], nonce: u64) -> Result<(), ProgramError> {
        require(
            same(&self.maker, maker) && self.word.get() == nonce >> 8,
            Refusal::WrongAccount,
        )?;
        let byte = ((nonce & 255) >> 3) as usize;
        let bit = 1u8 << (nonce & 7);
        require(self.used[byte] & bit == 0, Refusal::NonceUsed)?;
        self.used[byte] |= bit;
        Ok(())
    }

    /// Use up all nonces of `mask`, none of which was used; return how many they are.
    #[inline(always)]
    pub fn use_mask(&mut self, mask: &[u8; 32]) -> Result<u32, ProgramError> {
        let mut count = 0;
        for (used, bits) in self.used.iter_mut().zip(mask) {
            require(*used & bits == 0, Refusal::NonceUsed)?;
            *used |= bits;
            count += bits.count_ones();
        }
        Ok(count)
    }

    /// Burn the unused nonces of `mask`; return them. A settled nonce stays settled.
    #[inline(always)]
    pub fn cancel(&mut self, mask: &[u8; 32]) -> [u8; 32] {
        let mut burnt = [0; 32];
        for i in 0..32 {
            burnt[i] = mask[i] & !self.used[i];
            self.used[i] |= burnt[i];
            self.cancelled[i] |= burnt[i];
        }
        burnt
    }
}

//! A firm quote: its terms as they come in the arguments, and the digest its maker signs.

use pinocchio::{address::Address, error::ProgramError};

use crate::{
    chain::{sha256, Hash},
    error::{require, Refusal},
    math::{fee_of, mul_div_floor},
    reader::Reader,
};

const QUOTE_DOMAIN: &[u8] = b"dmm/quote/v1";
const ACCEPTANCE_DOMAIN: &[u8] = b"dmm/acceptance/v1";
/// The highest fee any chain's contracts take.
pub const FEE_BPS_MAX: u16 = 500;
const TERMS_BYTES: usize = 82;
/// Where the signed order has the fee recipient, which is an account and no argument.
const BEFORE_RECIPIENT: usize = 26;

/// What a quote says in numbers, in the order in which it is signed.
pub struct Terms<'a> {
    raw: &'a [u8; TERMS_BYTES],
    pub maker_amount: u64,
    pub taker_amount: u64,
    pub min_fill: u64,
    pub fee_bps: u16,
    pub expiry_s: u64,
    pub settle_by_s: u64,
    pub nonce: u64,
    pub quote_id: &'a Hash,
}

/// Whom and what a quote binds beside its numbers.
pub struct Parties<'a> {
    pub program: &'a Address,
    pub network: &'a Hash,
    pub maker: &'a Address,
    pub signer: &'a Hash,
    pub taker: &'a Address,
    pub maker_mint: &'a Address,
    pub taker_mint: &'a Address,
    pub fee_account: &'a Address,
}

impl<'a> Terms<'a> {
    #[inline(always)]
    pub fn read(arguments: &mut Reader<'a>) -> Result<Self, ProgramError> {
        let raw = arguments.bytes::<TERMS_BYTES>()?;
        let mut fields = Reader::new(raw);
        Ok(Self {
            raw,
            maker_amount: fields.u64()?,
            taker_amount: fields.u64()?,
            min_fill: fields.u64()?,
            fee_bps: fields.u16()?,
            expiry_s: fields.u64()?,
            settle_by_s: fields.u64()?,
            nonce: fields.u64()?,
            quote_id: fields.bytes()?,
        })
    }

    /// What the maker's key signs. All fields have one length: no two quotes have the same bytes.
    #[inline(always)]
    pub fn digest(&self, parties: &Parties) -> Hash {
        sha256(&[
            QUOTE_DOMAIN,
            parties.network,
            parties.program.as_array(),
            parties.maker.as_array(),
            parties.signer,
            parties.taker.as_array(),
            parties.maker_mint.as_array(),
            parties.taker_mint.as_array(),
            &self.raw[..BEFORE_RECIPIENT],
            parties.fee_account.as_array(),
            &self.raw[BEFORE_RECIPIENT..],
        ])
    }

    /// What flows when the taker gives `amount`.
    #[inline(always)]
    pub fn flows(&self, amount: u64) -> Result<Flows, ProgramError> {
        require(self.fee_bps <= FEE_BPS_MAX, Refusal::FeeTooHigh)?;
        require(amount != 0, Refusal::ZeroAmount)?;
        require(
            amount >= self.min_fill && amount <= self.taker_amount,
            Refusal::WrongAmount,
        )?;
        let gross = mul_div_floor(self.maker_amount, amount, self.taker_amount);
        require(gross != 0, Refusal::ZeroAmount)?;
        let fee = fee_of(gross, self.fee_bps);
        Ok(Flows { taken: amount, output: gross - fee, fee })
    }
}

/// Atoms: what the taker gives, what the recipient gets, and the fee out of the maker's leg.
pub struct Flows {
    pub taken: u64,
    pub output: u64,
    pub fee: u64,
}

/// What a taker's key signs to take a quote, or a part of it, without sending anything itself.
#[inline(always)]
pub fn acceptance_digest(
    quote_id: &Hash,
    quote: &Hash,
    amount: u64,
    recipient: &Address,
) -> Hash {
    let amount = amount.to_le_bytes();
    sha256(&[ACCEPTANCE_DOMAIN, quote_id, quote, &amount, recipient.as_array()])
}

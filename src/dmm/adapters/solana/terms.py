"""Addresses of the program's accounts, what makers and takers sign, and the checks of it.

The program rebuilds these bytes; contracts/solana/src/quote.rs is their definition. Everything
signed has one length, so no two quotes share their bytes.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

ED25519 = Pubkey.from_string("Ed25519SigVerify111111111111111111111111111")
_HEADER = struct.pack("<BBHHHHHHH", 1, 0, 48, 0xFFFF, 16, 0xFFFF, 112, 32, 0xFFFF)
"""One signature, at 48; key at 16; a message of 32 bytes at 112; all in the same instruction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """A firm quote on Solana: amounts in atoms, times in seconds since 1970.

    `taker_mint` flows to the maker, `maker_mint` to whom the taker names. `fee_account` is a token
    account of `maker_mint`; it is signed even when `fee_bps` is zero.
    """

    program: Pubkey
    network: bytes
    maker: Pubkey
    signer: Pubkey
    taker: Pubkey
    maker_mint: Pubkey
    taker_mint: Pubkey
    maker_amount: int
    taker_amount: int
    min_fill: int
    fee_bps: int
    fee_account: Pubkey
    expiry: int
    settle_by: int
    nonce: int
    quote_id: bytes

    def numbers(self) -> dict[str, object]:
        """Return what the instructions carry as ``terms``; the rest are accounts."""
        return {
            "maker_amount": self.maker_amount,
            "taker_amount": self.taker_amount,
            "min_fill": self.min_fill,
            "fee_bps": self.fee_bps,
            "expiry": self.expiry,
            "settle_by": self.settle_by,
            "nonce": self.nonce,
            "quote_id": self.quote_id,
        }

    def digest(self) -> bytes:
        """Return the 32 bytes the maker's key signs."""
        return hashlib.sha256(
            b"dmm/quote/v1"
            + self.network
            + bytes(self.program)
            + bytes(self.maker)
            + bytes(self.signer)
            + bytes(self.taker)
            + bytes(self.maker_mint)
            + bytes(self.taker_mint)
            + struct.pack(
                "<QQQH", self.maker_amount, self.taker_amount, self.min_fill, self.fee_bps
            )
            + bytes(self.fee_account)
            + struct.pack("<QQQ", self.expiry, self.settle_by, self.nonce)
            + self.quote_id
        ).digest()


def acceptance_digest(terms: Terms, *, amount: int, recipient: Pubkey) -> bytes:
    """Return the 32 bytes a taker's key signs to take `amount` of a quote to a token account."""
    return hashlib.sha256(
        b"dmm/acceptance/v1"
        + terms.quote_id
        + terms.digest()
        + struct.pack("<Q", amount)
        + bytes(recipient)
    ).digest()


def check(key: Keypair, digest: bytes) -> Instruction:
    """Return the runtime's check of a key's signature over 32 bytes, as the program wants it."""
    return check_of(bytes(key.pubkey()), bytes(key.sign_message(digest)), digest)


def check_of(public_key: bytes, signature: bytes, digest: bytes) -> Instruction:
    """Return the runtime's check of a signature that was made elsewhere."""
    return Instruction(ED25519, _HEADER + public_key + signature + digest, [])


def maker_address(program: Pubkey, authority: Pubkey) -> Pubkey:
    """Return where an authority's maker lies; the maker owns the vaults."""
    return _derive(program, b"maker", bytes(authority))


def page_address(program: Pubkey, maker: Pubkey, word: int) -> Pubkey:
    """Return where the nonces 256 · word to 256 · word + 255 of a maker lie."""
    return _derive(program, b"page", bytes(maker), struct.pack("<Q", word))


def mover_address(program: Pubkey) -> tuple[Pubkey, int]:
    """Return the delegate that takers name, and its bump."""
    return Pubkey.find_program_address([b"mover"], program)


def distributor_address(program: Pubkey, authority: Pubkey, number: int) -> Pubkey:
    """Return where an authority's numbered distributor lies."""
    return _derive(program, b"distributor", bytes(authority), struct.pack("<Q", number))


def claim_address(program: Pubkey, distributor: Pubkey, owner: Pubkey) -> Pubkey:
    """Return where an owner's claims on a distributor are kept."""
    return _derive(program, b"claim", bytes(distributor), bytes(owner))


def treasury_address(program: Pubkey, authority: Pubkey) -> Pubkey:
    """Return where an authority's treasury lies; it owns its vaults."""
    return _derive(program, b"treasury", bytes(authority))


def cap_address(program: Pubkey, treasury: Pubkey, mint: Pubkey) -> Pubkey:
    """Return where a treasury's cap of a token lies."""
    return _derive(program, b"cap", bytes(treasury), bytes(mint))


def key_address(program: Pubkey, treasury: Pubkey, key: bytes) -> Pubkey:
    """Return where a payment's key lies once it is used up."""
    return _derive(program, b"key", bytes(treasury), key)


def governor_address(program: Pubkey, authority: Pubkey) -> Pubkey:
    """Return where an authority's mirror of the home chain's log lies."""
    return _derive(program, b"governor", bytes(authority))


def _derive(program: Pubkey, *seeds: bytes) -> Pubkey:
    return Pubkey.find_program_address(list(seeds), program)[0]

"""Signature checks that need no key: who signed a digest."""

from __future__ import annotations

from coincurve import PublicKey
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from dmm.adapters.evm.codec import Book, acceptance_digest, quote_digest
from dmm.rfq.protocol import Acceptance, FirmQuote
from dmm.units.errors import Permanent

SIGNATURE_BYTES = 65
HALF_ORDER = 0x7FFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFF_5D576E73_57A4501D_DFE92F46_681B20A0
"""Half the order of secp256k1: the contracts refuse signatures with a larger s, and so do we."""


def recover(digest: bytes, signature: bytes) -> str | None:
    """Return the address that signed 32 bytes, or None when the signature is none.

    Parameters
    ----------
    signature : r ‖ s ‖ v, 65 bytes, v 27 or 28, s in the lower half
    """
    if len(signature) != SIGNATURE_BYTES or signature[64] not in (27, 28):
        return None
    if int.from_bytes(signature[32:64], "big") > HALF_ORDER:
        return None
    compact = signature[:64] + bytes([signature[64] - 27])
    try:
        key = PublicKey.from_signature_and_message(compact, digest, hasher=None)
    except ValueError:
        return None
    return address_of(key)


def address_of(key: PublicKey) -> str:
    """Return a public key's address in checksum form."""
    return to_checksum_address(keccak(key.format(compressed=False)[1:])[-20:])


def acceptance_is_signed(
    quote: FirmQuote, acceptance: Acceptance, signature: bytes, *, book: Book
) -> bool:
    """Tell whether the quote's taker signed this acceptance of this quote."""
    try:
        digest = acceptance_digest(acceptance, quote, book)
    except Permanent:
        return False
    signer = recover(digest, signature)
    return signer is not None and signer.lower() == quote.taker.lower()


def quote_is_signed(quote: FirmQuote, signature: bytes, *, book: Book) -> bool:
    """Tell whether the signer that a quote names signed it; delegation is the contract's matter."""
    try:
        digest = quote_digest(quote, book)
    except Permanent:
        return False
    signer = recover(digest, signature)
    return signer is not None and signer.lower() == quote.signer.lower()

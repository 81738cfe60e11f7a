"""Signature checks that need no key."""

from __future__ import annotations

from solders.signature import Signature

from dmm.adapters.solana.codec import SIGNATURE_BYTES, Book, accepted_digest, account, quote_digest
from dmm.rfq.protocol import Acceptance, FirmQuote
from dmm.units.errors import Permanent


def is_signed(message: bytes, signature: bytes, *, by: str) -> bool:
    """Tell whether an address's key signed a message."""
    if len(signature) != SIGNATURE_BYTES:
        return False
    try:
        return Signature(signature).verify(account(by, what="signer"), message)
    except (Permanent, ValueError):
        return False


def acceptance_is_signed(
    quote: FirmQuote, acceptance: Acceptance, signature: bytes, *, book: Book
) -> bool:
    """Tell whether the quote's taker signed this acceptance of this quote."""
    try:
        digest = accepted_digest(acceptance, quote, book)
    except Permanent:
        return False
    return is_signed(digest, signature, by=quote.taker)


def quote_is_signed(quote: FirmQuote, signature: bytes, *, book: Book) -> bool:
    """Tell whether the signer that a quote names signed it; delegation is the program's matter."""
    try:
        digest = quote_digest(quote, book)
    except Permanent:
        return False
    return is_signed(digest, signature, by=quote.signer)

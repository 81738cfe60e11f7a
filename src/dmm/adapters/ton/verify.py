"""Signature checks that need no key: whether a quote's taker signed its acceptance."""

from __future__ import annotations

from nacl.exceptions import BadSignatureError, CryptoError
from nacl.signing import VerifyKey

from dmm.adapters.ton.cells import raw
from dmm.adapters.ton.codec import Book, Signed, quote_digest, taker_order
from dmm.adapters.ton.wallet import wallet_state
from dmm.rfq.protocol import Acceptance, FirmQuote
from dmm.units.errors import Permanent


def is_signature(digest: bytes, signature: bytes, *, public_key: bytes) -> bool:
    """Tell whether an Ed25519 key signed 32 bytes."""
    try:
        VerifyKey(public_key).verify(digest, signature)
    except (BadSignatureError, CryptoError, ValueError, TypeError):
        return False
    return True


def acceptance_is_signed(
    quote: FirmQuote, acceptance: Acceptance, signature: bytes, *, book: Book
) -> bool:
    """Tell whether the quote's taker signed this acceptance of this quote.

    The key's wallet must be the taker: an account's address is the hash of its first state, and the
    key is part of that.
    """
    try:
        signed = Signed.parse(signature)
        digest = taker_order(
            acceptance,
            quote,
            maker_signature=signed.maker_signature,
            query_id=signed.query_id,
            book=book,
        ).hash
    except Permanent:
        return False
    owner, _ = wallet_state(signed.public_key)
    return raw(owner) == quote.taker and is_signature(
        digest, signed.signature, public_key=signed.public_key
    )


def quote_is_signed(quote: FirmQuote, signature: bytes, *, public_key: bytes, book: Book) -> bool:
    """Tell whether the vault's key, as the vault has it, signed a quote."""
    try:
        digest = quote_digest(quote, book)
    except Permanent:
        return False
    return is_signature(digest, signature, public_key=public_key)

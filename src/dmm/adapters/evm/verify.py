"""Signature checks that need no key: who signed a digest."""

from __future__ import annotations

from coincurve import PublicKey
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from dmm.adapters.evm.batches import statement_digest, statement_of
from dmm.adapters.evm.calls import signed_trades, statement_signatures
from dmm.adapters.evm.codec import Book, acceptance_digest, quote_digest
from dmm.rfq.protocol import Acceptance, FirmQuote
from dmm.settlement.intent import Intent
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


def check_statement(carrier: Intent, *, party: str, book: Book) -> None:
    """Refuse a statement that holds what a party did not sign for itself.

    Parameters
    ----------
    party : the address that signed every quote in it, or accepted every one

    Raises
    ------
    Permanent
        The text names the quote.
    """
    for trade in signed_trades(carrier):
        quote, accepted = trade.quote, trade.acceptance
        is_maker = quote.signer.lower() == party.lower()
        own = (
            quote_is_signed(quote, trade.maker_signature, book=book)
            if is_maker
            else quote.taker.lower() == party.lower()
            and acceptance_is_signed(quote, accepted, trade.taker_signature, book=book)
        )
        if not own:
            raise Permanent(f"quote {quote.quote_id.hex()} was not signed by {party}")
        if accepted.quote_id != quote.quote_id or not quote.takes(accepted.amount):
            raise Permanent(f"quote {quote.quote_id.hex()} does not let {accepted.amount} be taken")


def statement_is_signed(carrier: Intent, *, book: Book) -> bool:
    """Tell whether both parties signed the statement that a carrier's trades make."""
    try:
        trades = signed_trades(carrier)
        statement = statement_of(trades, book, settle_by_s=carrier.deadline_s)
        signatures = statement_signatures(carrier)
    except Permanent:
        return False
    signed = statement_digest(statement, book)
    wanted = (statement.signer, statement.taker)
    return all(recover(signed, sig) == who for sig, who in zip(signatures, wanted, strict=True))

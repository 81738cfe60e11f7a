"""Acceptances by Permit2: one signature that both takes a quote and pays for it.

A taker that has approved Permit2 once needs no allowance for our contract. It signs a transfer to
our contract's order, with the acceptance as the transfer's witness.

References
----------
Permit2, SignatureTransfer: `permitWitnessTransferFrom`; its domain has no version.
"""

from __future__ import annotations

from dataclasses import dataclass

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from dmm.adapters.evm.codec import (
    ACCEPTANCE_MEMBERS,
    ACCEPTANCE_TUPLE,
    QUOTE_TUPLE,
    Book,
    acceptance_hash,
    account,
    calldata,
    quote_values,
)
from dmm.adapters.evm.eip712 import Struct, digest, struct_of, type_hash
from dmm.rfq.protocol import Acceptance, FirmQuote

PERMIT_TUPLE = "(uint256,uint256,bytes)"
FILL_WITH_PERMIT = f"fillWithPermit({QUOTE_TUPLE},bytes,{ACCEPTANCE_TUPLE},{PERMIT_TUPLE})"

_DOMAIN_TYPE = "EIP712Domain(string name,uint256 chainId,address verifyingContract)"
_PERMISSIONS = struct_of("TokenPermissions", {"token": "address", "amount": "uint256"})
_TRANSFER = Struct(
    "PermitWitnessTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,"
    "uint256 deadline,Acceptance witness)"
    + struct_of("Acceptance", ACCEPTANCE_MEMBERS).type_string
    + _PERMISSIONS.type_string,
    ("bytes32", "address", "uint256", "uint256", "bytes32"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """Where a taker's transfer is signed: Permit2's address, its nonce there, its last second."""

    contract: str
    nonce: int
    deadline_s: int


def permit_digest(permit: Permit, acceptance: Acceptance, quote: FirmQuote, book: Book) -> bytes:
    """Return what the taker signs.

    Raises
    ------
    Permanent
        If the quote cannot be encoded.
    """
    permissions = (book.token(quote.taker_asset), acceptance.amount)
    values = (
        _PERMISSIONS.hash(permissions),
        book.address("settlement"),
        permit.nonce,
        permit.deadline_s,
        acceptance_hash(acceptance, quote, book),
    )
    return digest(domain=_domain(book.chain_id, permit), struct_hash=_TRANSFER.hash(values))


def fill_with_permit_calldata(
    quote: FirmQuote,
    acceptance: Acceptance,
    permit: Permit,
    *,
    maker_signature: bytes,
    taker_signature: bytes,
    book: Book,
) -> bytes:
    """Return the call that settles a quote accepted by permit; anyone may send it."""
    return calldata(
        FILL_WITH_PERMIT,
        quote_values(quote, book),
        maker_signature,
        (
            acceptance.quote_id,
            acceptance.amount,
            account(acceptance.recipient, what="acceptance.recipient"),
        ),
        (permit.nonce, permit.deadline_s, taker_signature),
    )


def _domain(chain_id: int, permit: Permit) -> bytes:
    values = (keccak(text="Permit2"), chain_id, permit.contract)
    return keccak(type_hash(_DOMAIN_TYPE) + encode(("bytes32", "uint256", "address"), values))

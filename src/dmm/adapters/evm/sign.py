"""Keys and signatures: for the signer processes and local DEMO actors, for nobody else."""

from __future__ import annotations

from typing import Protocol

from coincurve import PrivateKey
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_utils.crypto import keccak

from dmm.adapters.evm.batches import statement_digest, statement_of
from dmm.adapters.evm.calls import Call, call_of, signed_trades
from dmm.adapters.evm.codec import Book, acceptance_digest, quote_digest
from dmm.adapters.evm.verify import address_of, check_statement
from dmm.ports import SignedTx, SignRequest
from dmm.rfq.protocol import Acceptance, FirmQuote
from dmm.settlement.intent import Intent, Purpose
from dmm.units.amount import Atoms
from dmm.units.errors import Permanent


class Key:
    """A private key in memory; it prints as its address."""

    def __init__(self, secret: bytes) -> None:
        """Take 32 secret bytes, a valid secp256k1 scalar."""
        self._key = PrivateKey(secret)
        self.address = address_of(self._key.public_key)

    def __repr__(self) -> str:
        return f"Key({self.address})"

    def sign_digest(self, digest: bytes) -> bytes:
        """Return r ‖ s ‖ v (27 or 28), s in the lower half, over 32 bytes."""
        signature = self._key.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes([signature[64] + 27])

    def sign_transaction(self, fields: dict[str, object]) -> bytes:
        """Return the raw bytes of a signed EIP-1559 transaction."""
        unsigned = TypedTransaction.from_dict(fields | {"type": 2})
        signature = self._key.sign_recoverable(unsigned.hash(), hasher=None)
        return signed_bytes(unsigned, signature)


class TransactionKey(Protocol):
    """A key that sends transactions: here in memory, or elsewhere."""

    @property
    def address(self) -> str:
        """Return its address in checksum form."""
        ...

    def sign_transaction(self, fields: dict[str, object]) -> bytes:
        """Return the raw bytes of a signed EIP-1559 transaction."""
        ...


def signed_bytes(unsigned: TypedTransaction, signature: bytes) -> bytes:
    """Return a transaction under its signature r ‖ s ‖ v, 65 bytes, v 0 or 1."""
    signed = unsigned.as_dict() | {
        "v": signature[64],
        "r": int.from_bytes(signature[:32], "big"),
        "s": int.from_bytes(signature[32:64], "big"),
    }
    return bytes(TypedTransaction.from_dict(signed).encode())


def sign_settlement(request: SignRequest, *, key: TransactionKey, book: Book) -> SignedTx:
    """Rebuild the transaction from its intent and sign it; a burn sends nothing to its own sender.

    Raises
    ------
    Permanent
        If the intent cannot be turned into a call, or the fees contradict each other.
    """
    if not 0 <= request.unit_tip <= request.unit_fee_max:
        raise Permanent(f"tip {request.unit_tip} lies above the fee {request.unit_fee_max}")
    burns = request.purpose is Purpose.BURN
    call = Call(to=key.address, data=b"") if burns else call_of(request.intent, book)
    raw = key.sign_transaction(
        {
            "chainId": book.chain_id,
            "nonce": request.slot,
            "maxFeePerGas": request.unit_fee_max,
            "maxPriorityFeePerGas": request.unit_tip,
            "gas": request.gas_max,
            "to": call.to,
            "value": 0,
            "data": call.data,
        }
    )
    return SignedTx(
        tx_id="0x" + keccak(raw).hex(),
        raw=raw,
        signer=key.address,
        fee_atoms_max=Atoms(request.gas_max * request.unit_fee_max),
    )


def sign_quote(quote: FirmQuote, *, key: Key, book: Book) -> bytes:
    """Sign a firm quote as its maker or the maker's delegate."""
    return key.sign_digest(quote_digest(quote, book))


def sign_statement(carrier: Intent, *, key: Key, book: Book) -> bytes:
    """Sign what a batch of quotes comes to, as the key that signed each of them, or took each.

    Raises
    ------
    Permanent
        If a quote in it is not the key's own, or was accepted otherwise than its terms let it.
    """
    check_statement(carrier, party=key.address, book=book)
    trades = signed_trades(carrier)
    statement = statement_of(trades, book, settle_by_s=carrier.deadline_s)
    return key.sign_digest(statement_digest(statement, book))


def sign_acceptance(acceptance: Acceptance, quote: FirmQuote, *, key: Key, book: Book) -> bytes:
    """Sign an acceptance as the quote's taker."""
    return key.sign_digest(acceptance_digest(acceptance, quote, book))

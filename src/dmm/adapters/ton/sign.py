"""Keys and signatures: for the signer processes and local DEMO actors, for nobody else."""

from __future__ import annotations

from nacl.signing import SigningKey
from pytoniq_core import Cell
from pytoniq_core.tlb.account import StateInit

from dmm.adapters.ton import wallet_v5
from dmm.adapters.ton.calls import call_of, relay_of
from dmm.adapters.ton.cells import raw
from dmm.adapters.ton.codec import TAKER_NANOTON, Book, Signed, quote_digest, taker_order
from dmm.adapters.ton.slots import valid_until_s
from dmm.adapters.ton.wallet import (
    TIMEOUT_S,
    Wallet,
    envelope,
    order,
    outgoing,
    query_id_of,
    wallet_state,
)
from dmm.ports import SignedTx, SignRequest
from dmm.rfq.protocol import Acceptance, FirmQuote
from dmm.settlement.intent import IntentKind, Purpose
from dmm.units.amount import Atoms
from dmm.units.errors import Permanent

SECRET_BYTES = 32
MESSAGES = 1
"""Messages of one payment that we pay for: the wallet's own. The rest they pay among themselves."""


class Key:
    """An Ed25519 key in memory; it prints as the address of its wallet, highload v3 by default."""

    wallet = Wallet.HIGHLOAD_V3

    def __init__(self, secret: bytes) -> None:
        """Take 32 secret bytes, the key's seed; `Permanent` for another length."""
        if len(secret) != SECRET_BYTES:
            raise Permanent(f"a key has {SECRET_BYTES} secret bytes, got {len(secret)}")
        self._key = SigningKey(secret)
        self.public_key = bytes(self._key.verify_key)
        self.account, self.init = self._wallet()
        self.address = raw(self.account)

    def _wallet(self) -> tuple[int, StateInit]:
        return wallet_state(self.public_key)

    def __repr__(self) -> str:
        return f"Key({self.address})"

    def sign(self, digest: bytes) -> bytes:
        """Return the signature of 32 bytes, 64 bytes long; the same bytes give the same one."""
        return bytes(self._key.sign(digest).signature)

    def send_on(
        self, message: Cell, *, query_id: int, created_at_s: int, init: StateInit | None = None
    ) -> tuple[str, bytes]:
        """Return (id, bytes) of the message that has this key's wallet send another on."""
        if self.wallet is not Wallet.HIGHLOAD_V3:
            raise Permanent(f"{self.address} is no highload wallet: it takes no query ids")
        signed = order(message=message, query_id=query_id, created_at_s=created_at_s)
        return envelope(
            account=self.account, order=signed, signature=self.sign(signed.hash), init=init
        )

    def carry(self, message: Cell, request: SignRequest) -> tuple[str, bytes]:
        """Return (id, bytes) of what has the wallet send a payment's first message on.

        Raises
        ------
        Permanent
            If it would end before the intent.
        """
        deadline_s = request.intent.deadline_s
        if request.expires < deadline_s:
            raise Permanent(
                f"the message is taken until {request.expires}, before the deadline "
                f"{deadline_s}: it lies more than {TIMEOUT_S} s ahead"
            )
        return self.send_on(
            message,
            query_id=query_id_of(request.slot),
            created_at_s=request.expires - TIMEOUT_S,
        )


class SequencedKey(Key):
    """A key whose wallet is a v5 of one network."""

    wallet = Wallet.V5

    def __init__(self, secret: bytes, *, global_id: int) -> None:
        """Take 32 secret bytes and the network's number, which is part of the address."""
        self.global_id = global_id
        super().__init__(secret)

    def _wallet(self) -> tuple[int, StateInit]:
        return wallet_v5.wallet_state(self.public_key, global_id=self.global_id)

    def send_next(
        self, message: Cell, *, seqno: int, valid_until_s: int, init: StateInit | None = None
    ) -> tuple[str, bytes]:
        """Return (id, bytes) of the message that has this key's wallet send another on."""
        signed = wallet_v5.order(
            message=message, seqno=seqno, valid_until_s=valid_until_s, global_id=self.global_id
        )
        return wallet_v5.envelope(
            account=self.account, order=signed, signature=self.sign(signed.hash), init=init
        )

    def carry(self, message: Cell, request: SignRequest) -> tuple[str, bytes]:
        """Return (id, bytes) under the wallet's number that the slot's anchor names.

        Raises
        ------
        Permanent
            If the anchor is no number.
        """
        if not (request.anchor.isascii() and request.anchor.isdigit()):
            raise Permanent(
                f"wallet v5 needs its next number, got {request.anchor!r}: "
                "set DMM_TON_WALLET of the desk to v5"
            )
        return self.send_next(
            message,
            seqno=int(request.anchor),
            valid_until_s=valid_until_s(
                expires=request.expires, deadline_s=request.intent.deadline_s
            ),
        )


def key_of(secret: bytes, *, wallet: str, chain_id: int) -> Key:
    """Return the key behind the wallet that a signer's policy names.

    Parameters
    ----------
    wallet : a `Wallet`; empty for highload v3
    chain_id : the network's number, as the policy has it

    Raises
    ------
    Permanent
        If there is no such wallet.
    """
    match wallet:
        case "" | Wallet.HIGHLOAD_V3:
            return Key(secret)
        case Wallet.V5:
            return SequencedKey(secret, global_id=chain_id)
        case _:
            raise Permanent(f"wallet must be one of {', '.join(Wallet)}, got {wallet!r}")


def sign_settlement(request: SignRequest, *, key: Key, book: Book) -> SignedTx:
    """Rebuild what settles an intent and sign it.

    A payment of the treasury is a message of our own wallet, with `unit_fee_max` nanoton beside it;
    what of them is not used comes back. An accepted quote is settled by its taker's own order,
    which is only handed in: its fees are the taker's.

    Raises
    ------
    Permanent
        If the intent cannot be turned into a message, or the message would end before the intent.
    """
    if request.purpose is Purpose.BURN:
        raise Permanent("slots on TON expire by themselves and are never burnt")
    if request.gas_max < MESSAGES:
        raise Permanent(f"a payment takes {MESSAGES} message, {request.gas_max} are allowed")
    if request.intent.kind is IntentKind.QUOTE:
        if request.unit_fee_max < TAKER_NANOTON:
            raise Permanent(f"a taker attaches {TAKER_NANOTON} nanoton, above the cap")
        tx_id, content = relay_of(request.intent, book)
        return SignedTx(tx_id=tx_id, raw=content, signer=key.address, fee_atoms_max=Atoms(0))
    call = call_of(request.intent, book)
    message = outgoing(to=call.to, nanoton=request.unit_fee_max, body=call.body)
    tx_id, content = key.carry(message, request)
    return SignedTx(
        tx_id=tx_id,
        raw=content,
        signer=key.address,
        fee_atoms_max=Atoms(MESSAGES * request.unit_fee_max),
    )


def sign_quote(quote: FirmQuote, *, key: Key, book: Book) -> bytes:
    """Sign a firm quote with the key of its maker's vault."""
    return key.sign(quote_digest(quote, book))


def sign_acceptance(
    acceptance: Acceptance,
    quote: FirmQuote,
    *,
    key: Key,
    book: Book,
    maker_signature: bytes,
    query_id: int,
) -> bytes:
    """Sign an acceptance as the quote's taker: the order by which its own wallet pays.

    Parameters
    ----------
    maker_signature : of the quote; the vault sees it with the taker's jettons
    query_id : one that the taker's wallet has not used within twice its timeout
    """
    signed = taker_order(
        acceptance, quote, maker_signature=maker_signature, query_id=query_id, book=book
    )
    return Signed(
        public_key=key.public_key,
        query_id=query_id,
        maker_signature=maker_signature,
        signature=key.sign(signed.hash),
    ).to_bytes()

"""Transactions as the log reads them: who sent what, whether it went through, what it sent on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pytoniq_core import Address, Cell, Slice

from dmm.adapters.ton.cells import OP_FILL, QUOTE_TAG

BOUNCED = 0xFFFFFFFF
"""What the body of a bounced message begins with, before as much of the original as fits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A message's body: op-code and query id, −1 where there is none, and what follows."""

    op: int
    query_id: int
    rest: Slice

    @classmethod
    def of(cls, cell: Cell) -> Body:
        """Read a body; one of a bounced message reads as the original that came back."""
        rest = cell.begin_parse()
        op = rest.load_uint(32) if rest.remaining_bits >= 32 else -1
        if op == BOUNCED and rest.remaining_bits >= 32:
            op = rest.load_uint(32)
        query_id = rest.load_uint(64) if rest.remaining_bits >= 64 else -1
        return cls(op=op, query_id=query_id, rest=rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A message that a transaction sent on; `to` is −1 for an event to nobody."""

    to: int
    body: Cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Tx:
    """One transaction of an account.

    `height` is the masterchain block that holds it. `source` is −1 when it came from outside, and
    `body_hash` is what names such a message. `is_ok`: compute and action phase went through.
    """

    account: str
    lt: int
    tx_hash: str
    now_s: int
    height: int
    source: int
    is_bounced: bool
    is_ok: bool
    body: Cell
    sent: tuple[Sent, ...]

    @property
    def body_hash(self) -> str:
        """Return the hash of the body of what came in."""
        return str(self.body.hash.hex())

    def read(self) -> Body:
        """Return what came in."""
        return Body.of(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notified:
    """TEP-74's `transfer_notification`, or an `internal_transfer` to a wallet of ours."""

    amount: int
    sender: int
    payload: Slice | None

    def payload_op(self) -> int:
        """Return the payload's op-code, −1 without one."""
        if self.payload is None or self.payload.remaining_bits < 32:
            return -1
        return int(self.payload.preload_uint(32))


@dataclass(frozen=True, slots=True, kw_only=True)
class FillMessage:
    """A fill of a quote as it reached a vault; `words` are those a net statement uses up."""

    amount: int
    recipient: int
    taker: int
    nonce: int
    quote_id: int
    maker_asset: int
    taker_asset: int
    maker_amount: int
    taker_amount: int
    fee_bps: int
    words: tuple[tuple[int, int], ...]

    @property
    def gross(self) -> int:
        """Return what the maker gives, fee included."""
        if self.amount == self.taker_amount:
            return self.maker_amount
        return self.maker_amount * self.amount // self.taker_amount


def transaction_of(found: Any, *, account: str, height: int) -> Tx:
    """Return a client's transaction in our terms."""
    message = found.in_msg
    compute = getattr(found.description, "compute_ph", None)
    is_ok = not getattr(found.description, "aborted", True)
    is_internal = message is not None and message.is_internal
    sent = tuple(
        Sent(to=account_of(out.info.dest) if out.is_internal else -1, body=out.body)
        for out in found.out_msgs
    )
    return Tx(
        account=account,
        lt=int(found.lt),
        tx_hash=found.cell.hash.hex(),
        now_s=int(found.now),
        height=height,
        source=account_of(message.info.src) if is_internal else -1,
        is_bounced=bool(message.info.bounced) if is_internal else False,
        is_ok=is_ok and compute is not None,
        body=message.body if message is not None else Cell.empty(),
        sent=sent,
    )


def account_of(address: Address | None) -> int:
    """Return an account of the basechain, −1 for any other or none."""
    if address is None or not isinstance(address, Address) or address.wc != 0:
        return -1
    return int.from_bytes(address.hash_part, "big")


def notified(rest: Slice) -> Notified:
    """Read `transfer_notification` after its query id."""
    amount, sender = int(rest.load_coins() or 0), account_of(rest.load_address())
    return Notified(amount=amount, sender=sender, payload=_payload(rest))


def internal_transfer(rest: Slice) -> Notified:
    """Read `internal_transfer` after its query id: response and forwarded TON come between."""
    amount, sender = int(rest.load_coins() or 0), account_of(rest.load_address())
    rest.load_address()
    rest.load_coins()
    return Notified(amount=amount, sender=sender, payload=_payload(rest))


def _payload(rest: Slice) -> Slice | None:
    if rest.remaining_bits < 1:
        return None
    if rest.load_bit():
        return rest.load_ref().begin_parse() if rest.remaining_refs else None
    return rest


def fill_of(content: Slice) -> FillMessage | None:
    """Read a fill with its quote; None when it is none, or is not whole.

    Anybody may send the vault a coin with such a payload: the vault hands it back and goes on, and
    so must whoever reads its log.
    """
    rest = content.copy()
    if rest.remaining_bits < 96 or rest.load_uint(32) != OP_FILL:
        return None
    try:
        return _fill(rest)
    except Exception:  # noqa: BLE001 - the library names no fault for what a stranger can write
        return None


def _fill(rest: Slice) -> FillMessage | None:
    rest.load_uint(64)
    amount, _least = int(rest.load_coins() or 0), rest.load_coins()
    recipient = account_of(rest.load_address())
    rest.load_coins()
    rest.load_maybe_ref()
    signed = rest.load_ref().begin_parse()
    quote = signed.load_ref().begin_parse()
    if quote.load_uint(32) != QUOTE_TAG:
        return None
    quote.load_int(32)
    quote.load_uint(256)
    taker = int(quote.load_uint(256))
    quote.load_uint(64)
    nonce, quote_id = int(quote.load_uint(32)), int(quote.load_uint(256))
    terms = quote.load_ref().begin_parse()
    fee, burns = quote.load_maybe_ref(), quote.load_maybe_ref()
    return FillMessage(
        amount=amount,
        recipient=recipient,
        taker=taker,
        nonce=nonce,
        quote_id=quote_id,
        maker_asset=int(terms.load_uint(256)),
        taker_asset=int(terms.load_uint(256)),
        maker_amount=int(terms.load_coins() or 0),
        taker_amount=int(terms.load_coins() or 0),
        fee_bps=int(fee.begin_parse().load_uint(16)) if fee is not None else 0,
        words=_words(burns),
    )


def _words(burns: Cell | None) -> tuple[tuple[int, int], ...]:
    found: list[tuple[int, int]] = []
    while burns is not None:
        rest = burns.begin_parse()
        while rest.remaining_bits >= 272:
            found.append((int(rest.load_uint(16)), int(rest.load_uint(256))))
        burns = rest.load_ref() if rest.remaining_refs else None
    return tuple(found)

"""Orders of governance as the log contract of TON wrote them, at home or as a mirror."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pytoniq_core import Cell

from dmm.adapters.ton.cells import OP_ORDER_EXECUTED
from dmm.adapters.ton.messages import Tx
from dmm.ports import ExecutedOrder
from dmm.units.errors import InvariantBroken
from dmm.units.ids import Hash32

WORD = 32
BODY_CELLS_MAX = 64
ORDERS_PER_CALL_MAX = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The network and contract whose orders these are: both are part of each order's hash."""

    network: int
    contract: int


def order_head(
    *, home: Home, sequence: int, family: bytes, previous_head: bytes, body: bytes, expiry_s: int
) -> Hash32:
    """Return the head that an order makes: byte for byte the one of EVM's log.

    Parameters
    ----------
    family : 32 bytes, ASCII padded with zeros
    """
    static = b"".join(
        value.to_bytes(WORD, "big", signed=value < 0)
        for value in (home.network, home.contract, sequence)
    )
    # Six words come before the body's own: its offset, then its length.
    tail = b"".join(v.to_bytes(WORD, "big") for v in (expiry_s, 6 * WORD, len(body)))
    padded = body + bytes(-len(body) % WORD)
    link = hashlib.sha256(static + family + tail + padded).digest()
    return Hash32(hashlib.sha256(previous_head + link).digest())


def orders_of(
    txs: Iterable[Tx], *, home: Home, chain: str, contract: str, from_sequence: int
) -> list[ExecutedOrder]:
    """Return executed orders in sequence, at most 256.

    Raises
    ------
    InvariantBroken
        If an order's head does not follow from its content, or orders do not follow one another.
    """
    found = [
        _order(sent.body, tx, home=home, chain=chain, contract=contract)
        for tx in txs
        if tx.is_ok
        for sent in tx.sent
        if sent.to < 0 and _op(sent.body) == OP_ORDER_EXECUTED
    ]
    _require_chain(found)
    return [order for order in found if order.sequence >= from_sequence][:ORDERS_PER_CALL_MAX]


def _require_chain(found: Sequence[ExecutedOrder]) -> None:
    for before, order in pairwise(found):
        if order.previous_head != before.head or order.sequence != before.sequence + 1:
            raise InvariantBroken(
                f"order {order.sequence} of {order.contract} breaks the hash chain"
            )


def _op(body: Cell) -> int:
    rest = body.begin_parse()
    return int(rest.load_uint(32)) if rest.remaining_bits >= 32 else -1


def _order(event: Cell, tx: Tx, *, home: Home, chain: str, contract: str) -> ExecutedOrder:
    rest = event.begin_parse()
    rest.load_uint(32)
    sequence, family = int(rest.load_uint(64)), rest.load_bytes(32)
    head, previous = rest.load_bytes(32), rest.load_bytes(32)
    order = rest.load_ref().begin_parse()
    expiry_s, body = int(order.load_uint(64)), _bytes(order.load_ref())
    wanted = order_head(
        home=home,
        sequence=sequence,
        family=family,
        previous_head=previous,
        body=body,
        expiry_s=expiry_s,
    )
    if wanted != head:
        raise InvariantBroken(f"order {sequence} of {contract} breaks the hash chain")
    return ExecutedOrder(
        chain=chain,
        contract=contract,
        sequence=sequence,
        # A family nobody knows must not hide the orders after it.
        family=family.rstrip(b"\0").decode("ascii", errors="replace"),
        previous_head=Hash32(previous),
        head=Hash32(head),
        body=body,
        expiry_s=expiry_s,
        height=tx.height,
        tx_id=tx.tx_hash,
    )


def _bytes(cell: Cell) -> bytes:
    """Return the bytes of a chain of cells."""
    content, left = b"", BODY_CELLS_MAX
    rest = cell.begin_parse()
    while left:
        left -= 1
        content += bytes(rest.load_bytes(rest.remaining_bits // 8))
        if not rest.remaining_refs:
            return content
        rest = rest.load_ref().begin_parse()
    raise InvariantBroken(f"an order's body lies in more than {BODY_CELLS_MAX} cells")

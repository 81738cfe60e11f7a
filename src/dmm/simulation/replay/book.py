"""The book of a tape and what was known of the market after each message; compiled once a tape."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from numba import njit

from dmm.market.tape_columns import MessageKind
from dmm.simulation.replay.layout import (
    Longs,
)

UPDATE, SNAPSHOT, QUOTE = int(MessageKind.UPDATE), int(MessageKind.SNAPSHOT), int(MessageKind.QUOTE)

BEST_BID, BEST_BID_SIZE, BEST_ASK, BEST_ASK_SIZE, BEST_COLUMNS = range(5)
"""Columns of best quotes: prices in ticks, 0 for none; sizes in lots."""


def _book_bests(  # noqa: C901 — one pass over a tape reads best in one piece
    kind: Longs, starts: Longs, level: Longs, size: Longs, prices: Longs, bests: Longs
) -> None:
    """Fill the book's best bid and ask after each depth message; other rows are left alone.

    Numbers of prices rise with the price, so the next best level is found by walking.
    """
    numbers = prices.size
    displayed = np.zeros(2 * numbers, dtype=np.int64)
    bid, ask = -1, numbers
    for message in range(kind.size):
        if kind[message] > SNAPSHOT:
            continue
        if kind[message] == SNAPSHOT:
            displayed[:] = 0
            bid, ask = -1, numbers
        for row in range(starts[message], starts[message + 1]):
            at = level[row]
            displayed[at] = size[row]
            number = at >> 1
            if at & 1:
                if size[row] > 0 and number < ask:
                    ask = number
            elif size[row] > 0 and number > bid:
                bid = number
        while bid >= 0 and displayed[2 * bid] == 0:
            bid -= 1
        while ask < numbers and displayed[2 * ask + 1] == 0:
            ask += 1
        if bid >= 0:
            bests[message, BEST_BID] = prices[bid]
            bests[message, BEST_BID_SIZE] = displayed[2 * bid]
        if ask < numbers:
            bests[message, BEST_ASK] = prices[ask]
            bests[message, BEST_ASK_SIZE] = displayed[2 * ask + 1]


def _view(order: Longs, kind: Longs, stamps_ns: Longs, bests: Longs, seen: Longs) -> None:
    """Fill what was known after each message, in an order: the freshest of quotes and book.

    As `dmm.market.view.MarketView` has it; `bests` has a quote message's own best bid and ask.
    """
    quoted_at_ns = 0
    last = np.zeros(BEST_COLUMNS, dtype=np.int64)
    for place in range(order.size):
        message = order[place]
        if kind[message] <= QUOTE and stamps_ns[message] >= quoted_at_ns:
            quoted_at_ns = stamps_ns[message]
            is_whole = bests[message, BEST_BID] > 0 and bests[message, BEST_ASK] > 0
            for column in range(BEST_COLUMNS):
                last[column] = bests[message, column] if is_whole else 0
        for column in range(BEST_COLUMNS):
            seen[place, column] = last[column]


_LONGS, _TABLE = "int64[::1]", "int64[:, ::1]"


@functools.cache
def book_pass() -> Callable[[Longs, Longs, Longs, Longs, Longs, Longs], None]:
    """Return `_book_bests`, compiled."""
    signature = f"void({', '.join([_LONGS] * 5)}, {_TABLE})"
    ready: Callable[[Longs, Longs, Longs, Longs, Longs, Longs], None] = njit(signature, cache=True)(
        _book_bests
    )
    return ready


@functools.cache
def view_pass() -> Callable[[Longs, Longs, Longs, Longs, Longs], None]:
    """Return `_view`, compiled."""
    signature = f"void({', '.join([_LONGS] * 3)}, {_TABLE}, {_TABLE})"
    ready: Callable[[Longs, Longs, Longs, Longs, Longs], None] = njit(signature, cache=True)(_view)
    return ready

"""Recorded tapes under stress: a thinner book, a gap, crossed prices, an outage, more volatility.

Every scenario is a tape again, so that the same engine plays it. A scenario changes what it names
and leaves the rest as recorded: the market does not react to it, which real ones do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dmm.market.book import Book
from dmm.market.tape import BestQuote, DepthUpdate, FeedEvent
from dmm.market.tape_columns import MessageKind, TapeColumns, columns_of, joined
from dmm.units.amount import Ticks
from dmm.units.errors import UsageFault
from dmm.units.time import Nanos

FACTOR_MAX = 10_000
"""Largest factor of a scenario."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A part of a tape by the recorder's clock: from, and up to but not at."""

    from_ns: int
    until_ns: int

    def __post_init__(self) -> None:
        if self.until_ns <= self.from_ns:
            raise UsageFault(f"a window must last, got {self.from_ns} to {self.until_ns} ns")

    @classmethod
    def middle(cls, columns: TapeColumns, *, length_ns: int) -> Window:
        """Return the window in the middle of a tape.

        Raises
        ------
        UsageFault
            If the tape is no longer than the window.
        """
        first, last = int(columns.received_at_ns[0]), int(columns.received_at_ns[-1])
        if last - first <= length_ns:
            raise UsageFault(f"a tape of {last - first} ns has no window of {length_ns} ns")
        from_ns = first + (last - first - length_ns) // 2
        return cls(from_ns=from_ns, until_ns=from_ns + length_ns)


def thinned(columns: TapeColumns, *, factor: int) -> TapeColumns:
    """Return a tape whose displayed sizes are so much smaller, a lot at least; trades stay.

    Parameters
    ----------
    factor : 1 to `FACTOR_MAX`
    """
    _require_factor(factor)
    on_book = np.repeat(columns.kind != MessageKind.TRADE, np.diff(columns.starts))
    sizes = columns.size_lots
    thin = np.where(sizes > 0, np.maximum(1, sizes // factor), 0)
    return replace(columns, size_lots=np.where(on_book, thin, sizes))


def hurried(columns: TapeColumns, *, factor: int) -> TapeColumns:
    """Return a tape that runs `factor`² times as fast: σ over a second is `factor` times as large.

    Everything else that is counted by the second grows by the square: trades, updates, depth taken.

    Parameters
    ----------
    factor : 1 to 100
    """
    _require_factor(factor * factor)
    first_ns = int(columns.received_at_ns[0])
    pace = factor * factor
    received_ns = first_ns + (columns.received_at_ns - first_ns) // pace
    # The feed is as late as it was: only what happens is faster.
    delay_ns = columns.received_at_ns - columns.exchange_at_ns
    return replace(columns, received_at_ns=received_ns, exchange_at_ns=received_ns - delay_ns)


def delayed(columns: TapeColumns, *, window: Window) -> TapeColumns:
    """Return a tape of which nothing is heard within a window until its end: a feed outage.

    At the venue everything happens when it happened.
    """
    silent = (columns.received_at_ns >= window.from_ns) & (columns.received_at_ns < window.until_ns)
    return replace(
        columns, received_at_ns=np.where(silent, window.until_ns, columns.received_at_ns)
    )


def gapped(columns: TapeColumns, *, at_ns: int, shift_ticks: int) -> TapeColumns:
    """Return a tape whose prices jump by so much at an instant, the whole book at once.

    Parameters
    ----------
    at_ns : by the recorder's clock, within the tape
    shift_ticks : up if positive

    Raises
    ------
    UsageFault
        If the instant is outside the tape, the book has an empty side by then, or a price falls to
        0 or below.
    """
    cut = int(np.searchsorted(columns.received_at_ns, at_ns))
    if not 0 < cut < columns.messages:
        raise UsageFault(f"{at_ns} ns is not within the tape: its prices cannot jump there")
    before, after = columns.piece(0, cut), columns.piece(cut, columns.messages)
    book = _book_after(before)
    bids, asks = book.top(FACTOR_MAX)
    if not bids or not asks:
        raise UsageFault("the book has an empty side where prices should jump: choose a later time")
    jump = DepthUpdate(
        exchange_at_ns=Nanos(int(after.exchange_at_ns[0])),
        received_at_ns=Nanos(int(after.received_at_ns[0])),
        first_id=int(before.last_id[-1]),
        last_id=int(before.last_id[-1]),
        is_snapshot=True,
        bids=tuple((Ticks(price + shift_ticks), size) for price, size in bids),
        asks=tuple((Ticks(price + shift_ticks), size) for price, size in asks),
    )
    moved = replace(after, price_ticks=after.price_ticks + shift_ticks)
    lowest = min(int(moved.price_ticks.min()), bids[-1][0] + shift_ticks)
    if lowest <= 0:
        raise UsageFault(f"a jump by {shift_ticks} ticks takes a price to {lowest}: jump by less")
    return joined([before, columns_of([jump]), moved])


def crossed(columns: TapeColumns, *, window: Window, by_ticks: int) -> TapeColumns:
    """Return a tape whose best quotes within a window have the bid above the ask.

    As when two venues disagree, or one of two feeds lags: the book itself is as recorded. Where a
    tape has no best quotes each depth message in the window is followed by one.

    Parameters
    ----------
    by_ticks : by which the bid lies above the ask, > 0
    """
    if by_ticks <= 0:
        raise UsageFault(f"prices cross by one tick or more, got {by_ticks}")
    inside = (columns.received_at_ns >= window.from_ns) & (columns.received_at_ns < window.until_ns)
    if not inside.any():
        raise UsageFault("no message lies in the window: choose another")
    first, last = (int(at) for at in np.flatnonzero(inside)[[0, -1]])
    before = columns.piece(0, first)
    book = _book_after(before)
    events: list[FeedEvent] = []
    for event in columns.piece(first, last + 1).events():
        if isinstance(event, BestQuote):
            events.append(replace(event, bid=Ticks(event.ask + by_ticks)))
            continue
        events.append(event)
        if isinstance(event, DepthUpdate):
            book.apply(event)
            events += _crossed_quote(event, book, by_ticks)
    after = columns.piece(last + 1, columns.messages)
    return joined([before, columns_of(events), after])


def _crossed_quote(after: DepthUpdate, book: Book, by_ticks: int) -> list[FeedEvent]:
    """Return the best quote of a crossed feed after a depth message; none of an empty side."""
    bid, ask = book.best_bid, book.best_ask
    if bid is None or ask is None:
        return []
    return [
        BestQuote(
            exchange_at_ns=after.exchange_at_ns,
            received_at_ns=after.received_at_ns,
            bid=Ticks(ask[0] + by_ticks),
            bid_size=bid[1],
            ask=ask[0],
            ask_size=ask[1],
        )
    ]


def _book_after(columns: TapeColumns) -> Book:
    book = Book()
    for event in columns.events():
        if isinstance(event, DepthUpdate):
            book.apply(event)
    return book


def _require_factor(factor: int) -> None:
    if not 1 <= factor <= FACTOR_MAX:
        raise UsageFault(f"a factor must be 1 to {FACTOR_MAX}, got {factor}")

"""From tapes to what the engine plays: prices numbered, clocks put in order, the market's views.

Two clocks: an event takes place at the venue when the venue stamped it, and reaches the desk a feed
latency later. Within a stream (depth, trades, quotes) a venue's stamps never run back: one that
does counts as the stamp before it. With ``clock="received"`` there is one clock, the recorder's, as
the paper venue has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dmm.market.instrument import Instrument
from dmm.market.tape_columns import BID, MessageKind, TapeColumns
from dmm.simulation.replay.book import BEST_BID, BEST_COLUMNS, book_pass, view_pass
from dmm.simulation.replay.latency import INSTANT, FeedFromTape, Latency
from dmm.simulation.replay.layout import (
    BUY_TRADE,
    M_AT,
    M_COLUMNS,
    M_KIND,
    M_LATER_1S,
    M_LEVEL,
    M_MID,
    M_SIZE,
    M_STAMP,
    M_VENUE,
    SELL_TRADE,
    VENUES_MAX,
    Ints,
    Longs,
)
from dmm.simulation.replay.prices import levels_of, numbered
from dmm.simulation.replay.shown import shown_by_level
from dmm.units.errors import UsageFault
from dmm.units.time import NS_PER_S

HORIZONS_NS = (NS_PER_S, 5 * NS_PER_S, 30 * NS_PER_S)
"""Markouts look this far ahead."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VenueTape:
    """A venue as recorded: its tape, its instrument, and how its feed reaches the desk."""

    columns: TapeColumns
    instrument: Instrument
    feed: FeedFromTape | Latency = INSTANT


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VenueViews:
    """One venue's messages in the two orders, and what was known after each.

    `at_ns` and `seen` (best bid, its size, best ask, its size) as the venue goes, `local_ns` and
    `heard` as the desk hears it; `heard_message` are the tape's message numbers in that order;
    `played` counts how many of the messages up to one the engine plays (quotes only show);
    `book_mid` is the book's own mid after each message of the tape, 0 for none.
    """

    instrument: Instrument
    at_ns: Longs
    seen: Longs
    mid: Longs
    local_ns: Longs
    heard: Longs
    heard_message: Longs
    played: Longs
    book_mid: Longs


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PreparedTape:
    """What the engine plays; one for any number of replays."""

    messages: Longs
    shown: Longs
    """What each level displays (columns `SHOWN_…`), level by level."""
    levels: Longs
    """Every level before the first message (columns `L_…`)."""
    prices: Longs
    rank: Ints
    ranges: tuple[tuple[int, int, int, int, int], ...]
    """Per venue: first and last number of prices; begin, end and lowest price of the look-up."""
    views: tuple[VenueViews, ...]
    tapes: tuple[VenueTape, ...]
    one_clock: bool
    book_rows: int
    """Rows of depth and trades: the events of the tape."""
    size_max: int
    """The largest size in the tapes, lots."""

    @property
    def venues(self) -> int:
        """Return the number of venues."""
        return len(self.views)


def prepare(tapes: Sequence[VenueTape], *, clock: str = "both") -> PreparedTape:
    """Return tapes ready to be replayed together.

    Parameters
    ----------
    tapes : the venue quoted on first; up to four
    clock : ``both`` clocks of the tapes, or ``received`` for the recorder's alone

    Raises
    ------
    UsageFault
        If there are none or too many tapes, an empty one, or no such clock.
    """
    if not 0 < len(tapes) <= VENUES_MAX:
        raise UsageFault(f"a replay takes 1 to {VENUES_MAX} tapes, got {len(tapes)}")
    if clock not in {"both", "received"}:
        raise UsageFault(f"no clock {clock!r}: choose both or received")
    for tape in tapes:
        if not tape.columns.messages:
            raise UsageFault(f"the tape of {tape.instrument.symbol} is empty: nothing to replay")
    one_clock = clock == "received"
    parts = [_part(tape, venue, one_clock=one_clock) for venue, tape in enumerate(tapes)]
    messages, levels, spans, prices, ranks, ranges = [], [], [], [], [], []
    row_base = number_base = rank_base = 0
    for part in parts:
        span = 2 * number_base, 2 * (number_base + len(part.prices))
        part.messages[:, M_LEVEL] += span[0]
        part.row_ranges[:] += row_base
        messages.append(part.messages)
        levels.append(part.levels + span[0])
        spans.append(np.full((len(part.messages), 2), span, dtype=np.int64))
        prices.append(part.prices)
        ranks.append(part.rank + np.int32(number_base))
        looked_up = rank_base, rank_base + len(part.rank), part.rank_from
        ranges.append((number_base, number_base + len(part.prices), *looked_up))
        row_base += len(part.levels)
        number_base += len(part.prices)
        rank_base += len(part.rank)
    played = np.concatenate(messages)
    where = np.concatenate([part.row_ranges for part in parts])
    span_of = np.concatenate(spans)
    if len(parts) > 1:
        order = np.argsort(played[:, M_AT], kind="stable")
        played, where, span_of = played[order], where[order], span_of[order]
    shown, levels_before = shown_by_level(
        np.ascontiguousarray(played[:, M_KIND]),
        np.ascontiguousarray(span_of),
        np.ascontiguousarray(where[:, 0]),
        np.ascontiguousarray(where[:, 1]),
        np.concatenate(levels),
        np.concatenate([tape.columns.size_lots for tape in tapes]),
        2 * number_base,
    )
    return PreparedTape(
        messages=np.ascontiguousarray(played),
        shown=shown,
        levels=levels_before,
        prices=np.concatenate(prices),
        rank=np.concatenate(ranks),
        ranges=tuple(ranges),
        views=tuple(part.views for part in parts),
        tapes=tuple(tapes),
        one_clock=one_clock,
        book_rows=row_base,
        size_max=max(int(tape.columns.size_lots.max(initial=0)) for tape in tapes),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Part:
    messages: Longs
    row_ranges: Longs
    levels: Longs
    prices: Longs
    rank: Ints
    rank_from: int
    views: VenueViews


def _part(tape: VenueTape, venue: int, *, one_clock: bool) -> _Part:
    columns = tape.columns
    kind = columns.kind.astype(np.int64)
    is_quote = kind == MessageKind.QUOTE
    on_book = ~np.repeat(is_quote, np.diff(columns.starts))
    prices, rank, rank_from = numbered(columns.price_ticks[on_book])
    at_ns = columns.received_at_ns if one_clock else _venue_times(columns, kind)
    order = np.argsort(at_ns, kind="stable")
    level = levels_of(columns, prices, rank, rank_from, on_book)
    bests = _bests(columns, kind, level, prices)
    seen = _seen(order, kind, columns, bests)
    mid = _mids(seen)
    at_ns = np.ascontiguousarray(at_ns[order])
    local_ns, heard_order = _local(tape, at_ns, order, one_clock=one_clock)
    same = one_clock or heard_order is order
    is_played = ~is_quote[order]
    played = order[is_played]
    return _Part(
        messages=_messages(columns, kind, level, played, venue, at_ns, mid, is_played),
        row_ranges=np.stack((columns.starts[played], columns.starts[played + 1]), axis=1),
        levels=level,
        prices=prices,
        rank=rank,
        rank_from=rank_from,
        views=VenueViews(
            instrument=tape.instrument,
            at_ns=at_ns,
            seen=seen,
            mid=mid,
            local_ns=local_ns,
            heard=seen if same else _seen(heard_order, kind, columns, bests),
            heard_message=heard_order,
            played=np.cumsum(is_played),
            book_mid=np.where(kind <= MessageKind.SNAPSHOT, _own_mids(bests), 0),
        ),
    )


def _venue_times(columns: TapeColumns, kind: Longs) -> Longs:
    """Return the venue's stamps, none before an earlier one of its stream."""
    at_ns = columns.exchange_at_ns.copy()
    streams = (kind <= MessageKind.SNAPSHOT, kind == MessageKind.QUOTE, kind == MessageKind.TRADE)
    for stream in streams:
        at_ns[stream] = np.maximum.accumulate(at_ns[stream])
    return at_ns


def _bests(columns: TapeColumns, kind: Longs, level: Longs, prices: Longs) -> Longs:
    bests = np.zeros((columns.messages, BEST_COLUMNS), dtype=np.int64)
    quotes = np.flatnonzero(kind == MessageKind.QUOTE)
    first = columns.starts[quotes]
    for column, (values, row) in enumerate(
        (values, row)
        for row in (first, first + 1)
        for values in (columns.price_ticks, columns.size_lots)
    ):
        bests[quotes, BEST_BID + column] = values[row]
    book_pass()(kind, columns.starts, level, columns.size_lots, prices[:-1], bests)
    return bests


def _seen(order: Longs, kind: Longs, columns: TapeColumns, bests: Longs) -> Longs:
    seen = np.empty((len(order), BEST_COLUMNS), dtype=np.int64)
    view_pass()(order, kind, columns.exchange_at_ns, bests, seen)
    return seen


def _mids(seen: Longs) -> Longs:
    """Return the mid in half ticks after each message, the last one known while there is none."""
    bid, ask = seen[:, 0], seen[:, 2]
    has_mid = (bid > 0) & (bid < ask)
    last = np.maximum.accumulate(np.where(has_mid, np.arange(len(bid)), -1))
    return np.where(last >= 0, (bid + ask)[last], 0)


def _own_mids(bests: Longs) -> Longs:
    bid, ask = bests[:, 0], bests[:, 2]
    return np.where((bid > 0) & (bid < ask), bid + ask, 0)


def _local(tape: VenueTape, at_ns: Longs, order: Longs, *, one_clock: bool) -> tuple[Longs, Longs]:
    """Return when the desk hears each message, and the order in which it does."""
    if one_clock:
        return at_ns, order
    if isinstance(tape.feed, Latency):
        return tape.feed.arrivals(at_ns), order
    heard_ns = tape.columns.received_at_ns + tape.feed.shift_ns
    # No latency below zero: the desk never hears what has not happened.
    happened_ns = np.empty_like(at_ns)
    happened_ns[order] = at_ns
    heard_ns = np.maximum.accumulate(np.maximum(heard_ns, happened_ns))
    return heard_ns, np.arange(len(order))


def _messages(
    columns: TapeColumns,
    kind: Longs,
    level: Longs,
    order: Longs,
    venue: int,
    at_ns: Longs,
    mid: Longs,
    is_played: np.ndarray,
) -> Longs:
    table = np.zeros((len(order), M_COLUMNS), dtype=np.int64)
    row = np.minimum(columns.starts[order], max(0, columns.rows - 1))
    is_trade = kind[order] == MessageKind.TRADE
    table[is_trade, M_LEVEL] = level[row[is_trade]]
    table[is_trade, M_SIZE] = columns.size_lots[row[is_trade]]
    bought = columns.side[row] == BID
    trades = np.where(bought, BUY_TRADE, SELL_TRADE)
    table[:, M_KIND] = np.where(is_trade, trades, kind[order])
    table[:, M_VENUE] = venue
    table[:, M_AT] = at_ns[is_played]
    table[:, M_STAMP] = columns.exchange_at_ns[order]
    table[:, M_MID] = mid[is_played]
    for number, horizon_ns in enumerate(HORIZONS_NS):
        later = np.searchsorted(at_ns, table[:, M_AT] + horizon_ns, side="right") - 1
        table[:, M_LATER_1S + number] = mid[later]
    return table

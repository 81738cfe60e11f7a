"""What a feed delivers: depth updates, best quotes and trade prints, in integers.

Every event carries two clocks: `exchange_at_ns`, stamped by the venue, and `received_at_ns`,
stamped by whoever recorded it. They may differ by more than the latency: recorders' clocks are off.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from dmm.units.amount import Lots, Ticks
from dmm.units.fast_init import fast_init
from dmm.units.time import Nanos

Level: TypeAlias = tuple[Ticks, Lots]
"""A price level: price in ticks, displayed size in lots; size 0 deletes the level."""


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class DepthUpdate:
    """A change of the book, or the whole book when `is_snapshot`.

    `first_id` and `last_id` are the venue's sequence numbers that the update covers.
    """

    exchange_at_ns: Nanos
    received_at_ns: Nanos
    first_id: int
    last_id: int
    is_snapshot: bool
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class BestQuote:
    """The venue's own best bid and ask; sizes in lots."""

    exchange_at_ns: Nanos
    received_at_ns: Nanos
    bid: Ticks
    bid_size: Lots
    ask: Ticks
    ask_size: Lots


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class TradePrint:
    """A public trade; the aggressor took liquidity."""

    exchange_at_ns: Nanos
    received_at_ns: Nanos
    price: Ticks
    size: Lots
    buyer_is_aggressor: bool
    trade_id: int


WARNINGS_MAX = 20
"""How many findings a report keeps in words; all of them are counted."""

FeedEvent: TypeAlias = DepthUpdate | BestQuote | TradePrint

FLAWS = (
    "gaps",
    "truncated_lines",
    "clock_regressions",
    "crossed_books",
    "out_of_order",
    "zero_sizes",
    "absurd_prices",
)
"""Counters of what makes a tape refused unless gaps are allowed; fields of `TapeReport`."""

NOTES = ("duplicates", "silences", "snapshots_skipped", "one_level_books", "other_messages")
"""Counters of what is worth knowing and costs the tape nothing; fields of `TapeReport`."""


@dataclass(slots=True, kw_only=True)
class TapeReport:
    """What reading a tape counted and found; filled while the tape is read.

    `messages` counts lines (elements of a JSON array) of any kind. `depth_updates` counts the book
    states delivered: snapshots, each with the buffered updates folded into it, and live updates.
    """

    messages: int = 0
    depth_updates: int = 0
    best_quotes: int = 0
    trades: int = 0
    snapshots: int = 0
    folded_into_snapshot: int = 0
    """Updates recorded before a snapshot that it did not hold yet; delivered as part of it."""
    skipped_before_snapshot: int = 0
    """Updates that the snapshot held already."""
    snapshots_skipped: int = 0
    """Snapshots that came while the book was in sequence, so that nothing was to be repaired."""
    other_messages: int = 0
    """Messages of other streams, and trades that are no market trades (liquidation funds)."""
    gaps: int = 0
    truncated_lines: int = 0
    clock_regressions: int = 0
    crossed_books: int = 0
    out_of_order: int = 0
    """Depth updates older than the book they came to; left out."""
    zero_sizes: int = 0
    """Trades and best quotes of no size; left out."""
    absurd_prices: int = 0
    """Trades and best quotes beyond any move of a market; left out."""
    duplicates: int = 0
    """Messages that were there already with the same id and content; left out."""
    silences: int = 0
    """Stretches without any message so long that the recorder must have been away."""
    one_level_books: int = 0
    """Book states built from the best quotes alone: depth behind them is unknown."""
    clock_offset_ms: int = 0
    """Median of received − exchange time; negative when the recorder's clock was behind."""
    warnings: list[str] = field(default_factory=list)
    """The first findings in words, at most `WARNINGS_MAX`."""

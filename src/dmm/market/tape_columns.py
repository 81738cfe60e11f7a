"""A tape as columns: what an array engine runs over, without a Python object for each event.

A tape is a list of messages, each with its two clocks, and each covering a range of rows. A row is
one level of a depth message, one side of a best quote, or a trade; all rows of a message take
effect together. ``rows starts[i]:starts[i + 1]`` belong to message ``i``.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dmm.market.tape import BestQuote, DepthUpdate, FeedEvent, Level, TradePrint
from dmm.units.amount import Lots, Ticks
from dmm.units.errors import TapeFault
from dmm.units.time import Nanos

Longs = NDArray[np.int64]
Bytes = NDArray[np.int8]


class MessageKind(IntEnum):
    """What a message is; the numbers are part of the file format."""

    UPDATE = 0
    """Changed levels; size 0 deletes."""
    SNAPSHOT = 1
    """The whole book: every level not named is gone."""
    QUOTE = 2
    """Two rows: the venue's best bid, then its best ask."""
    TRADE = 3
    """One row."""


BID = 1
"""Side of a row: a bid, or a trade whose aggressor bought."""

ASK = -1
"""Side of a row: an ask, or a trade whose aggressor sold."""

MESSAGE_COLUMNS = ("exchange_at_ns", "received_at_ns", "kind", "first_id", "last_id")
ROW_COLUMNS = ("side", "price_ticks", "size_lots")
TYPES = {"kind": np.int8, "side": np.int8}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TapeColumns:
    """A tape or a piece of one; arrays are int64 but for `kind` and `side`, which are int8.

    Per message: `starts` (one more than messages), both clocks, `kind` (`MessageKind`), and the
    venue's sequence range `first_id`, `last_id`, in which a trade has its id twice and a quote 0.
    Per row: `side` (`BID`, `ASK`), `price_ticks`, `size_lots`.
    """

    starts: Longs
    exchange_at_ns: Longs
    received_at_ns: Longs
    kind: Bytes
    first_id: Longs
    last_id: Longs
    side: Bytes
    price_ticks: Longs
    size_lots: Longs

    def __post_init__(self) -> None:
        for name in ("starts", *MESSAGE_COLUMNS, *ROW_COLUMNS):
            column = getattr(self, name)
            if column.dtype != TYPES.get(name, np.int64) or column.ndim != 1:
                raise ValueError(f"column {name} has type {column.dtype}, {column.ndim} dimensions")
        for names, length in ((MESSAGE_COLUMNS, self.messages), (ROW_COLUMNS, self.rows)):
            for name in names:
                if len(getattr(self, name)) != length:
                    raise ValueError(
                        f"column {name} has {len(getattr(self, name))} entries, not {length}"
                    )

    @property
    def messages(self) -> int:
        """Return the number of messages."""
        return len(self.starts) - 1

    @property
    def rows(self) -> int:
        """Return the number of rows."""
        return int(self.starts[-1])

    @property
    def nbytes(self) -> int:
        """Return the bytes that the arrays hold."""
        names = ("starts", *MESSAGE_COLUMNS, *ROW_COLUMNS)
        return sum(getattr(self, name).nbytes for name in names)

    def piece(self, first: int, last: int) -> TapeColumns:
        """Return messages ``first:last``; the arrays are views but for `starts`.

        Parameters
        ----------
        first, last : message numbers, 0 <= first <= last <= messages
        """
        begin, end = int(self.starts[first]), int(self.starts[last])
        columns = {name: getattr(self, name)[first:last] for name in MESSAGE_COLUMNS}
        columns |= {name: getattr(self, name)[begin:end] for name in ROW_COLUMNS}
        return TapeColumns(starts=self.starts[first : last + 1] - begin, **columns)

    def require_sound(self) -> None:
        """Refuse columns that no feed can have left.

        Raises
        ------
        ValueError
            If a kind or side is unknown, a message has the wrong number of rows or sides, a price
            is not positive, a size negative, or received times run back.
        """
        counts = np.diff(self.starts)
        kinds = self.kind
        quotes, trades = kinds == MessageKind.QUOTE, kinds == MessageKind.TRADE
        at_quotes = self.starts[:-1][quotes]
        checks = (
            ("message boundaries run back", (counts < 0).any()),
            ("an unknown kind of message", ((kinds < 0) | (kinds > MessageKind.TRADE)).any()),
            ("an unknown side", ((self.side != BID) & (self.side != ASK)).any()),
            ("a trade without exactly one row", (counts[trades] != 1).any()),
            ("a quote without exactly two rows", (counts[quotes] != len((BID, ASK))).any()),
            ("a price that is not positive", (self.price_ticks <= 0).any()),
            ("a negative size", (self.size_lots < 0).any()),
            ("received times that run back", (np.diff(self.received_at_ns) < 0).any()),
        )
        for what, is_broken in checks:
            if is_broken:
                raise ValueError(f"the columns hold {what}")
        if (self.side[at_quotes] != BID).any() or (self.side[at_quotes + 1] != ASK).any():
            raise ValueError("the columns hold a quote whose rows are not bid, then ask")

    def events(self) -> Iterator[FeedEvent]:
        """Yield the messages as a feed delivers them."""
        starts = self.starts.tolist()
        heads = zip(
            *(getattr(self, name).tolist() for name in MESSAGE_COLUMNS),
            starts,
            starts[1:],
            strict=False,
        )
        sides, prices, sizes = (getattr(self, name).tolist() for name in ROW_COLUMNS)
        for exchange_at_ns, received_at_ns, kind, first_id, last_id, begin, end in heads:
            if kind == MessageKind.TRADE:
                yield TradePrint(
                    exchange_at_ns=exchange_at_ns,
                    received_at_ns=received_at_ns,
                    price=prices[begin],
                    size=sizes[begin],
                    buyer_is_aggressor=sides[begin] == BID,
                    trade_id=last_id,
                )
            elif kind == MessageKind.QUOTE:
                yield BestQuote(
                    exchange_at_ns=exchange_at_ns,
                    received_at_ns=received_at_ns,
                    bid=prices[begin],
                    bid_size=sizes[begin],
                    ask=prices[begin + 1],
                    ask_size=sizes[begin + 1],
                )
            else:
                middle = _end_of_bids(sides, begin, end)
                yield DepthUpdate(
                    exchange_at_ns=exchange_at_ns,
                    received_at_ns=received_at_ns,
                    first_id=first_id,
                    last_id=last_id,
                    is_snapshot=kind == MessageKind.SNAPSHOT,
                    bids=tuple(zip(prices[begin:middle], sizes[begin:middle], strict=True)),
                    asks=tuple(zip(prices[middle:end], sizes[middle:end], strict=True)),
                )


def _end_of_bids(sides: list[int], begin: int, end: int) -> int:
    try:
        return sides.index(ASK, begin, end)
    except ValueError:
        return end


class Columns:
    """Collects events into columns; within a depth message the bids come first."""

    __slots__ = ("_heads", "_prices", "_sides", "_sizes", "_starts")

    def __init__(self) -> None:
        self._starts = array("q", [0])
        self._heads = {name: array(_code(name)) for name in MESSAGE_COLUMNS}
        self._sides = array("b")
        self._prices = array("q")
        self._sizes = array("q")

    def __len__(self) -> int:
        return len(self._starts) - 1

    @property
    def rows(self) -> int:
        """Return how many rows were collected."""
        return len(self._prices)

    def add(self, event: FeedEvent) -> None:
        """Append an event.

        Raises
        ------
        TapeFault
            If a number needs more than 63 bits.
        """
        try:
            if isinstance(event, DepthUpdate):
                kind = MessageKind.SNAPSHOT if event.is_snapshot else MessageKind.UPDATE
                self._levels(event.bids, BID)
                self._levels(event.asks, ASK)
                first_id, last_id = event.first_id, event.last_id
            elif isinstance(event, TradePrint):
                kind = MessageKind.TRADE
                side = BID if event.buyer_is_aggressor else ASK
                self._levels(((event.price, event.size),), side)
                first_id = last_id = event.trade_id
            else:
                kind = MessageKind.QUOTE
                self._levels(((event.bid, event.bid_size),), BID)
                self._levels(((event.ask, event.ask_size),), ASK)
                first_id = last_id = 0
            heads = (event.exchange_at_ns, event.received_at_ns, kind, first_id, last_id)
            for column, value in zip(self._heads.values(), heads, strict=True):
                column.append(value)
        except OverflowError as error:
            raise TapeFault(f"a number of {event} needs more than 63 bits") from error
        self._starts.append(len(self._prices))

    def take(self) -> TapeColumns:
        """Return what was collected so far."""
        columns: dict[str, Any] = {
            name: np.array(column, dtype=TYPES.get(name, np.int64))
            for name, column in self._heads.items()
        }
        return TapeColumns(
            starts=np.array(self._starts, dtype=np.int64),
            side=np.array(self._sides, dtype=np.int8),
            price_ticks=np.array(self._prices, dtype=np.int64),
            size_lots=np.array(self._sizes, dtype=np.int64),
            **columns,
        )

    def _levels(self, levels: Sequence[Level] | tuple[tuple[Ticks, Lots]], side: int) -> None:
        if levels:
            prices, sizes = zip(*levels, strict=True)
            self._prices.extend(prices)
            self._sizes.extend(sizes)
            self._sides.extend((side,) * len(prices))


def _code(name: str) -> str:
    return "b" if name in TYPES else "q"


def columns_of(events: Iterable[FeedEvent]) -> TapeColumns:
    """Return a whole tape as columns; its memory grows with the tape, 25 bytes a row.

    Parameters
    ----------
    events : in the order received, such as ``feed.events()``

    Raises
    ------
    TapeFault
        What the events raise while they are read, or if a number needs more than 63 bits.
    """
    columns = Columns()
    for event in events:
        columns.add(event)
    return columns.take()


def pieces_of(
    events: Iterable[FeedEvent], *, messages_max: int, rows_max: int
) -> Iterator[TapeColumns]:
    """Yield a tape as pieces of bounded size; a message is never split.

    Parameters
    ----------
    events : in the order received
    messages_max : messages of a piece, > 0
    rows_max : a piece ends with the message that reaches it, > 0
    """
    stream = iter(events)
    while True:
        columns = Columns()
        for event in islice(stream, messages_max):
            columns.add(event)
            if columns.rows >= rows_max:
                break
        if not len(columns):
            return
        yield columns.take()


def joined(pieces: Iterable[TapeColumns]) -> TapeColumns:
    """Return pieces as one tape; none of them is an empty tape."""
    parts = list(pieces)
    if len(parts) == 1:
        return parts[0]
    names = (*MESSAGE_COLUMNS, *ROW_COLUMNS)
    offsets = np.cumsum([0, *(part.rows for part in parts)])
    starts = [part.starts[1:] + offset for part, offset in zip(parts, offsets, strict=False)]
    return TapeColumns(
        starts=np.concatenate([np.zeros(1, dtype=np.int64), *starts]),
        **{
            name: np.concatenate(
                [
                    np.zeros(0, dtype=TYPES.get(name, np.int64)),
                    *(getattr(part, name) for part in parts),
                ]
            )
            for name in names
        },
    )


def span_of(columns: TapeColumns) -> tuple[Nanos, Nanos] | None:
    """Return the received times of the first and last message; None for an empty tape."""
    if not columns.messages:
        return None
    return Nanos(int(columns.received_at_ns[0])), Nanos(int(columns.received_at_ns[-1]))

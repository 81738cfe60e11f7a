"""Hyperliquid as its public collectors record it: books, best quotes and trades in files apart.

CSV (``prices_BTC.csv``, ``trades_BTC.csv``) or parquet shards (``orderbooks_…``, ``prices_…``,
``trades_…``), each kind in files that continue each other. Every row has the recorder's time
(seconds, decimal) and the venue's (milliseconds). Rows received at one instant came in one message;
within it trades lie in no order of time, so they are sorted by the venue's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import groupby
from operator import attrgetter, itemgetter
from pathlib import Path

from dmm.adapters.feeds.clocks import SILENCE_NS_MAX, Clocks
from dmm.adapters.feeds.findings import Findings
from dmm.adapters.feeds.messages import held_messages, stamp, understood
from dmm.adapters.feeds.one_level import one_level_book
from dmm.adapters.feeds.plausibility import Plausibility
from dmm.adapters.feeds.rows import Row, rows_of
from dmm.adapters.feeds.scale import OffGrid, Scale, plain, split_decimal
from dmm.adapters.feeds.sequence import Sequencer
from dmm.market.instrument import Instrument
from dmm.market.tape import BestQuote, DepthUpdate, FeedEvent, Level, TapeReport, TradePrint
from dmm.units.amount import Lots, Ticks
from dmm.units.time import NS_PER_MS, Nanos

LEVELS = 20
"""Levels a side of a recorded book."""

TRADE_COLUMNS = ("timestamp", "exchange_timestamp", "price", "size", "side", "trade_id")
QUOTE_COLUMNS = ("timestamp", "exchange_timestamp", "price", "size", "side")
BOOK_COLUMNS = (
    "timestamp",
    "exchange_timestamp",
    "sequence",
    *(
        f"{side}_{what}_{level}"
        for side in ("bid", "ask")
        for level in range(LEVELS)
        for what in ("price", "size")
    ),
)
BIDS_AT = 3
ASKS_AT = BIDS_AT + 2 * LEVELS

SIDES = ("bid", "ask")
BUYS = {"buy": True, "sell": False}
FRACTION_DIGITS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class HyperliquidFiles:
    """The files of a tape by kind, each kind in order of time; any kind may be missing."""

    books: tuple[Path, ...]
    quotes: tuple[Path, ...]
    trades: tuple[Path, ...]


class HyperliquidFeed:
    """Books, best quotes and trades merged by received time; a `dmm.ports.Feed`.

    Where no books were recorded, each best quote is delivered as a book of one level. A trade comes
    before a book or quote received at the same instant.
    """

    def __init__(
        self, files: HyperliquidFiles, *, instrument: Instrument, allow_gaps: bool
    ) -> None:
        self._files = files
        self._instrument = instrument
        self._allow_gaps = allow_gaps
        self._start()

    @property
    def instrument(self) -> Instrument:
        """Return what the tape is about."""
        return self._instrument

    @property
    def report(self) -> TapeReport:
        """Return what the present reading counted so far."""
        self._report.clock_offset_ms = self._clocks.offset_ms
        return self._report

    def events(self) -> Iterator[FeedEvent]:
        """Yield the tape from its beginning; each call reads it anew.

        Raises
        ------
        TapeFault
            If the content is unusable, or has a flaw where gaps are not allowed.
        UsageFault
            If a file cannot be read.
        """
        self._start()
        files = self._files
        streams: list[Iterator[FeedEvent]] = []
        if files.trades:
            streams.append(self._trades(is_main=not (files.books or files.quotes)))
        if files.books:
            streams.append(self._books())
        if files.quotes:
            streams.append(self._quotes(is_main=not files.books))
        return merge(*streams, key=attrgetter("received_at_ns"))

    def _start(self) -> None:
        self._report = TapeReport()
        self._clocks = Clocks(self._findings())
        self._plausibility = Plausibility()
        self._prices = Scale(what="price", step=self._instrument.tick_size, positive=True)
        self._sizes = Scale(what="size", step=self._instrument.lot_size, positive=False)

    def _findings(self) -> Findings:
        return Findings(allow_gaps=self._allow_gaps, report=self._report)

    def _clocks_of(self, findings: Findings, *, is_main: bool) -> Clocks:
        clocks = Clocks(findings, notes_silence=is_main)
        if is_main:
            self._clocks = clocks
        return clocks

    def _trades(self, *, is_main: bool) -> Iterator[TradePrint]:
        findings = self._findings()
        clocks = self._clocks_of(findings, is_main=is_main)
        trades = (
            (understood(self._trade, row, findings), findings.mark())
            for path in self._files.trades
            for row in rows_of(path, TRADE_COLUMNS, findings)
        )
        for message in held_messages(trades, findings):
            ahead = findings.mark()
            for trade, place in message:
                findings.go(place)
                if self._plausibility.admits_trade(trade, findings):
                    stamped = stamp(trade, clocks, stream="trade")
                    self._report.trades += 1
                    yield stamped
            findings.go(ahead)

    def _trade(self, row: Row) -> TradePrint:
        return TradePrint(
            received_at_ns=seconds(row[0]),
            exchange_at_ns=Nanos(int(row[1]) * NS_PER_MS),
            price=Ticks(self._prices[plain(row[2])]),
            size=Lots(self._sizes[plain(row[3])]),
            buyer_is_aggressor=BUYS[row[4]],
            trade_id=int(row[5]),
        )

    def _quotes(self, *, is_main: bool) -> Iterator[DepthUpdate | BestQuote]:
        findings = self._findings()
        clocks = self._clocks_of(findings, is_main=is_main)
        ordinal = 0
        for quote in self._pairs(findings):
            stamped = stamp(quote, clocks, stream="best")
            if not self._plausibility.admits_quote(stamped, findings):
                continue
            if not is_main:
                self._report.best_quotes += 1
                yield stamped
                continue
            ordinal += 1
            self._report.depth_updates += 1
            self._report.snapshots += 1
            self._report.one_level_books += 1
            yield one_level_book(stamped, sequence_id=ordinal)

    def _pairs(self, findings: Findings) -> Iterator[BestQuote]:
        """Yield both sides after each message; a message may change one side or both."""
        sides: dict[str, Level] = {}
        before_ns = 0
        rows = (
            row for path in self._files.quotes for row in rows_of(path, QUOTE_COLUMNS, findings)
        )
        for _times, changes in groupby(rows, key=itemgetter(0, 1)):
            named = set()
            for row in changes:
                named.add(row[4])
                if row[4] not in SIDES:
                    raise findings.fault(f"side {row[4]!r} is neither bid nor ask")
                sides[row[4]] = understood(self._level, row, findings)
            quote_ns = understood(lambda row: seconds(row[0]), row, findings)
            if quote_ns - before_ns > SILENCE_NS_MAX:  # the side not named now is long gone
                sides = {side: level for side, level in sides.items() if side in named}
            before_ns = quote_ns
            if len(sides) == len(SIDES):
                yield _quote(row, sides)

    def _level(self, row: Row) -> Level:
        return Ticks(self._prices[plain(row[2])]), Lots(self._sizes[plain(row[3])])

    def _books(self) -> Iterator[DepthUpdate]:
        findings = self._findings()
        clocks = self._clocks_of(findings, is_main=True)
        sequencer = Sequencer(by_previous_id=False, findings=findings)
        last_id = 0
        for path in self._files.books:
            for row in rows_of(path, BOOK_COLUMNS, findings):
                book = understood(self._book, row, findings)
                if book.last_id < last_id:
                    findings.meet(
                        "out_of_order", f"the book {book.last_id} came after {last_id}: sort them"
                    )
                    continue
                last_id = book.last_id
                yield sequencer.whole_book(stamp(book, clocks, stream="depth"))

    def _book(self, row: Row) -> DepthUpdate:
        sequence_id = int(row[2])
        return DepthUpdate(
            received_at_ns=seconds(row[0]),
            exchange_at_ns=Nanos(int(row[1]) * NS_PER_MS),
            first_id=sequence_id,
            last_id=sequence_id,
            is_snapshot=True,
            bids=self._side(row[BIDS_AT:ASKS_AT]),
            asks=self._side(row[ASKS_AT:]),
        )

    def _side(self, cells: Sequence[str]) -> tuple[Level, ...]:
        prices, sizes = self._prices, self._sizes
        return tuple(
            (Ticks(prices[plain(price)]), Lots(sizes[plain(size)]))
            for price, size in zip(cells[::2], cells[1::2], strict=True)
        )


def _quote(row: Row, sides: dict[str, Level]) -> BestQuote:
    (bid, bid_size), (ask, ask_size) = sides["bid"], sides["ask"]
    return BestQuote(
        received_at_ns=seconds(row[0]),
        exchange_at_ns=Nanos(int(row[1]) * NS_PER_MS),
        bid=bid,
        bid_size=bid_size,
        ask=ask,
        ask_size=ask_size,
    )


def seconds(text: str) -> Nanos:
    """Return the nanoseconds of decimal seconds since 1970.

    Raises
    ------
    OffGrid
        If it is no decimal, or finer than nanoseconds.
    """
    whole, tail = split_decimal(text, what="time")
    if len(tail) > FRACTION_DIGITS:
        raise OffGrid(f"time {text} is finer than a nanosecond")
    return Nanos(int(whole + tail.ljust(FRACTION_DIGITS, "0")))

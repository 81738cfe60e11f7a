"""Tardis CSV: `incremental_book_L2`, `trades`, `book_ticker` (and `quotes`), plain or gzip.

Times are microseconds. Rows of one `local_timestamp` came in one message and take effect together.
The format has no sequence ids, so messages are numbered as they come; a snapshot in the middle
stands for a reconnect, and replaces the book.

References
----------
Tardis.dev, "Downloadable CSV files: data types".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import groupby
from operator import attrgetter, itemgetter
from pathlib import Path

from dmm.adapters.feeds.clocks import Clocks
from dmm.adapters.feeds.findings import Findings, Mark
from dmm.adapters.feeds.messages import MESSAGE_ROWS_MAX, held_messages, stamp, understood
from dmm.adapters.feeds.one_level import one_level_book
from dmm.adapters.feeds.plausibility import Plausibility
from dmm.adapters.feeds.rows import Row, rows_of
from dmm.adapters.feeds.scale import Scale, plain
from dmm.adapters.feeds.sequence import Sequencer
from dmm.market.instrument import Instrument
from dmm.market.tape import BestQuote, DepthUpdate, FeedEvent, Level, TapeReport, TradePrint
from dmm.units.amount import Lots, Ticks
from dmm.units.time import Nanos

NS_PER_US = 1_000
WHOSE = ("exchange", "symbol", "timestamp", "local_timestamp")
BOOK_COLUMNS = (*WHOSE, "is_snapshot", "side", "price", "amount")
TRADE_COLUMNS = (*WHOSE, "id", "side", "price", "amount")
QUOTE_COLUMNS = (*WHOSE, "bid_price", "bid_amount", "ask_price", "ask_amount")

TRUTH = {"true": True, "false": False}
BUYS = {"buy": True, "sell": False}
NO_AGGRESSOR = "unknown"
ID_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class TardisFiles:
    """The files of a tape by kind, each kind in order of time; any kind may be missing."""

    books: tuple[Path, ...]
    quotes: tuple[Path, ...]
    trades: tuple[Path, ...]


class TardisFeed:
    """Books, best quotes and trades merged by received time; a `dmm.ports.Feed`.

    Where no books are given, each best quote is delivered as a book of one level. A trade comes
    before a book or quote received at the same instant.
    """

    def __init__(self, files: TardisFiles, *, instrument: Instrument, allow_gaps: bool) -> None:
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

    def _rows(
        self, paths: Sequence[Path], columns: Sequence[str], findings: Findings
    ) -> Iterator[Row]:
        symbol = self._instrument.symbol
        for path in paths:
            for row in rows_of(path, columns, findings):
                if row[1].upper() != symbol:
                    raise findings.fault(
                        f"mixed instruments: {row[1]} in a tape of {symbol}; give one tape at a "
                        "time"
                    )
                yield row

    def _books(self) -> Iterator[DepthUpdate]:
        findings = self._findings()
        clocks = self._clocks_of(findings, is_main=True)
        sequencer = Sequencer(by_previous_id=False, findings=findings)
        rows = self._rows(self._files.books, BOOK_COLUMNS, findings)
        is_started = False
        # A snapshot may share its instant with the first update after it.
        for ordinal, (_key, message) in enumerate(groupby(rows, key=itemgetter(3, 4)), start=1):
            update, ahead = self._message(message, findings, ordinal=ordinal)
            is_started = is_started or update.is_snapshot
            due = None
            if not is_started:
                self._report.skipped_before_snapshot += 1
            elif update.is_snapshot:
                due = sequencer.whole_book(stamp(update, clocks, stream="depth"))
            else:
                due = sequencer.update(stamp(update, clocks, stream="depth"), previous_id=0)
            findings.go(ahead)
            if due is not None:
                yield due
        sequencer.require_started()

    def _message(
        self, message: Iterator[Row], findings: Findings, *, ordinal: int
    ) -> tuple[DepthUpdate, Mark]:
        """Return a message and the place behind it; `findings` stand at its last row."""
        sides: dict[str, list[Level]] = {"bid": [], "ask": []}
        exchange_at_ns = 0
        for count, row in enumerate(message):
            if count >= MESSAGE_ROWS_MAX:
                raise findings.fault(f"a message of more than {MESSAGE_ROWS_MAX} levels")
            first, (at_ns, side, level) = row, understood(self._level, row, findings)
            exchange_at_ns = max(exchange_at_ns, at_ns)
            sides[side].append(level)
            place = findings.mark()
        ahead = findings.mark()  # the row after the message is read already
        findings.go(place)
        update = DepthUpdate(
            exchange_at_ns=Nanos(exchange_at_ns),
            received_at_ns=understood(lambda row: _micros(row[3]), first, findings),
            first_id=ordinal,
            last_id=ordinal,
            is_snapshot=understood(lambda row: TRUTH[row[4]], first, findings),
            bids=tuple(sides["bid"]),
            asks=tuple(sides["ask"]),
        )
        return update, ahead

    def _level(self, row: Row) -> tuple[int, str, Level]:
        side = {"bid": "bid", "ask": "ask"}[row[5]]
        return _micros(row[2]), side, (self._price(row[6]), self._size(row[7]))

    def _price(self, text: str) -> Ticks:
        return Ticks(self._prices[plain(text)])

    def _size(self, text: str) -> Lots:
        return Lots(self._sizes[plain(text)])

    def _trades(self, *, is_main: bool) -> Iterator[TradePrint]:
        findings = self._findings()
        clocks = self._clocks_of(findings, is_main=is_main)
        trades = (
            (understood(self._trade, row, findings), findings.mark())
            for row in self._rows(self._files.trades, TRADE_COLUMNS, findings)
            if self._has_aggressor(row)
        )
        for message in held_messages(trades, findings):
            ahead = findings.mark()
            for trade, place in message:
                findings.go(place)
                if self._plausibility.admits_trade(trade, findings):
                    self._report.trades += 1
                    yield stamp(trade, clocks, stream="trade")
            findings.go(ahead)

    def _has_aggressor(self, row: Row) -> bool:
        if row[5] != NO_AGGRESSOR:
            return True
        self._report.other_messages += 1
        return False

    def _trade(self, row: Row) -> TradePrint:
        return TradePrint(
            exchange_at_ns=_micros(row[2]),
            received_at_ns=_micros(row[3]),
            trade_id=trade_id_of(row[4]),
            buyer_is_aggressor=BUYS[row[5]],
            price=self._price(row[6]),
            size=self._size(row[7]),
        )

    def _quotes(self, *, is_main: bool) -> Iterator[DepthUpdate | BestQuote]:
        findings = self._findings()
        clocks = self._clocks_of(findings, is_main=is_main)
        for row in self._rows(self._files.quotes, QUOTE_COLUMNS, findings):
            if not all(row[4:]):
                findings.meet("zero_sizes", "the best quote has an empty side")
                continue
            quote = stamp(understood(self._quote, row, findings), clocks, stream="best")
            if not self._plausibility.admits_quote(quote, findings):
                continue
            if not is_main:
                self._report.best_quotes += 1
                yield quote
                continue
            self._report.depth_updates += 1
            self._report.snapshots += 1
            self._report.one_level_books += 1
            yield one_level_book(quote, sequence_id=self._report.one_level_books)

    def _quote(self, row: Row) -> BestQuote:
        return BestQuote(
            exchange_at_ns=_micros(row[2]),
            received_at_ns=_micros(row[3]),
            bid=self._price(row[4]),
            bid_size=self._size(row[5]),
            ask=self._price(row[6]),
            ask_size=self._size(row[7]),
        )


def trade_id_of(text: str) -> int:
    """Return a trade's id as 63 bits: the number itself, or a hash where venues use names."""
    if text.isascii() and text.isdigit() and int(text) < 1 << 63:
        return int(text)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:ID_BYTES], "big") >> 1


def _micros(text: str) -> Nanos:
    return Nanos(int(text) * NS_PER_US)

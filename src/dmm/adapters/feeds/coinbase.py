"""Coinbase Advanced Trade's public channels as recorded: gzip lines of ``<received> <json>``.

Every message of a connection has the next `sequence_num`, whatever its channel. The book's snapshot
comes first, in a message of its own; numbers that start over, or skip one, are a gap in all
channels. Updates carry no ids of their own, so messages of the book are numbered as they come.

References
----------
Coinbase Developer Documentation, "Advanced Trade WebSocket Channels".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

from dmm.adapters.feeds.binance_instrument import binance_instrument
from dmm.adapters.feeds.binance_message import Message, shown, split_line, whole
from dmm.adapters.feeds.calendar import utc_ns
from dmm.adapters.feeds.clocks import Clocks
from dmm.adapters.feeds.files import gzip_lines, name_of
from dmm.adapters.feeds.findings import Findings
from dmm.adapters.feeds.plausibility import Plausibility
from dmm.adapters.feeds.scale import OffGrid, Scale
from dmm.adapters.feeds.sequence import Sequencer
from dmm.market.instrument import Instrument
from dmm.market.tape import BestQuote, DepthUpdate, FeedEvent, Level, TapeReport, TradePrint
from dmm.units.amount import Lots, Ticks
from dmm.units.errors import TapeFault
from dmm.units.time import Nanos

VENUE = "coinbase"
BEGINNING = re.compile(rb'(\d{16}|\d{19}) \{"channel":')
"""How a first line begins."""

HEAD_LINES_MAX = 20_000
"""How far into the first file the snapshot is looked for."""

UNSHAPED = (KeyError, TypeError, ValueError, AttributeError)
"""What using a message of another shape raises."""

SNAPSHOT = "snapshot"
FINEST_LOT = "0.00000001"
"""The smallest step of size of Coinbase's products."""

SIDES = {"bid": "bid", "offer": "ask"}
BUYS_BY_MAKER = {"BUY": False, "SELL": True}
"""A trade's side is its maker's: the aggressor bought where the maker sold."""


class CoinbaseFeed:
    """A recording in one or several files that continue each other; a `dmm.ports.Feed`."""

    def __init__(self, paths: Sequence[Path], *, instrument: Instrument, allow_gaps: bool) -> None:
        self._paths = tuple(paths)
        self._instrument = instrument
        self._allow_gaps = allow_gaps
        self._start()

    @property
    def instrument(self) -> Instrument:
        """Return what the recording is about."""
        return self._instrument

    @property
    def report(self) -> TapeReport:
        """Return what the present reading counted so far."""
        report = self._findings.report
        report.clock_offset_ms = self._clocks.offset_ms
        return report

    def events(self) -> Iterator[FeedEvent]:
        """Yield the recording's events from its beginning; each call reads it anew.

        Raises
        ------
        TapeFault
            If the content is unusable, or has a flaw where gaps are not allowed.
        UsageFault
            If a file cannot be read.
        """
        self._start()
        findings = self._findings
        for path in self._paths:
            findings.open_file(name_of(path))
            for lines in gzip_lines(path, findings):
                for line in lines:
                    findings.position += 1
                    yield from self._decode(line)
        self._sequencer.require_started()

    def _start(self) -> None:
        self._findings = Findings(allow_gaps=self._allow_gaps)
        self._clocks = Clocks(self._findings)
        self._sequencer = Sequencer(by_previous_id=False, findings=self._findings)
        self._plausibility = Plausibility()
        self._prices = Scale(what="price", step=self._instrument.tick_size, positive=True)
        self._sizes = Scale(what="size", step=self._instrument.lot_size, positive=False)
        self._sequence: int | None = None
        self._books = 0
        self._is_started = False

    def _decode(self, line: bytes) -> list[FeedEvent]:
        findings = self._findings
        findings.report.messages += 1
        try:
            received_ns, message = split_line(line)
        except ValueError:
            findings.meet("truncated_lines", f"the line is cut or damaged: {shown(line)}")
            return []
        received_at_ns = self._clocks.received(received_ns)
        try:
            self._follow(whole(message["sequence_num"]))
            return self._events(message, received_at_ns)
        except OffGrid as error:
            raise findings.fault(str(error)) from error
        except UNSHAPED as error:
            raise findings.fault(f"not a message of Coinbase ({error!r}): {shown(line)}") from error

    def _follow(self, sequence: int) -> None:
        before, self._sequence = self._sequence, sequence
        if before is None or sequence == before + 1:
            return
        what = (
            "a new connection began, so what came between is missing"
            if sequence <= before
            else f"message {sequence} follows {before}"
        )
        self._findings.meet("gaps", what)

    def _events(self, message: Message, received_at_ns: Nanos) -> list[FeedEvent]:
        match message["channel"]:
            case "l2_data":
                sent_ns = utc_ns(message["timestamp"])
                return [
                    book
                    for event in message["events"]
                    if (book := self._book(event, received_at_ns, sent_ns))
                ]
            case "market_trades":
                return self._trades(message["events"], received_at_ns)
            case "ticker":
                sent_ns = utc_ns(message["timestamp"])
                return self._quotes(message["events"], received_at_ns, sent_ns)
            case _:
                self._findings.report.other_messages += 1
                return []

    def _book(self, event: Message, received_at_ns: Nanos, sent_ns: Nanos) -> DepthUpdate | None:
        self._require_symbol(event["product_id"])
        exchange_at_ns = self._clocks.exchange("depth", sent_ns)
        self._clocks.note_offset(received_at_ns=received_at_ns, exchange_at_ns=exchange_at_ns)
        is_snapshot = event["type"] == SNAPSHOT
        sides: dict[str, list[Level]] = {"bid": [], "ask": []}
        for change in event["updates"]:
            price = Ticks(self._prices[change["price_level"]])
            size = Lots(self._sizes[change["new_quantity"]])
            sides[SIDES[change["side"]]].append((price, size))
        if not (self._is_started or is_snapshot):
            self._findings.report.skipped_before_snapshot += 1
            return None
        self._is_started = True
        self._books += 1
        book = DepthUpdate(
            exchange_at_ns=exchange_at_ns,
            received_at_ns=received_at_ns,
            first_id=self._books,
            last_id=self._books,
            is_snapshot=is_snapshot,
            bids=tuple(sides["bid"]),
            asks=tuple(sides["ask"]),
        )
        if is_snapshot:
            return self._sequencer.whole_book(book)
        return self._sequencer.update(book, previous_id=0)

    def _trades(self, events: list[Message], received_at_ns: Nanos) -> list[FeedEvent]:
        told: list[TradePrint] = []
        for event in events:
            if event["type"] == SNAPSHOT:  # of before the connection: no one received them in time
                self._findings.report.other_messages += 1
                continue
            told += [self._trade(trade, received_at_ns) for trade in event["trades"]]
        # A message names the latest trade first.
        told.sort(key=lambda trade: (trade.exchange_at_ns, trade.trade_id))
        played: list[FeedEvent] = []
        for trade in told:
            self._clocks.exchange("trade", trade.exchange_at_ns)
            if self._plausibility.admits_trade(trade, self._findings):
                self._findings.report.trades += 1
                played.append(trade)
        return played

    def _trade(self, trade: Message, received_at_ns: Nanos) -> TradePrint:
        self._require_symbol(trade["product_id"])
        return TradePrint(
            exchange_at_ns=utc_ns(trade["time"]),
            received_at_ns=received_at_ns,
            price=Ticks(self._prices[trade["price"]]),
            size=Lots(self._sizes[trade["size"]]),
            buyer_is_aggressor=BUYS_BY_MAKER[trade["side"]],
            trade_id=int(trade["trade_id"]),
        )

    def _quotes(
        self, events: list[Message], received_at_ns: Nanos, sent_ns: Nanos
    ) -> list[FeedEvent]:
        exchange_at_ns = self._clocks.exchange("best", sent_ns)
        quotes: list[FeedEvent] = []
        for event in events:
            for ticker in event["tickers"]:
                self._require_symbol(ticker["product_id"])
                if not all(Decimal(ticker[price] or 0) for price in ("best_bid", "best_ask")):
                    self._findings.meet("zero_sizes", "the best quote has an empty side")
                    continue
                quote = BestQuote(
                    exchange_at_ns=exchange_at_ns,
                    received_at_ns=received_at_ns,
                    bid=Ticks(self._prices[ticker["best_bid"]]),
                    bid_size=Lots(self._sizes[ticker["best_bid_quantity"]]),
                    ask=Ticks(self._prices[ticker["best_ask"]]),
                    ask_size=Lots(self._sizes[ticker["best_ask_quantity"]]),
                )
                if self._plausibility.admits_quote(quote, self._findings):
                    self._findings.report.best_quotes += 1
                    quotes.append(quote)
        return quotes

    def _require_symbol(self, product: str) -> None:
        if product != self._instrument.symbol:
            raise self._findings.fault(
                f"mixed instruments: {product} in a tape of {self._instrument.symbol}; give the "
                "files of one instrument"
            )


def instrument_of_coinbase(
    paths: Sequence[Path], *, allow_gaps: bool, tick_size: Decimal | None
) -> Instrument:
    """Return what a recording is about, told by the first snapshot of its book.

    The tick is the greatest step of which all its prices are multiples, the lot `FINEST_LOT` or
    finer.

    Raises
    ------
    TapeFault
        If the first file has no snapshot, its numbers are unusable, or a later file begins before
        an earlier one.
    UsageFault
        If a file cannot be read.
    """
    findings = Findings(allow_gaps=allow_gaps)
    began = [next((at_ns for at_ns, _ in _messages(path, findings)), 0) for path in paths]
    for (path, at_ns), (later, later_at_ns) in pairwise(zip(paths, began, strict=True)):
        if later_at_ns < at_ns:
            raise TapeFault(
                f"files in the wrong order: {name_of(later)} begins before {name_of(path)}; name "
                "the earlier file first"
            )
    snapshots = (_snapshot_in(message) for _at_ns, message in _messages(paths[0], findings))
    snapshot = next((found for found in snapshots if found), None)
    findings.position = 0  # what follows is about the file, not its last line
    if snapshot is None:
        raise findings.fault(f"no snapshot among its first {HEAD_LINES_MAX} lines: record it again")
    try:
        changes = snapshot["updates"]
        return binance_instrument(
            prices=[change["price_level"] for change in changes],
            sizes=[FINEST_LOT, *(change["new_quantity"] for change in changes)],
            venue=VENUE,
            symbol=snapshot["product_id"],
            tick_size=tick_size,
        )
    except OffGrid as error:
        raise findings.fault(str(error)) from error
    except UNSHAPED as error:
        raise findings.fault(f"the snapshot is no book ({error!r}): record it again") from error


def _messages(path: Path, findings: Findings) -> Iterator[tuple[int, Message]]:
    findings.open_file(name_of(path))
    for lines in gzip_lines(path, findings):
        for line in lines:
            findings.position += 1
            if findings.position > HEAD_LINES_MAX:
                return
            with suppress(ValueError):  # a cut line is met when the tape is played
                yield split_line(line)


def _snapshot_in(message: Message) -> Message | None:
    if message.get("channel") != "l2_data":
        return None
    return next((event for event in message["events"] if event.get("type") == SNAPSHOT), None)

"""Binance's combined WebSocket stream as recorded: gzip lines of ``<received> <json>``.

A line is a depth update, a trade or a best quote under a stream name, or the book's snapshot, which
has none. Received times have 19 digits (nanoseconds) or 16 (microseconds).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import cast

from dmm.adapters.feeds.binance_instrument import SPOT
from dmm.adapters.feeds.binance_message import Message, shown, split_line, whole
from dmm.adapters.feeds.clocks import Clocks
from dmm.adapters.feeds.files import gzip_lines, name_of
from dmm.adapters.feeds.findings import Findings
from dmm.adapters.feeds.one_level import one_level_book
from dmm.adapters.feeds.plausibility import Plausibility
from dmm.adapters.feeds.scale import OffGrid, Scale
from dmm.adapters.feeds.sequence import Sequencer
from dmm.market.instrument import Instrument
from dmm.market.tape import BestQuote, DepthUpdate, FeedEvent, Level, TapeReport, TradePrint
from dmm.units.amount import Lots, Ticks
from dmm.units.time import NS_PER_MS, Nanos


class BinanceRawFeed:
    """A recording in one or several files that continue each other; a `dmm.ports.Feed`.

    With `book_from_quotes` the book is the venue's best quotes alone: depth messages and snapshots
    are not played and count as other messages.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        instrument: Instrument,
        allow_gaps: bool,
        book_from_quotes: bool = False,
    ) -> None:
        self._paths = tuple(paths)
        self._book_from_quotes = book_from_quotes
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
                    event = self._decode(line)
                    if event is not None:
                        yield event
        if not self._book_from_quotes:
            self._sequencer.require_started()

    def _start(self) -> None:
        instrument = self._instrument
        self._findings = Findings(allow_gaps=self._allow_gaps)
        self._clocks = Clocks(self._findings)
        self._sequencer = Sequencer(
            by_previous_id=instrument.venue != SPOT, findings=self._findings
        )
        self._plausibility = Plausibility()
        self._prices = Scale(what="price", step=instrument.tick_size, positive=True)
        self._sizes = Scale(what="size", step=instrument.lot_size, positive=False)
        self._readers: dict[str, Callable[[Message, Nanos], FeedEvent | None]] = {}

    def _decode(self, line: bytes) -> FeedEvent | None:
        findings = self._findings
        findings.report.messages += 1
        try:
            received_ns, message = split_line(line)
        except ValueError:
            findings.meet("truncated_lines", f"the line is cut or damaged: {shown(line)}")
            return None
        received_at_ns = self._clocks.received(received_ns)
        try:
            stream = message.get("stream")
            if stream is None:
                return self._snapshot(message, received_at_ns)
            reader = self._readers.get(stream) or self._learn(stream)
            return reader(message["data"], received_at_ns)
        except OffGrid as error:
            raise findings.fault(str(error)) from error
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise findings.fault(f"not a message of Binance ({error!r}): {shown(line)}") from error

    def _learn(self, stream: str) -> Callable[[Message, Nanos], FeedEvent | None]:
        symbol, _at, channel = stream.partition("@")
        if symbol.upper() != self._instrument.symbol:
            raise self._findings.fault(
                f"mixed instruments: {symbol.upper()} in a tape of {self._instrument.symbol}; "
                "give the files of one instrument"
            )
        readers: dict[str, Callable[[Message, Nanos], FeedEvent | None]] = {
            "depth": self._other if self._book_from_quotes else self._depth,
            "trade": self._trade,
            "bookTicker": self._book_of_quote if self._book_from_quotes else self._best_quote,
        }
        reader = readers.get(channel.partition("@")[0], self._other)
        self._readers[stream] = reader
        return reader

    def _snapshot(self, message: Message, received_at_ns: Nanos) -> DepthUpdate | None:
        if self._book_from_quotes:
            self._findings.report.other_messages += 1
            return None
        last_id = whole(message["lastUpdateId"])
        stamped_ms = message.get("E")
        if stamped_ms is None:  # spot stamps no snapshots: it is as old as the news around it
            exchange_at_ns = self._latest(received_at_ns)
        else:
            exchange_at_ns = Nanos(whole(stamped_ms) * NS_PER_MS)
        return self._sequencer.snapshot(
            DepthUpdate(
                exchange_at_ns=exchange_at_ns,
                received_at_ns=received_at_ns,
                first_id=last_id,
                last_id=last_id,
                is_snapshot=True,
                bids=self._levels(message["bids"]),
                asks=self._levels(message["asks"]),
            )
        )

    def _depth(self, data: Message, received_at_ns: Nanos) -> DepthUpdate | None:
        exchange_at_ns = self._clocks.exchange("depth", whole(data["E"]) * NS_PER_MS)
        self._clocks.note_offset(received_at_ns=received_at_ns, exchange_at_ns=exchange_at_ns)
        update = DepthUpdate(
            exchange_at_ns=exchange_at_ns,
            received_at_ns=received_at_ns,
            first_id=whole(data["U"]),
            last_id=whole(data["u"]),
            is_snapshot=False,
            bids=self._levels(data["b"]),
            asks=self._levels(data["a"]),
        )
        return self._sequencer.update(update, previous_id=data.get("pu", 0))

    def _trade(self, data: Message, received_at_ns: Nanos) -> TradePrint | None:
        if data.get("X", "MARKET") != "MARKET":  # the liquidation fund's own: no one's aggression
            self._findings.report.other_messages += 1
            return None
        trade = TradePrint(
            exchange_at_ns=self._clocks.exchange("trade", whole(data["T"]) * NS_PER_MS),
            received_at_ns=received_at_ns,
            price=Ticks(self._prices[data["p"]]),
            size=Lots(self._sizes[data["q"]]),
            buyer_is_aggressor=not data["m"],
            trade_id=whole(data["t"]),
        )
        if not self._plausibility.admits_trade(trade, self._findings):
            return None
        self._findings.report.trades += 1
        if self._book_from_quotes:  # no depth is read that would tell the offset
            self._clocks.note_offset(
                received_at_ns=received_at_ns, exchange_at_ns=trade.exchange_at_ns
            )
        return trade

    def _best_quote(self, data: Message, received_at_ns: Nanos) -> BestQuote | None:
        quote = self._read_quote(data, received_at_ns)
        if quote is not None:
            self._findings.report.best_quotes += 1
        return quote

    def _book_of_quote(self, data: Message, received_at_ns: Nanos) -> DepthUpdate | None:
        quote = self._read_quote(data, received_at_ns)
        if quote is None:
            return None
        report = self._findings.report
        report.depth_updates += 1
        report.snapshots += 1
        report.one_level_books += 1
        return one_level_book(quote, sequence_id=whole(data["u"]))

    def _read_quote(self, data: Message, received_at_ns: Nanos) -> BestQuote | None:
        stamped_ms = data.get("E")
        if stamped_ms is None:  # spot stamps no best quotes
            exchange_at_ns = self._latest(received_at_ns)
        else:
            exchange_at_ns = self._clocks.exchange("best", whole(stamped_ms) * NS_PER_MS)
        quote = BestQuote(
            exchange_at_ns=exchange_at_ns,
            received_at_ns=received_at_ns,
            bid=Ticks(self._prices[data["b"]]),
            bid_size=Lots(self._sizes[data["B"]]),
            ask=Ticks(self._prices[data["a"]]),
            ask_size=Lots(self._sizes[data["A"]]),
        )
        return quote if self._plausibility.admits_quote(quote, self._findings) else None

    def _other(self, data: Message, received_at_ns: Nanos) -> None:
        self._findings.report.other_messages += 1

    def _latest(self, received_at_ns: Nanos) -> Nanos:
        return Nanos(self._clocks.latest_exchange_ns or received_at_ns)

    def _levels(self, levels: list[list[str]]) -> tuple[Level, ...]:
        prices, sizes = self._prices, self._sizes
        # Hundreds of thousands of levels pass here: one cast for all spares two calls for each.
        pairs = tuple([(prices[price], sizes[size]) for price, size in levels])
        return cast("tuple[Level, ...]", pairs)

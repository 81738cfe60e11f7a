"""An hour of Binance spot as three JSON files: the snapshot, the depth updates, the trades.

The files carry no clock but the venue's, so received time is exchange time: the event time of an
update and the transaction time of a trade. A trade comes before an update of the same instant, so
that the book a trade meets is the last one strictly before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from heapq import merge
from pathlib import Path
from typing import cast

import orjson

from dmm.adapters.feeds.binance_instrument import SPOT, instrument_of_snapshot
from dmm.adapters.feeds.binance_message import Message, shown, whole
from dmm.adapters.feeds.clocks import Clocks
from dmm.adapters.feeds.files import array_elements, name_of, read_whole
from dmm.adapters.feeds.findings import Findings
from dmm.adapters.feeds.plausibility import Plausibility
from dmm.adapters.feeds.scale import OffGrid, Scale
from dmm.adapters.feeds.sequence import Sequencer
from dmm.market.instrument import Instrument
from dmm.market.tape import DepthUpdate, FeedEvent, Level, TapeReport, TradePrint
from dmm.units.amount import Lots, Ticks
from dmm.units.time import NS_PER_MS, Nanos

UPDATE_SUFFIX = "_update.json"
SNAPSHOT_SUFFIX = "_snapshot.json"
TRADES_SUFFIX = "_trades.json"

UNSHAPED = (KeyError, TypeError, ValueError, AttributeError)
"""What using a message of another shape raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """The three files of an hour."""

    snapshot: Path
    update: Path
    trades: Path

    @property
    def files(self) -> tuple[Path, Path, Path]:
        """Return all three."""
        return self.snapshot, self.update, self.trades


def hour_of(update: Path) -> Hour:
    """Return the hour named by its ``…_update.json``; the others lie beside it."""
    stem = update.name.removesuffix(UPDATE_SUFFIX)
    return Hour(
        snapshot=update.with_name(stem + SNAPSHOT_SUFFIX),
        update=update,
        trades=update.with_name(stem + TRADES_SUFFIX),
    )


def instrument_of_hours(
    hours: Sequence[Hour], *, allow_gaps: bool, tick_size: Decimal | None
) -> Instrument:
    """Return what the hours are about, told by their first elements and the first snapshot.

    Raises
    ------
    TapeFault
        If a file is not what it should be, the hours are of several instruments or out of order.
    UsageFault
        If a file is missing or cannot be read.
    """
    symbols: set[str] = set()
    before_ms = 0
    for hour in hours:
        findings = Findings(allow_gaps=allow_gaps)
        update = first_of(hour.update, findings)
        trade = first_of(hour.trades, Findings(allow_gaps=allow_gaps))
        if update is None or type(update.get("E")) is not int:
            raise findings.fault("holds no depth updates: fetch the file again")
        symbols.update(str(message.get("s")) for message in (update, trade) if message)
        if len(symbols) > 1:
            raise findings.fault(f"mixed instruments {sorted(symbols)}: give one tape at a time")
        if update["E"] < before_ms:
            raise findings.fault("files in the wrong order: name the earlier hour first")
        before_ms = update["E"]
    findings = Findings(allow_gaps=allow_gaps)
    return instrument_of_snapshot(
        snapshot_message(hours[0].snapshot, findings),
        venue=SPOT,
        symbol=symbols.pop(),
        tick_size=tick_size,
        findings=findings,
    )


def first_of(path: Path, findings: Findings) -> Message | None:
    """Return a file's first object, None for an empty array."""
    findings.open_file(name_of(path), unit="element")
    for element in array_elements(path, findings):
        findings.position = 1
        return decoded(element, findings)
    return None


def decoded(element: bytes, findings: Findings) -> Message | None:
    """Return an element's object, or None for a damaged one where gaps are allowed.

    Raises
    ------
    TapeFault
        If it is damaged and gaps are not allowed.
    """
    try:
        message = orjson.loads(element)
    except ValueError:
        message = None
    if isinstance(message, dict):
        return message
    findings.meet("truncated_lines", f"the element is cut or damaged: {shown(element)}")
    return None


def messages_of(path: Path, findings: Findings, *, symbol: str | None) -> Iterator[Message]:
    """Yield and count the objects of a JSON array; any instrument's when `symbol` is None.

    Raises
    ------
    TapeFault
        If the file is no such array, an object is damaged (where gaps are not allowed), or it is
        of another instrument.
    """
    findings.open_file(name_of(path), unit="element")
    for element in array_elements(path, findings):
        findings.position += 1
        findings.report.messages += 1
        message = decoded(element, findings)
        if message is None:
            continue
        if symbol is not None and message.get("s") != symbol:
            raise findings.fault(
                f"mixed instruments: {message.get('s')} in a tape of {symbol}; "
                "give one tape at a time"
            )
        yield message


def trades_of(
    paths: Sequence[Path], *, instrument: Instrument, findings: Findings, notes_silence: bool
) -> Iterator[TradePrint]:
    """Yield the trades of some ``…_trades.json``, in order, those that are plausible.

    Raises
    ------
    TapeFault
        If a file's content is unusable, or has a flaw where gaps are not allowed.
    """
    clocks = Clocks(findings, notes_silence=notes_silence)
    plausibility = Plausibility()
    prices = Scale(what="price", step=instrument.tick_size, positive=True)
    sizes = Scale(what="size", step=instrument.lot_size, positive=False)
    for path in paths:
        for message in messages_of(path, findings, symbol=instrument.symbol):
            try:
                at_ns = clocks.exchange("trade", whole(message["T"]) * NS_PER_MS)
                trade = TradePrint(
                    exchange_at_ns=at_ns,
                    received_at_ns=clocks.received(at_ns),
                    price=Ticks(prices[message["p"]]),
                    size=Lots(sizes[message["q"]]),
                    buyer_is_aggressor=not message["m"],
                    trade_id=whole(message["a"]),
                )
            except OffGrid as error:
                raise findings.fault(str(error)) from error
            except UNSHAPED as error:
                raise findings.fault(f"no trade of Binance ({error!r})") from error
            if plausibility.admits_trade(trade, findings):
                findings.report.trades += 1
                yield trade


def snapshot_message(path: Path, findings: Findings) -> Message:
    """Return the snapshot of an hour's book; a fault if the file holds none."""
    findings.open_file(name_of(path))
    try:
        message = orjson.loads(read_whole(path, findings))
    except ValueError:
        message = None
    if not isinstance(message, dict) or "lastUpdateId" not in message:
        raise findings.fault("no snapshot of a book: fetch the file again")
    return message


class BinanceHourFeed:
    """One or several hours that continue each other; a `dmm.ports.Feed`."""

    def __init__(self, hours: Sequence[Hour], *, instrument: Instrument, allow_gaps: bool) -> None:
        self._hours = tuple(hours)
        self._instrument = instrument
        self._allow_gaps = allow_gaps
        self._report = TapeReport()
        self._prices = Scale(what="price", step=instrument.tick_size, positive=True)
        self._sizes = Scale(what="size", step=instrument.lot_size, positive=False)

    @property
    def instrument(self) -> Instrument:
        """Return what the hours are about."""
        return self._instrument

    @property
    def report(self) -> TapeReport:
        """Return what the present reading counted so far."""
        return self._report

    def events(self) -> Iterator[FeedEvent]:
        """Yield the hours' events in the order of the venue's time; each call reads them anew.

        Raises
        ------
        TapeFault
            If the content is unusable, or has a flaw where gaps are not allowed.
        UsageFault
            If a file cannot be read.
        """
        self._report = TapeReport()
        return merge(self._trades(), self._depth(), key=_received_at_ns)

    def _depth(self) -> Iterator[DepthUpdate]:
        findings = Findings(allow_gaps=self._allow_gaps, report=self._report)
        clocks = Clocks(findings)
        sequencer = Sequencer(by_previous_id=False, findings=findings)
        for hour in self._hours:
            snapshot = self._snapshot(hour.snapshot, Findings(allow_gaps=self._allow_gaps))
            self._report.messages += 1
            due: DepthUpdate | None = snapshot
            before: DepthUpdate | None = None
            for update in self._updates(hour.update, findings, clocks):
                if due is not None and update.last_id > due.last_id:
                    # A snapshot has no time: it is as old as the last update that it holds.
                    book = sequencer.snapshot(_stamped(due, like=before or update))
                    due = None
                    if book is not None:
                        yield book
                before = update
                state = sequencer.update(update, previous_id=0)
                if state is not None:
                    yield state
        sequencer.require_started()

    def _updates(self, path: Path, findings: Findings, clocks: Clocks) -> Iterator[DepthUpdate]:
        for message in messages_of(path, findings, symbol=self._instrument.symbol):
            try:
                at_ns = clocks.exchange("depth", whole(message["E"]) * NS_PER_MS)
                update = DepthUpdate(
                    exchange_at_ns=at_ns,
                    received_at_ns=clocks.received(at_ns),
                    first_id=whole(message["U"]),
                    last_id=whole(message["u"]),
                    is_snapshot=False,
                    bids=self._levels(message["b"]),
                    asks=self._levels(message["a"]),
                )
            except OffGrid as error:
                raise findings.fault(str(error)) from error
            except UNSHAPED as error:
                raise findings.fault(f"no depth update of Binance ({error!r})") from error
            yield update

    def _trades(self) -> Iterator[TradePrint]:
        return trades_of(
            [hour.trades for hour in self._hours],
            instrument=self._instrument,
            findings=Findings(allow_gaps=self._allow_gaps, report=self._report),
            notes_silence=False,
        )

    def _snapshot(self, path: Path, findings: Findings) -> DepthUpdate:
        message = snapshot_message(path, findings)
        try:
            return DepthUpdate(
                exchange_at_ns=Nanos(0),
                received_at_ns=Nanos(0),
                first_id=whole(message["lastUpdateId"]),
                last_id=whole(message["lastUpdateId"]),
                is_snapshot=True,
                bids=self._levels(message["bids"]),
                asks=self._levels(message["asks"]),
            )
        except OffGrid as error:
            raise findings.fault(str(error)) from error
        except UNSHAPED as error:
            raise findings.fault(f"no snapshot of a book ({error!r})") from error

    def _levels(self, levels: list[list[str]]) -> tuple[Level, ...]:
        prices, sizes = self._prices, self._sizes
        pairs = tuple([(prices[price], sizes[size]) for price, size in levels])
        return cast("tuple[Level, ...]", pairs)


def _stamped(snapshot: DepthUpdate, *, like: DepthUpdate) -> DepthUpdate:
    return replace(snapshot, exchange_at_ns=like.exchange_at_ns, received_at_ns=like.received_at_ns)


def _received_at_ns(event: FeedEvent) -> int:
    return event.received_at_ns

"""Hours of Binance spot of which only the trades are left: trade statistics, no book."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import islice
from pathlib import Path

from dmm.adapters.feeds.binance_hour import (
    SNAPSHOT_SUFFIX,
    TRADES_SUFFIX,
    UNSHAPED,
    messages_of,
    snapshot_message,
    trades_of,
)
from dmm.adapters.feeds.binance_instrument import SPOT, binance_instrument, instrument_of_snapshot
from dmm.adapters.feeds.files import name_of
from dmm.adapters.feeds.findings import Findings
from dmm.adapters.feeds.scale import OffGrid
from dmm.market.instrument import Instrument
from dmm.market.tape import TapeReport, TradePrint

HEAD_TRADES_MAX = 20_000
"""Trades from which tick and lot are told where no snapshot lies beside them."""


def instrument_of_trades(
    paths: Sequence[Path], *, allow_gaps: bool, tick_size: Decimal | None
) -> Instrument:
    """Return what the hours are about: by the snapshot beside the first, else by its trades.

    Raises
    ------
    TapeFault
        If a file holds no trades of Binance.
    UsageFault
        If a file cannot be read.
    """
    first = paths[0]
    findings = Findings(allow_gaps=allow_gaps)
    head = list(islice(messages_of(first, findings, symbol=None), HEAD_TRADES_MAX))
    findings.open_file(name_of(first), unit="element")
    symbol = head[0].get("s") if head else None
    if not isinstance(symbol, str):
        raise findings.fault("holds no trades: fetch the file again")
    snapshot = first.with_name(first.name.removesuffix(TRADES_SUFFIX) + SNAPSHOT_SUFFIX)
    if snapshot.is_file():
        beside = Findings(allow_gaps=allow_gaps)
        return instrument_of_snapshot(
            snapshot_message(snapshot, beside),
            venue=SPOT,
            symbol=symbol,
            tick_size=tick_size,
            findings=beside,
        )
    try:
        return binance_instrument(
            prices=[trade["p"] for trade in head],
            sizes=[trade["q"] for trade in head],
            venue=SPOT,
            symbol=symbol,
            tick_size=tick_size,
        )
    except OffGrid as error:
        raise findings.fault(str(error)) from error
    except UNSHAPED as error:
        raise findings.fault(f"no trades of Binance ({error!r})") from error


class BinanceTradesFeed:
    """One or several hours of trades; a `dmm.ports.Feed` that never has a book."""

    def __init__(self, paths: Sequence[Path], *, instrument: Instrument, allow_gaps: bool) -> None:
        self._paths = tuple(paths)
        self._instrument = instrument
        self._allow_gaps = allow_gaps
        self._report = TapeReport()

    @property
    def instrument(self) -> Instrument:
        """Return what the trades are of."""
        return self._instrument

    @property
    def report(self) -> TapeReport:
        """Return what the present reading counted so far."""
        return self._report

    def events(self) -> Iterator[TradePrint]:
        """Yield the trades in the order of the venue's time; each call reads them anew.

        Raises
        ------
        TapeFault
            If the content is unusable, or has a flaw where gaps are not allowed.
        UsageFault
            If a file cannot be read.
        """
        self._report = TapeReport(warnings=["trades alone: no book, so nothing can be quoted"])
        return trades_of(
            self._paths,
            instrument=self._instrument,
            findings=Findings(allow_gaps=self._allow_gaps, report=self._report),
            notes_silence=True,
        )

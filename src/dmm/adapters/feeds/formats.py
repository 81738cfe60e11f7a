"""Which format a file has, told by its name where the venue names it, else by its first bytes."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from dmm.adapters.feeds.binance_hour import SNAPSHOT_SUFFIX, TRADES_SUFFIX, UPDATE_SUFFIX
from dmm.adapters.feeds.coinbase import BEGINNING
from dmm.adapters.feeds.files import name_of
from dmm.adapters.feeds.findings import Findings
from dmm.adapters.feeds.native import HEADER_KEY
from dmm.adapters.feeds.parquet import is_parquet, schema_of
from dmm.adapters.feeds.rows import header_of
from dmm.units.errors import TapeFault, UsageFault


class Format(StrEnum):
    """The formats we read; the last five are series, not tapes of events."""

    BINANCE_RAW = "binance-raw"
    BINANCE_HOUR = "binance-hour"
    BINANCE_TRADES = "binance-trades"
    HYPERLIQUID = "hyperliquid"
    TARDIS = "tardis"
    COINBASE = "coinbase"
    NATIVE = "native"
    POOL_MINUTES = "pool-minutes"
    FUNDING = "funding"
    DAILY_BARS = "daily-bars"
    MINUTE_BARS = "minute-bars"
    POLLS = "polls"

    @property
    def is_tape(self) -> bool:
        """Tell whether it is a tape of events."""
        return self not in SERIES


SERIES = frozenset(
    {Format.POOL_MINUTES, Format.FUNDING, Format.DAILY_BARS, Format.MINUTE_BARS, Format.POLLS}
)

NUMPY_MAGIC = b"\x93NUMPY"
HEADERS = (
    (b"exchange,symbol,timestamp,local_timestamp", Format.TARDIS),
    (b"timestamp,netAmount0,netAmount1", Format.POOL_MINUTES),
    (b"timestamp,price,size,side", Format.HYPERLIQUID),
    (b"timestamp,sequence,exchange_timestamp,bid_price_0", Format.HYPERLIQUID),
    (b"Symbol,Date,Funding Rate", Format.FUNDING),
    (b",DATE,OPEN,HIGH,LOW,CLOSE,VOLUME", Format.DAILY_BARS),
    (NUMPY_MAGIC, Format.MINUTE_BARS),
)
POLL_COLUMNS = frozenset({"ts", "slug", "bid", "ask"})


def format_of(paths: Sequence[Path]) -> Format:
    """Return the one format of some files.

    A ``…_trades.json`` named alone is a tape of trades; beside its ``…_update.json`` it is part of
    the hour and must not be named. What has no known beginning is taken for a raw recording, whose
    reader says what it expected.

    Raises
    ------
    UsageFault
        If there is no path, one is named twice, missing or unreadable, or a part of an hour.
    TapeFault
        If the formats are mixed.
    """
    if not paths:
        raise UsageFault("no tape given: name at least one file")
    if len(set(paths)) < len(paths):
        raise UsageFault("a tape file is named twice: name each once")
    found = [_format_of(path) for path in paths]
    if Format.BINANCE_HOUR in found and Format.BINANCE_TRADES in found:
        part = paths[found.index(Format.BINANCE_TRADES)]
        raise UsageFault(
            f"{part.name} is a part of an hour: name its …{UPDATE_SUFFIX} alone, or trades alone"
        )
    if len(set(found)) > 1:
        named = ", ".join(
            f"{name_of(path)} is {kind}" for path, kind in zip(paths, found, strict=True)
        )
        raise TapeFault(f"mixed formats: {named}; give files of one format")
    return found[0]


def _format_of(path: Path) -> Format:
    if path.name.endswith(UPDATE_SUFFIX):
        return Format.BINANCE_HOUR
    if path.name.endswith(TRADES_SUFFIX):
        return Format.BINANCE_TRADES
    if path.name.endswith(SNAPSHOT_SUFFIX):
        raise UsageFault(f"{path.name} is a part of an hour: name its …{UPDATE_SUFFIX} instead")
    if is_parquet(path):
        return _format_of_parquet(path)
    header = header_of(path)
    for beginning, kind in HEADERS:
        if header.startswith(beginning):
            return kind
    if BEGINNING.match(header):
        return Format.COINBASE
    return Format.BINANCE_RAW


def _format_of_parquet(path: Path) -> Format:
    findings = Findings(allow_gaps=False)
    findings.open_file(name_of(path))
    columns, metadata = schema_of(path, findings)
    if HEADER_KEY in metadata:
        return Format.NATIVE
    return Format.POLLS if columns >= POLL_COLUMNS else Format.HYPERLIQUID

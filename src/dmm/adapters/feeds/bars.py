"""Bars: daily OHLC as CSV, and minutes as a gzip numpy array of several coins."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from dmm.adapters.feeds.calendar import utc_ns
from dmm.adapters.feeds.files import name_of
from dmm.adapters.feeds.findings import Findings
from dmm.adapters.feeds.messages import understood
from dmm.adapters.feeds.rows import Row, rows_of
from dmm.market.series import Bars, Floats, SeriesReport
from dmm.units.errors import TapeFault, UsageFault
from dmm.units.time import NS_PER_S

DAY_NS = 86_400 * NS_PER_S
MINUTE_NS = 60 * NS_PER_S
DAILY_COLUMNS = ("DATE", "OPEN", "HIGH", "LOW", "CLOSE", "VOLUME")
DAYS_MAX = 100_000
ARRAY_BYTES_MAX = 1 << 30
COINS = ("BTC", "ETH")
"""Coins of a minute array, in the order of its second axis."""

FIELDS = 4
"""Of its third axis: high, low, close, quote volume."""


def open_daily_bars(path: Path) -> Bars:
    """Return daily bars; the symbol is the file's name.

    Raises
    ------
    TapeFault
        If a row is cut, its prices contradict each other, or days do not rise.
    UsageFault
        If the file cannot be read.
    """
    findings = Findings(allow_gaps=False)
    rows: list[tuple[float, ...]] = []
    days: list[int] = []
    for row in rows_of(path, DAILY_COLUMNS, findings):
        if len(rows) >= DAYS_MAX:
            raise findings.fault(f"more than {DAYS_MAX} days: no daily bars")
        at_ns, prices = understood(_day, row, findings)
        if days and at_ns <= days[-1]:
            raise findings.fault(f"{row[0]} does not come after the day before: sort the file")
        days.append(at_ns)
        rows.append(prices)
    if not rows:
        raise findings.fault("holds no bars: leave the file out")
    table = np.array(rows, dtype=np.float64)
    missing = sum((after - before) // DAY_NS - 1 for before, after in pairwise(days))
    bars = Bars(
        symbol=path.stem.upper(),
        interval_ns=DAY_NS,
        at_ns=np.array(days, dtype=np.int64),
        open=table[:, 0],
        high=table[:, 1],
        low=table[:, 2],
        close=table[:, 3],
        volume=table[:, 4],
        volume_unit="quote",
        is_dated=True,
        report=SeriesReport(rows=len(rows), missing=missing),
    )
    _require_possible(bars, path)
    return bars


def open_minute_bars(
    path: Path, *, symbol: str, coins: Sequence[str] = COINS, started_at_ns: int = 0
) -> Bars:
    """Return one coin's minutes of an array [minute, coin, high · low · close · quote volume].

    Parameters
    ----------
    path : a gzip .npy of float64
    symbol : one of `coins`
    coins : what the array's second axis holds
    started_at_ns : the first minute; 0 where it is unknown, and the bars are not dated

    Raises
    ------
    UsageFault
        If the coin is not in the array, or the file cannot be read.
    TapeFault
        If it is no such array, or its prices contradict each other.
    """
    if symbol not in coins:
        raise UsageFault(f"{path.name} holds no {symbol}: it has {', '.join(coins)}")
    table = _array(path)
    if table.ndim != len(("minute", "coin", "field")) or table.shape[1:] != (len(coins), FIELDS):
        raise TapeFault(
            f"{name_of(path)}: an array of shape {table.shape}, expected (minutes, {len(coins)}, "
            f"{FIELDS})"
        )
    high, low, close, volume = (
        np.ascontiguousarray(table[:, coins.index(symbol), field]) for field in range(FIELDS)
    )
    bars = Bars(
        symbol=symbol,
        interval_ns=MINUTE_NS,
        at_ns=started_at_ns + MINUTE_NS * np.arange(len(table), dtype=np.int64),
        open=None,
        high=high,
        low=low,
        close=close,
        volume=volume,
        volume_unit="quote",
        is_dated=started_at_ns > 0,
        report=SeriesReport(rows=len(table)),
    )
    _require_possible(bars, path)
    return bars


def _day(row: Row) -> tuple[int, tuple[float, ...]]:
    return utc_ns(row[0]), tuple(float(cell) for cell in row[1:])


def _array(path: Path) -> Floats:
    try:
        with gzip.open(path, "rb") as file:
            body = file.read(ARRAY_BYTES_MAX + 1)
    except FileNotFoundError:
        raise UsageFault(f"no file {path}: check the path of the bars") from None
    except (OSError, EOFError, zlib.error) as error:
        raise TapeFault(
            f"{name_of(path)}: cut or damaged gzip ({error}): fetch it again"
        ) from error
    if len(body) > ARRAY_BYTES_MAX:
        raise TapeFault(f"{name_of(path)}: more than {ARRAY_BYTES_MAX} bytes unpacked")
    try:
        table = np.load(io.BytesIO(body), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise TapeFault(f"{name_of(path)}: no numpy array ({error}): fetch it again") from error
    return np.asarray(table, dtype=np.float64)


def _require_possible(bars: Bars, path: Path) -> None:
    shown = (bars.high, bars.low, bars.close, bars.volume)
    is_broken = ~np.isfinite(np.stack(shown)).all(axis=0)
    is_broken |= (bars.low <= 0) | (bars.volume < 0)
    is_broken |= (bars.close > bars.high) | (bars.close < bars.low)
    if is_broken.any():
        at = int(np.argmax(is_broken))
        raise TapeFault(
            f"{name_of(path)}, bar {at + 1}: low {bars.low[at]} ≤ close {bars.close[at]} ≤ high "
            f"{bars.high[at]} with a volume of {bars.volume[at]} is no bar: fetch the file again"
        )

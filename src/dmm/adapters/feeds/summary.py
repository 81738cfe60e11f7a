"""What a file holds, told by reading all of it once: for people, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from dmm.adapters.feeds.bars import COINS, open_daily_bars, open_minute_bars
from dmm.adapters.feeds.formats import Format, format_of
from dmm.adapters.feeds.funding import open_funding
from dmm.adapters.feeds.polls import open_polls
from dmm.adapters.feeds.pool_minutes import PoolMinutes
from dmm.adapters.feeds.tape import open_tape, source_files
from dmm.market.book import Book
from dmm.market.instrument import ContractKind
from dmm.market.series import RATE_ONE
from dmm.market.tape import FLAWS, DepthUpdate, TradePrint
from dmm.ports import Feed
from dmm.units.errors import UsageFault
from dmm.units.time import NS_PER_S

Summary: TypeAlias = dict[str, Any]


def summary_of(
    paths: Sequence[Path],
    *,
    allow_gaps: bool = False,
    tick_size: Decimal | None = None,
    symbol: str | None = None,
    book_from_quotes: bool = False,
) -> Summary:
    """Return what some files hold; every format is understood, tapes and series.

    Parameters
    ----------
    paths, allow_gaps, tick_size, symbol, book_from_quotes : as for `open_tape`

    Raises
    ------
    UsageFault, TapeFault, ServiceFault
        As for `open_tape`.
    """
    found = format_of(paths)
    head: Summary = {
        "files": [path.name for path in paths],
        "format": found.value,
        "bytes": sum(path.stat().st_size for path in source_files(paths) if path.is_file()),
    }
    if not found.is_tape:
        return head | _series(paths, found)
    feed = open_tape(
        paths,
        allow_gaps=allow_gaps,
        tick_size=tick_size,
        symbol=symbol,
        book_from_quotes=book_from_quotes,
    )
    return head | _tape(feed)


def _tape(feed: Feed) -> Summary:
    book = Book()
    first = last = None
    times: list[int] = []
    spread_sum = states = levels = volume = buys = 0
    for event in feed.events():
        times = [times[0] if times else event.received_at_ns, event.received_at_ns]
        if isinstance(event, DepthUpdate):
            levels += len(event.bids) + len(event.asks)
            book.apply(event)
            bid, ask = book.best_bid, book.best_ask
            if bid is not None and ask is not None:
                last = {"bid": int(bid[0]), "ask": int(ask[0])}
                first = first or last
                spread_sum += ask[0] - bid[0]
                states += 1
        elif isinstance(event, TradePrint):
            volume += event.size
            buys += event.buyer_is_aggressor
    instrument, report = feed.instrument, feed.report
    is_inverse = instrument.kind is ContractKind.INVERSE
    counts = asdict(report)
    warnings, offset_ms = counts.pop("warnings"), counts.pop("clock_offset_ms")
    return {
        "kind": "tape",
        "instrument": instrument.to_json(),
        **_span(times),
        "counts": counts,
        "levels": levels,
        "flaws": {name: counts[name] for name in FLAWS if counts[name]},
        "clock_offset_ms": offset_ms,
        "first": first,
        "last": last,
        "spread_ticks": spread_sum / states if states else None,
        "volume": str(volume * instrument.lot_size),
        "volume_unit": "contracts" if is_inverse else instrument.position.symbol,
        "buy_share": buys / report.trades if report.trades else None,
        "warnings": warnings,
    }


def _span(times: Sequence[int]) -> Summary:
    if not times:
        return {"first_ns": None, "last_ns": None, "first_at": None, "last_at": None, "seconds": 0}
    first_ns, last_ns = int(times[0]), int(times[-1])
    return {
        "first_ns": first_ns,
        "last_ns": last_ns,
        "first_at": _shown(first_ns),
        "last_at": _shown(last_ns),
        "seconds": (last_ns - first_ns) / NS_PER_S,
    }


def _shown(at_ns: int) -> str:
    whole_s, rest_ns = divmod(at_ns, NS_PER_S)
    return f"{datetime.fromtimestamp(whole_s, UTC):%Y-%m-%d %H:%M:%S}.{rest_ns // 1_000_000:03d}"


def _series(paths: Sequence[Path], found: Format) -> Summary:
    if found is Format.POOL_MINUTES:
        return _pool_minutes(paths)
    if len(paths) > 1:
        raise UsageFault(f"{found} files stand alone: name one of {len(paths)}")
    match found:
        case Format.FUNDING:
            return _funding(paths[0])
        case Format.POLLS:
            return _polls(paths[0])
        case _:
            return _bars(paths[0], found)


def _pool_minutes(paths: Sequence[Path]) -> Summary:
    minutes = PoolMinutes(paths)
    times: list[int] = []
    ticks: list[int] = []
    for minute in minutes:
        times = [times[0] if times else minute.at_ns, minute.at_ns]
        ticks = [ticks[0] if ticks else minute.open_tick, minute.close_tick]
    body = {"kind": "pool minutes", **_span(times), "first_tick": None, "last_tick": None}
    if ticks:
        body |= {"first_tick": ticks[0], "last_tick": ticks[-1]}
    return body | asdict(minutes.report)


def _funding(path: Path) -> Summary:
    history = open_funding(path)
    return {
        "kind": "funding",
        "symbol": history.symbol,
        "venue": history.venue,
        "interval_s": history.interval_ns // NS_PER_S,
        **_span(history.at_ns.tolist()),
        "mean_rate": float(np.mean(history.rate_e18)) / RATE_ONE,
        **asdict(history.report),
    }


def _bars(path: Path, found: Format) -> Summary:
    every = (
        [open_daily_bars(path)]
        if found is Format.DAILY_BARS
        else [open_minute_bars(path, symbol=coin) for coin in COINS]
    )
    bars = every[0]
    dated = _span(bars.at_ns.tolist()) if bars.is_dated else _span(())
    return {
        "kind": "bars",
        "symbols": [each.symbol for each in every],
        "interval_s": bars.interval_ns // NS_PER_S,
        "is_dated": bars.is_dated,
        **dated,
        "last_close": [float(each.close[-1]) for each in every],
        **asdict(bars.report),
    }


def _polls(path: Path) -> Summary:
    rows = empty = 0
    markets: set[str] = set()
    ends: list[tuple[int, int]] = []
    for piece in open_polls(path):
        rows += len(piece.at_ns)
        empty += int((np.isnan(piece.bid) | np.isnan(piece.ask)).sum())
        markets.update(piece.slugs)
        ends.append((int(piece.at_ns.min()), int(piece.at_ns.max())))
    return {
        "kind": "polls",
        "markets": len(markets),
        **_span((min(low for low, _ in ends), max(high for _, high in ends)) if ends else ()),
        "rows": rows,
        "empty": empty,
        "warnings": [],
    }

"""Recordings without a book as plain prices: bars, pool minutes and polled quotes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import numpy as np

from dmm.adapters.feeds.bars import COINS, open_daily_bars, open_minute_bars
from dmm.adapters.feeds.files import name_of
from dmm.adapters.feeds.formats import Format, format_of
from dmm.adapters.feeds.polls import open_polls
from dmm.adapters.feeds.pool_minutes import MINUTE_NS, PoolMinutes
from dmm.calibration.price_series import PriceSeries
from dmm.market.series import Bars, Floats, Longs, Polls
from dmm.units.errors import TapeFault, UsageFault
from dmm.units.time import NS_PER_S

DECIMALS_MAX = 8
"""Decimals up to which a tick is looked for: prices of more are no multiples of any tick."""

POOL_TICK = 1e-4
"""A pool's tick: its price is 1.0001^tick."""

OFF_TICK_MAX = 1e-6
"""Share of a tick by which a price may miss its multiple: what a float of a decimal loses."""


def open_prices(
    paths: Sequence[Path], *, tick_size: Decimal | None = None, symbol: str | None = None
) -> PriceSeries:
    """Return the prices of a recording that is no tape of events.

    Parameters
    ----------
    paths : of one format; pool minutes may continue each other, the others stand alone
    tick_size : quote per base, > 0; None for the coarsest power of ten that holds every price
    symbol : the coin or market, where a file holds several; None for the first coin, and for the
        market whose mid moved most often

    Raises
    ------
    UsageFault
        If the format has no prices, a file cannot be read, or it does not hold the symbol.
    TapeFault
        If the content is damaged or contradicts itself.
    """
    found = format_of(paths)
    if found is Format.POOL_MINUTES:
        if tick_size is not None:
            raise UsageFault("--tick-size: a pool has its own ticks, one basis point of the price")
        return _pool(paths)
    if len(paths) > 1:
        raise UsageFault(f"{found} files stand alone: name one of {len(paths)}")
    match found:
        case Format.DAILY_BARS:
            return _bars(open_daily_bars(paths[0]), "daily bars", tick_size, ())
        case Format.MINUTE_BARS:
            coin = symbol or COINS[0]
            others = ", ".join(other for other in COINS if other != coin)
            told = () if symbol else (f"{coin} of the file's coins is measured: --symbol {others}",)
            return _bars(open_minute_bars(paths[0], symbol=coin), "minute bars", tick_size, told)
        case Format.POLLS:
            return _polls(paths[0], tick_size, symbol)
        case _:
            raise UsageFault(
                f"{name_of(paths[0])} holds {found}, no prices: σ cannot be measured on it; "
                "`dmm tape info` tells what it holds"
            )


def tick_of(*prices: Floats) -> tuple[float, bool]:
    """Return the coarsest power of ten, 1 at the most, of which all prices are multiples.

    The second value tells whether there is one of at most `DECIMALS_MAX` decimals; else the tick is
    the finest looked for.
    """
    every = np.concatenate(prices)
    for decimals in range(DECIMALS_MAX + 1):
        scaled = every * 10.0**decimals
        if (np.abs(scaled - np.rint(scaled)) <= OFF_TICK_MAX).all():
            return 10.0**-decimals, True
    return 10.0**-DECIMALS_MAX, False


def _tick(given: Decimal | None, *prices: Floats) -> tuple[float, tuple[str, ...]]:
    if given is not None:
        return float(given), ()
    tick, is_exact = tick_of(*prices)
    if is_exact:
        return tick, ()
    return tick, (
        f"prices are no multiples of a tick of {DECIMALS_MAX} decimals: {tick:g} is used",
    )


def _bars(bars: Bars, kind: str, tick_size: Decimal | None, told: tuple[str, ...]) -> PriceSeries:
    tick, of_tick = _tick(tick_size, bars.close, bars.low, bars.high)
    is_quote = bars.volume_unit == "quote"
    return PriceSeries(
        symbol=bars.symbol,
        kind=kind,
        tick_size=tick,
        interval_s=bars.interval_ns / NS_PER_S,
        is_dated=bars.is_dated,
        # A close is the price at the end of its bar.
        at_ns=bars.at_ns + bars.interval_ns,
        price=bars.close / tick,
        low=bars.low / tick,
        high=bars.high / tick,
        volume_base=float(np.sum(bars.volume / bars.close if is_quote else bars.volume)),
        warnings=(*told, *of_tick, *bars.report.warnings),
    )


def _pool(paths: Sequence[Path]) -> PriceSeries:
    minutes = PoolMinutes(paths)
    rows = [
        (minute.at_ns, minute.close_tick, minute.lowest_tick, minute.highest_tick)
        for minute in minutes
    ]
    if not rows:
        raise TapeFault(f"{name_of(paths[0])}: holds no minutes: leave the file out")
    at_ns, close, low, high = np.array(rows, dtype=np.int64).T
    told = (
        "prices are the pool's ticks, one basis point of token 1 per token 0 in atoms each; the "
        "file names neither tokens nor decimals, so no volume in base is given"
    )
    return PriceSeries(
        symbol="pool",
        kind="pool minutes",
        tick_size=POOL_TICK,
        interval_s=MINUTE_NS / NS_PER_S,
        is_dated=True,
        at_ns=at_ns + MINUTE_NS,
        price=close.astype(np.float64),
        low=low.astype(np.float64),
        high=high.astype(np.float64),
        log_price=True,
        warnings=(told, *minutes.report.warnings),
    )


def _polls(path: Path, tick_size: Decimal | None, symbol: str | None) -> PriceSeries:
    told: tuple[str, ...] = ()
    if symbol is None:
        symbol, markets = _liveliest(path)
        told = (f"{symbol} of {markets:,} markets is measured: --symbol takes another",)
    parts = [_quotes_of(piece, symbol) for piece in open_polls(path)]
    at_ns = np.concatenate([part[0] for part in parts])
    bid, ask = (np.concatenate([part[side] for part in parts]) for side in (1, 2))
    if not at_ns.size:
        raise UsageFault(f"{name_of(path)} holds no two-sided quotes of {symbol!r}: name another")
    at_ns, first = np.unique(at_ns, return_index=True)
    bid, ask = bid[first], ask[first]
    tick, of_tick = _tick(tick_size, bid, ask)
    return PriceSeries(
        symbol=symbol,
        kind="polled quotes",
        tick_size=tick,
        interval_s=float(np.median(np.diff(at_ns))) / NS_PER_S if at_ns.size > 1 else 0.0,
        is_dated=True,
        at_ns=at_ns,
        price=(bid + ask) / 2 / tick,
        bid=bid / tick,
        ask=ask / tick,
        warnings=(*told, *of_tick),
    )


def _quotes_of(piece: Polls, symbol: str) -> tuple[Longs, Floats, Floats]:
    wanted = piece.slugs.index(symbol) if symbol in piece.slugs else -1
    # A quote of nought or crossed is no market: nobody could have traded at it.
    kept = (piece.market == wanted) & (piece.bid > 0) & (piece.ask > piece.bid)
    return piece.at_ns[kept], piece.bid[kept], piece.ask[kept]


def _liveliest(path: Path) -> tuple[str, int]:
    """Return the market whose mid moved most often, and how many there are."""
    moves: Counter[str] = Counter()
    for piece in open_polls(path):
        order = np.argsort(piece.market, kind="stable")
        market = piece.market[order]
        mid = (piece.bid + piece.ask)[order]
        moved = (np.diff(mid) != 0) & (np.diff(market) == 0) & ~np.isnan(np.diff(mid))
        counts = np.bincount(market[1:][moved], minlength=len(piece.slugs))
        for slug, count in zip(piece.slugs, counts.tolist(), strict=True):
            moves[slug] += count
    if not moves:
        raise TapeFault(f"{name_of(path)}: holds no quotes: leave the file out")
    return min(moves, key=lambda slug: (-moves[slug], slug)), len(moves)

"""What prices by the interval say without a book: volatility, realised and by range.

A bar, a pool's minute or a polled quote tells no order and no trade, so nothing is said of arrivals
and flow. Volatility needs prices alone: a change over Δt seconds counts as one of √Δt.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dmm.calibration.bootstrap import Interval
from dmm.calibration.volatility import (
    HORIZON_S,
    SIGMA_BPS_MAX,
    SIGMA_BPS_MIN,
    ewma_variance,
    horizon_bps,
    sigma_interval,
)
from dmm.units.errors import TapeFault
from dmm.units.time import NS_PER_S

Floats = NDArray[np.float64]

PRICES_MIN = 2
"""Prices below which there is no change."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PriceSeries:
    """Prices of one instrument at rising times, in ticks.

    `tick_size` is quote per base, or a share of the price where `log_price` is True: then a tick is
    that step of the logarithm, as in a pool. `low` and `high` are the ranges of the intervals that
    end with each price, `bid` and `ask` the quotes behind them; None where the source has none.
    `volume_base` is None where it tells none. `interval_s` is the usual distance of two prices.
    """

    symbol: str
    kind: str
    tick_size: float
    interval_s: float
    is_dated: bool
    at_ns: NDArray[np.int64]
    price: Floats
    low: Floats | None = None
    high: Floats | None = None
    bid: Floats | None = None
    ask: Floats | None = None
    volume_base: float | None = None
    log_price: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesCalibration:
    """All that prices alone tell; basis points are 1e-4 of the price.

    `sigma_ticks_1s` is the population standard deviation of Δp/√Δt. `ewma_sigma_bps` is over one
    step, `realised_bps` = 1e4·√Σr² over the whole series, `range_bps` Parkinson's σ over one step,
    None without ranges. `spread_ticks` is None without quotes.
    """

    series: PriceSeries
    sigma_ticks_1s: Interval
    ewma_sigma_bps: float
    realised_bps: float
    range_bps: float | None
    spread_ticks: float | None
    warnings: tuple[str, ...]


def measure_series(series: PriceSeries, *, rng: np.random.Generator) -> SeriesCalibration:
    """Measure the volatility of prices by the interval.

    Parameters
    ----------
    series : at least two prices
    rng : draws the blocks of σ's interval

    Raises
    ------
    TapeFault
        With fewer than two prices, or times that do not rise.

    References
    ----------
    Parkinson (1980), The extreme value method for estimating the variance of the rate of return,
    Journal of Business 53(1): σ² = mean of ln(high/low)² over 4·ln 2.
    """
    if series.price.size < PRICES_MIN:
        raise TapeFault(
            f"{series.symbol}: {series.price.size} prices, {PRICES_MIN} are needed for a change"
        )
    steps_s = np.diff(series.at_ns) / NS_PER_S
    if not (steps_s > 0).all():
        raise TapeFault(f"{series.symbol}: times of the prices do not rise; sort the file")
    changes = np.diff(series.price) / np.sqrt(steps_s)
    returns = _log_ratio(series, series.price[1:], series.price[:-1])
    sigma = sigma_interval(changes, rng=rng)
    return SeriesCalibration(
        series=series,
        sigma_ticks_1s=sigma,
        ewma_sigma_bps=1e4 * math.sqrt(ewma_variance(returns)),
        realised_bps=1e4 * math.sqrt(float(np.sum(np.square(returns)))),
        range_bps=_range_bps(series),
        spread_ticks=_spread(series),
        warnings=(*series.warnings, *_caveats(series, sigma.value)),
    )


def sigma_horizon_bps(found: SeriesCalibration) -> float:
    """Return σ over the model's horizon in basis points of the last price."""
    series = found.series
    # One step of a logarithm is the same share of any price.
    at = 1 / series.tick_size if series.log_price else float(series.price[-1])
    return horizon_bps(found.sigma_ticks_1s.value, mid_ticks=at)


def _log_ratio(series: PriceSeries, above: Floats, below: Floats) -> Floats:
    if series.log_price:
        return np.asarray((above - below) * math.log1p(series.tick_size))
    return np.asarray(np.log(above / below))


def _range_bps(series: PriceSeries) -> float | None:
    if series.low is None or series.high is None:
        return None
    squares = np.square(_log_ratio(series, series.high, series.low))
    return 1e4 * math.sqrt(float(np.mean(squares)) / (4 * math.log(2)))


def _spread(series: PriceSeries) -> float | None:
    if series.bid is None or series.ask is None:
        return None
    return float(np.mean(series.ask - series.bid))


def _caveats(series: PriceSeries, sigma: float) -> tuple[str, ...]:
    no_book = (
        f"{series.kind} hold no book and no trades by the message: nothing is said of arrivals (κ, "
        "A), flow and liquidity"
    )
    scaled = (
        f"prices lie {series.interval_s:g} s apart: σ over one second is scaled by the root of "
        "time, which holds only as far as changes are uncorrelated"
    )
    told = [no_book, scaled]
    if not series.is_dated:
        told.append("the source has no times: they count from 0")
    at = 1 / series.tick_size if series.log_price else float(series.price[-1])
    over_horizon = horizon_bps(sigma, mid_ticks=at)
    if sigma == 0:
        told.append("σ is 0: the price never moved, and no model can be quoted with it")
    elif not SIGMA_BPS_MIN <= over_horizon <= SIGMA_BPS_MAX:
        told.append(
            f"σ is {over_horizon:.1f} bps over {HORIZON_S} s, outside the clamp "
            f"{SIGMA_BPS_MIN:g} to {SIGMA_BPS_MAX:g}"
        )
    return tuple(told)

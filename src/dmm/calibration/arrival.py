"""Arrival of aggressive trades by depth: λ(x) = A·exp(−κ·x), with confidence and goodness of fit.

References
----------
Avellaneda & Stoikov (2008), Quantitative Finance 8(3), section 2.5: the exponential intensity.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dmm.calibration.bootstrap import (
    BLOCK_NS,
    BLOCKS_MAX,
    RESAMPLES,
    RESAMPLES_MAX,
    interval95,
)
from dmm.calibration.depth import Depths
from dmm.calibration.regression import Line, least_squares
from dmm.units.errors import InvariantBroken
from dmm.units.time import NS_PER_S

FIT_TO_TICKS = 20
"""Default end of the fit range: x = 0.5, 1.5, … up to it."""

FIT_TICKS_MAX = 10_000
"""Widest fit range."""

LOG_MAX = 700.0
"""Above it a rate is no double any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FitRange:
    """Distances at which λ is read: from + 0.5, from + 1.5, … below `to_ticks`."""

    from_ticks: int = 0
    to_ticks: int = FIT_TO_TICKS

    def __post_init__(self) -> None:
        if not 0 <= self.from_ticks < self.to_ticks <= FIT_TICKS_MAX:
            raise ValueError(
                f"fit range [{self.from_ticks}, {self.to_ticks}) must rise within 0…{FIT_TICKS_MAX}"
            )

    @property
    def half_ticks(self) -> NDArray[np.int64]:
        """Return the distances in half ticks, odd numbers."""
        return np.arange(2 * self.from_ticks + 1, 2 * self.to_ticks, 2, dtype=np.int64)

    @property
    def around(self) -> tuple[FitRange, FitRange, FitRange]:
        """Return half the range (two distances at least), itself, and twice the range."""
        start, width = self.from_ticks, self.to_ticks - self.from_ticks
        half = FitRange(from_ticks=start, to_ticks=min(start + max(2, width // 2), FIT_TICKS_MAX))
        twice = FitRange(from_ticks=start, to_ticks=min(start + 2 * width, FIT_TICKS_MAX))
        return half, self, twice


DEFAULT_RANGE = FitRange()


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivalFit:
    """κ per tick and A per second over a fit range, never without their quality.

    `kappa_low` and `kappa_high`, `a_low` and `a_high` are the block bootstrap's 95 % intervals,
    boundless with one block; `r_squared` is of ln λ on x; `a_bid_per_s` (trades that hit bids) and
    `a_ask_per_s` share κ; `mle_per_tick` is 1/mean(depth) over all depths; `levels` counts
    distances with λ > 0, `depths` the trades.
    """

    fit_range: FitRange
    kappa_per_tick: float
    kappa_low: float
    kappa_high: float
    a_per_s: float
    a_bid_per_s: float
    a_ask_per_s: float
    r_squared: float
    mle_per_tick: float
    levels: int
    depths: int
    a_low: float = 0.0
    a_high: float = math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class TooFew:
    """Why there is no fit: fewer than two distances were reached."""

    depths: int
    levels: int


def fit_arrival(
    depths: Depths,
    *,
    rng: np.random.Generator,
    fit_range: FitRange = DEFAULT_RANGE,
    resamples: int = RESAMPLES,
    block_ns: int = BLOCK_NS,
) -> ArrivalFit | TooFew:
    """Fit ln λ(x) = ln A − κ·x by least squares, λ(x) = #{depth > x}/T, where λ > 0.

    Parameters
    ----------
    depths : with the observation they were made in
    rng : draws the blocks; the same state gives the same bounds
    fit_range : in ticks
    resamples : bootstrap samples, 1 to `RESAMPLES_MAX`
    block_ns : length of a block, > 0

    Raises
    ------
    ValueError
        If resamples or blocks are out of bounds.
    """
    x_half_ticks = fit_range.half_ticks
    x, rate_per_s = reached(depths, fit_range)
    levels = x.size
    if levels < 2:
        return TooFew(depths=depths.depth_half_ticks.size, levels=levels)
    line = _line(x, np.log(rate_per_s))
    (low, high), (a_low, a_high) = _bounds95(
        depths, x_half_ticks, line=line, rng=rng, resamples=resamples, block_ns=block_ns
    )
    return ArrivalFit(
        fit_range=fit_range,
        kappa_per_tick=-line.slope,
        kappa_low=low,
        kappa_high=high,
        a_low=a_low,
        a_high=a_high,
        a_per_s=math.exp(line.intercept),
        a_bid_per_s=_side_rate(depths, ~depths.is_buy, x_half_ticks, slope=line.slope),
        a_ask_per_s=_side_rate(depths, depths.is_buy, x_half_ticks, slope=line.slope),
        r_squared=line.r_squared,
        mle_per_tick=mle_per_tick(depths),
        levels=levels,
        depths=depths.depth_half_ticks.size,
    )


def reached(depths: Depths, fit_range: FitRange) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the distances reached, in ticks, and λ per second at each: what the line goes through.

    Parameters
    ----------
    depths : with the observation they were made in
    fit_range : in ticks
    """
    x_half_ticks = fit_range.half_ticks
    counts = _counts_beyond(depths.depth_half_ticks, x_half_ticks)
    levels = int(np.count_nonzero(counts))  # λ only falls: the distances reached are the first ones
    return x_half_ticks[:levels] / 2, counts[:levels] / (depths.duration_ns / NS_PER_S)


def mle_per_tick(depths: Depths) -> float:
    """Return 1/mean(depth), the likeliest κ of an exponential; 0 without depths."""
    if not depths.depth_half_ticks.size:
        return 0.0
    return 2 / float(np.mean(depths.depth_half_ticks))


def kappa_by_range(depths: Depths, ranges: tuple[FitRange, ...]) -> tuple[float | None, ...]:
    """Return κ per tick for each fit range: how much the answer hangs on the choice.

    None where fewer than two distances were reached.
    """
    found: list[float | None] = []
    for fit_range in ranges:
        x_half_ticks = fit_range.half_ticks
        counts = _counts_beyond(depths.depth_half_ticks, x_half_ticks)
        kappa = _kappa_of_counts(counts, x_half_ticks)
        found.append(None if math.isnan(kappa) else kappa)
    return tuple(found)


def _line(x: NDArray[np.float64], y: NDArray[np.float64]) -> Line:
    line = least_squares(x, y)
    if line is None:
        raise InvariantBroken(f"no line through {x.size} distances: they are distinct by design")
    return line


def _counts_beyond(
    depth_half_ticks: NDArray[np.int64], x_half_ticks: NDArray[np.int64]
) -> NDArray[np.int64]:
    beyond = np.searchsorted(np.sort(depth_half_ticks), x_half_ticks, side="right")
    return depth_half_ticks.size - beyond


def _side_rate(
    depths: Depths,
    on_side: NDArray[np.bool_],
    x_half_ticks: NDArray[np.int64],
    *,
    slope: float,
) -> float:
    """Return A of one side: the intercept of its ln λ under the pooled slope, 0 if unreached."""
    counts = _counts_beyond(depths.depth_half_ticks[on_side], x_half_ticks)
    levels = int(np.count_nonzero(counts))
    if not levels:
        return 0.0
    rate = np.log(counts[:levels] * NS_PER_S / depths.duration_ns)
    return math.exp(float(np.mean(rate - slope * x_half_ticks[:levels] / 2)))


def _bounds95(
    depths: Depths,
    x_half_ticks: NDArray[np.int64],
    *,
    line: Line,
    rng: np.random.Generator,
    resamples: int,
    block_ns: int,
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return bounds of κ and of A from samples of whole blocks, drawn with replacement.

    Those of A are of ln A, in which the line is straight.
    """
    if not 1 <= resamples <= RESAMPLES_MAX:
        raise ValueError(f"resamples must be 1 to {RESAMPLES_MAX}, got {resamples}")
    blocks = -(-depths.duration_ns // block_ns) if block_ns > 0 else 0
    if not 1 <= blocks <= BLOCKS_MAX:
        raise ValueError(f"{blocks} blocks of {block_ns} ns: must be 1 to {BLOCKS_MAX}")
    block = np.clip((depths.at_ns - depths.started_at_ns) // block_ns, 0, blocks - 1)
    # Trades of a block that reach past each distance: bin them, then sum from the far end.
    reach = np.searchsorted(x_half_ticks, depths.depth_half_ticks, side="left")
    width = x_half_ticks.size + 1
    binned = np.bincount(block * width + reach, minlength=blocks * width).reshape(blocks, width)
    beyond = np.cumsum(binned[:, ::-1], axis=1)[:, ::-1][:, 1:]
    counts = np.empty((resamples, x_half_ticks.size), dtype=np.int64)
    for draw in range(resamples):
        drawn = np.bincount(rng.integers(blocks, size=blocks), minlength=blocks)
        counts[draw] = drawn @ beyond
    slopes, intercepts = _lines_of_counts(counts, x_half_ticks / 2)
    known = ~np.isnan(slopes)
    low, high = interval95(-slopes[known], value=-line.slope, blocks=blocks)
    to_rate = math.log(NS_PER_S / depths.duration_ns)
    log_low, log_high = interval95(intercepts[known] + to_rate, value=line.intercept, blocks=blocks)
    return (low, high), (math.exp(log_low), math.exp(log_high) if log_high < LOG_MAX else math.inf)


def _lines_of_counts(
    counts: NDArray[np.int64], x: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return slope and intercept of ln count on x for each row, over the distances it reached.

    No number where a row reached fewer than two.
    """
    reached_at = counts > 0
    levels = reached_at.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        y = np.where(reached_at, np.log(np.maximum(counts, 1)), 0.0)
        x_mean = (reached_at @ x) / levels
        y_mean = y.sum(axis=1) / levels
        dx = np.where(reached_at, x - x_mean[:, None], 0.0)
        slopes = (dx * y).sum(axis=1) / np.square(dx).sum(axis=1)
        intercepts = y_mean - slopes * x_mean
    slopes[levels < 2] = intercepts[levels < 2] = math.nan
    return slopes, intercepts


def _kappa_of_counts(counts: NDArray[np.int64], x_half_ticks: NDArray[np.int64]) -> float:
    """Return κ per tick, or no number where fewer than two distances were reached."""
    levels = int(np.count_nonzero(counts))  # counts only fall: the distances reached come first
    if levels < 2:
        return math.nan
    # The length of the observation moves A only, never the slope.
    return -_line(x_half_ticks[:levels] / 2, np.log(counts[:levels])).slope

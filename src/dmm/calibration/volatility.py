"""Volatility of the mid: over one second in ticks, and exponentially weighted."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dmm.calibration.bootstrap import Interval, ratio_ci95
from dmm.units.time import NS_PER_S

EWMA_KEEP = 0.97
"""Weight of the past in the variance, per update."""

PIECE_CHANGES = 300
"""Changes of one piece of a longer stretch: five minutes."""

PIECES_MIN = 12
"""Pieces below which their quantiles say nothing: an hour."""

HORIZON_S = 120
"""The model's rolling horizon T, over which the clamp is stated."""

SIGMA_BPS_MIN = 5.0
SIGMA_BPS_MAX = 120.0
"""The clamp: basis points of mid per √T."""


def sigma_ticks(
    mid_half_ticks: NDArray[np.int64], *, heard: NDArray[np.bool_] | None = None
) -> float:
    """Return the population standard deviation of successive mid changes, in ticks.

    On a grid of one second this is σ in ticks per √s.

    Parameters
    ----------
    mid_half_ticks : mids in half ticks, at equal distances in time
    heard : by change, False where it spans a silence and does not count; all count unless given

    Raises
    ------
    ValueError
        With fewer than two mids, or none but silent changes, there is no change.
    """
    changes = np.diff(mid_half_ticks)
    changes = changes if heard is None else changes[heard]
    _require_changes(changes)
    return float(np.std(changes)) / 2


def sigma_interval(changes_ticks: NDArray[np.float64], *, rng: np.random.Generator) -> Interval:
    """Return σ of changes one second apart with its block-bootstrap interval, in ticks.

    Parameters
    ----------
    changes_ticks : successive changes of the mid, at least one
    rng : draws the blocks

    Raises
    ------
    ValueError
        Without a change there is no volatility.
    """
    _require_changes(changes_ticks)
    squares = np.square(changes_ticks - np.mean(changes_ticks))
    # The same state may fill several seconds: the steps are the clock, one second each.
    at_ns = np.arange(changes_ticks.size, dtype=np.int64) * NS_PER_S
    variance = ratio_ci95(squares, np.ones(squares.size), at_ns, rng=rng)
    value = float(np.std(changes_ticks))
    if variance is None:
        return Interval(value=value, low=0.0, high=math.inf, count=changes_ticks.size)
    return Interval(
        value=value,
        low=math.sqrt(max(0.0, variance.low)),
        high=math.sqrt(variance.high),
        count=changes_ticks.size,
    )


def ewma_variance(changes: NDArray[np.float64], *, start: float = 0.0) -> float:
    """Return v after v ← 0.97·v + 0.03·r² over all changes r, beginning at `start`.

    Parameters
    ----------
    changes : r, any unit, oldest first
    start : v₀, the unit squared, >= 0
    """
    ages = np.arange(changes.size - 1, -1, -1)
    recent = (1 - EWMA_KEEP) * float(np.sum(EWMA_KEEP**ages * np.square(changes)))
    return float(EWMA_KEEP**changes.size) * start + recent


def ewma_sigma_bps(
    mid_half_ticks: NDArray[np.int64], *, heard: NDArray[np.bool_] | None = None
) -> float:
    """Return 1e4·√v of successive log-mid returns, v₀ = 0: basis points per update.

    Parameters
    ----------
    mid_half_ticks : mids > 0 in half ticks, one per update, oldest first
    heard : by return, False where it spans a silence and does not count; all count unless given

    Raises
    ------
    ValueError
        With fewer than two mids, or none but silent returns, there is no return.
    """
    returns = np.log(mid_half_ticks[1:] / mid_half_ticks[:-1])
    returns = returns if heard is None else returns[heard]
    _require_changes(returns)
    return 1e4 * math.sqrt(ewma_variance(returns))


def ewma_sigma_ticks(
    mid_half_ticks: NDArray[np.int64], *, heard: NDArray[np.bool_] | None = None
) -> float:
    """Return √v of successive mid changes in ticks, v₀ being their plain mean square.

    From v₀ = 0 a short series would read far too calm: after 60 updates still by a sixth of its
    variance. Starting from the mean square, recent changes weigh more and none are missing.

    Parameters
    ----------
    mid_half_ticks : mids in half ticks, at equal distances in time, oldest first
    heard : by change, False where it spans a silence and does not count; all count unless given

    Raises
    ------
    ValueError
        With fewer than two mids, or none but silent changes, there is no change.
    """
    changes = np.diff(mid_half_ticks) / 2
    changes = changes if heard is None else changes[heard]
    _require_changes(changes)
    return math.sqrt(ewma_variance(changes, start=float(np.mean(np.square(changes)))))


def sigma_spread_ticks(
    changes_ticks: NDArray[np.float64], *, piece: int = PIECE_CHANGES
) -> tuple[float, float, float] | None:
    """Return the 5 %, 50 % and 95 % quantiles of σ by pieces of a longer stretch, in ticks per √s.

    They say where a band of σ would bind; None with fewer than `PIECES_MIN` whole pieces.

    Parameters
    ----------
    changes_ticks : of the mid over one second, oldest first; the oldest rest of a piece is left out
    piece : changes of one piece, > 1
    """
    pieces = changes_ticks.size // piece
    if pieces < PIECES_MIN:
        return None
    whole = changes_ticks[changes_ticks.size - pieces * piece :].reshape(pieces, piece)
    low, middle, high = np.quantile(np.std(whole, axis=1), (0.05, 0.5, 0.95))
    return float(low), float(middle), float(high)


def horizon_bps(sigma_ticks_1s: float, *, mid_ticks: float, horizon_s: int = HORIZON_S) -> float:
    """Return σ in basis points of mid over a horizon: σ·√T/mid·1e4.

    Parameters
    ----------
    sigma_ticks_1s : ticks per √s, >= 0
    mid_ticks : > 0
    horizon_s : T in seconds, > 0
    """
    return sigma_ticks_1s * math.sqrt(horizon_s) / mid_ticks * 1e4


@dataclass(frozen=True, slots=True, kw_only=True)
class Clamped:
    """A value put inside its bounds. `moved` is −1 when it was below, +1 above, 0 inside."""

    value: float
    moved: int


def clamp(value: float, *, low: float, high: float) -> Clamped:
    """Return a value inside [low, high] and whether it was moved there.

    Raises
    ------
    ValueError
        If low is above high or the value is no number.
    """
    if not low <= high or math.isnan(value):
        raise ValueError(f"cannot clamp {value} to [{low}, {high}]")
    if value < low:
        return Clamped(value=low, moved=-1)
    if value > high:
        return Clamped(value=high, moved=1)
    return Clamped(value=value, moved=0)


def _require_changes(changes: NDArray[np.int64] | NDArray[np.float64]) -> None:
    if not changes.size:
        raise ValueError("volatility needs two mids that no silence parts")

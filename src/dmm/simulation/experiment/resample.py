"""Resampling of dependent blocks: the stationary bootstrap and how long its pieces should be.

References
----------
Politis & Romano (1994), Journal of the American Statistical Association 89(428): the bootstrap.
Politis & White (2004), Econometric Reviews 23(1); Patton, Politis & White (2009), 28(4): lengths.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dmm.simulation.experiment.blocks import Floats, Integers, checked_matrix, varying
from dmm.units.errors import UsageFault

RESAMPLES = 1_000
RESAMPLES_MAX = 100_000

CHUNK_CELLS = 2_000_000
"""Draws held at once; the memory of a resampling does not grow with the number of resamples."""

CUT_OFF = 2.0
"""c of Politis & White: autocorrelations below c·√(log₁₀n / n) count as none."""

RHO_MAX = 0.99
"""Highest first autocorrelation told from a random walk."""

QUIET_LAGS_MIN = 5
"""K_n of Politis & White: so many lags in a row must be quiet, or log₁₀n if that is more."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dependence:
    """How each column hangs together over time, one element per column.

    `variance` is γ₀; `long_run_variance` is Σγ over all lags, so that the mean of n blocks has
    variance long_run/n, and 0 where the estimate is not positive; `block_mean` is the best mean
    length of a piece for the stationary bootstrap, blocks, >= 1.
    """

    variance: Floats
    long_run_variance: Floats
    block_mean: Floats

    @property
    def inflation(self) -> Floats:
        """Return long-run variance over variance, at least 1.

        Blocks that undo each other would let n blocks count for more than n; the estimate is too
        uncertain to be credited with that.
        """
        ratio = np.ones_like(self.variance)
        np.divide(self.long_run_variance, self.variance, out=ratio, where=self.variance > 0)
        return np.maximum(ratio, 1.0)


def dependence(columns: Floats) -> Dependence:
    """Estimate long-run variance and block length of each column by flat-top lag windows.

    With R(k) the autocovariance and λ the trapezoid 1 up to ½ and 0 from 1 on, M twice the first
    of K_n lags in a row whose autocorrelation is insignificant:
    g(0) = Σλ(k/M)R(k), G = Σλ(k/M)|k|R(k), block = (2G²/D)^⅓·n^⅓ with D = 2g(0)².

    Departure: with ρ > 0 the first autocorrelation, the block is at least (1+ρ)/(1−ρ) and the
    long-run variance at least that times γ₀.

    Parameters
    ----------
    columns : (blocks, sets) or (blocks,), at least 9 blocks

    References
    ----------
    Politis & White (2004), section 3; D as corrected by Patton, Politis & White (2009). From their
    published code: the cap min(3√n, n/3), and the first quiet lag where the paper takes the last
    loud one.
    """
    matrix = checked_matrix(columns, blocks_min=9)
    n = matrix.shape[0]
    quiet_lags = max(QUIET_LAGS_MIN, int(np.ceil(np.log10(n))))
    lag_max = min(n - 1, int(np.ceil(np.sqrt(n))) + quiet_lags)
    centred = matrix - matrix.mean(axis=0)
    covariance = np.stack(
        [np.sum(centred[lag:] * centred[: n - lag], axis=0) / n for lag in range(lag_max + 1)]
    )
    moves = varying(matrix)
    variance = np.where(moves, covariance[0], 0.0)
    correlation = np.zeros_like(covariance)
    np.divide(covariance, covariance[0], out=correlation, where=moves)
    bandwidth = _bandwidth(np.abs(correlation), n=n, quiet_lags=quiet_lags)
    lags = np.arange(1, lag_max + 1)[:, None]
    window = np.clip(2 * (1 - lags / bandwidth), 0.0, 1.0)
    long_run = variance + 2 * np.sum(window * covariance[1:], axis=0)
    slope = 2 * np.sum(window * lags * covariance[1:], axis=0)
    # A long-run variance of nought asks for the longest pieces; an idle column for none.
    steep = np.full(variance.shape, np.inf)
    np.divide(slope, long_run, out=steep, where=long_run > 0)
    block = np.where(moves, (np.square(steep) * n) ** (1 / 3), 1.0)
    # γ₀(1+ρ)/(1−ρ), what a first-order autoregression has: in a short run the far lags cancel by
    # chance, and what plainly clusters would pass for independent.
    rho = np.clip(correlation[1], 0.0, RHO_MAX)
    clustering = np.where(moves, (1 + rho) / (1 - rho), 1.0)
    long_run = np.maximum(long_run, np.where(rho > 0, clustering * variance, 0.0))
    cap = float(np.ceil(min(3 * np.sqrt(n), n / 3)))
    return Dependence(
        variance=variance,
        long_run_variance=np.where(moves, np.maximum(long_run, 0.0), 0.0),
        block_mean=np.clip(np.maximum(block, clustering), 1.0, cap),
    )


def _bandwidth(correlation: Floats, *, n: int, quiet_lags: int) -> Integers:
    """Return M per column: twice the first of `quiet_lags` insignificant lags in a row."""
    lag_max = correlation.shape[0] - 1
    loud = correlation[1:] >= CUT_OFF * np.sqrt(np.log10(n) / n)
    # Row m counts the loud lags among m+1 … m+quiet; past the last lag known, nothing is loud.
    count = np.concatenate(
        [np.zeros((1, loud.shape[1]), dtype=np.int64), np.cumsum(loud, axis=0, dtype=np.int64)]
    )
    ends = np.minimum(np.arange(lag_max + 1) + quiet_lags, lag_max)
    quiet = count[ends] - count == 0
    bandwidth: Integers = np.clip(2 * (np.argmax(quiet, axis=0) + 1), 2, lag_max)
    return bandwidth


def stationary_indices(
    blocks: int, *, resamples: int, block_mean: float, rng: np.random.Generator
) -> Integers:
    """Draw resamples of blocks, a row each: pieces of geometric length from the ring of blocks.

    Parameters
    ----------
    blocks : n, > 0
    resamples : rows, > 0
    block_mean : mean length of a piece, 1 to n; 1 draws single blocks
    rng : source of draws
    """
    starts = rng.random((resamples, blocks)) < 1 / block_mean
    starts[:, 0] = True
    first = rng.integers(blocks, size=(resamples, blocks))
    at = np.arange(blocks)
    began = np.maximum.accumulate(np.where(starts, at, 0), axis=1)
    drawn: Integers = (np.take_along_axis(first, began, axis=1) + at - began) % blocks
    return drawn


def resampled_sums(
    columns: Floats, *, block_mean: float, resamples: int, rng: np.random.Generator
) -> Floats:
    """Return the sum of each column over each resample, (resamples, columns).

    All columns are drawn together, so that what happened at one time stays together.

    Parameters
    ----------
    columns : (blocks, columns), finite
    block_mean : 1 to blocks
    resamples : 1 to `RESAMPLES_MAX`
    rng : source of draws

    Raises
    ------
    UsageFault
        If a length or a number is out of bounds.
    """
    matrix = checked_matrix(columns)
    n = matrix.shape[0]
    if not 1 <= resamples <= RESAMPLES_MAX or not 1 <= block_mean <= n:
        raise UsageFault(
            f"a bootstrap of {n} blocks needs pieces of 1 to {n} and 1 to {RESAMPLES_MAX} "
            f"resamples, got {block_mean} and {resamples}"
        )
    sums = np.empty((resamples, matrix.shape[1]))
    rows_max = max(1, CHUNK_CELLS // n)
    for at in range(0, resamples, rows_max):
        rows = min(rows_max, resamples - at)
        drawn = stationary_indices(n, resamples=rows, block_mean=block_mean, rng=rng)
        drawn += n * np.arange(rows)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n)
        sums[at : at + rows] = times.astype(np.float64) @ matrix
    return sums


def shrinkage(blocks: int, block_mean: float) -> float:
    """Return √(1 − 2L/n): how much of its size a resampled deviation of a mean keeps.

    Resamples move about the sample's own mean, which has followed the sample; to first order.

    Parameters
    ----------
    blocks : n
    block_mean : L, 1 to n; beyond n/3 the first order holds no more and √⅓ is returned
    """
    return float(np.sqrt(1 - 2 * min(block_mean / blocks, 1 / 3)))

"""Whether choosing the best set of a grid is worth anything out of sample.

References
----------
Bailey, Borwein, López de Prado & Zhu (2017), Journal of Computational Finance 20(4), "The
Probability of Backtest Overfitting": combinatorially symmetric cross-validation.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from dmm.calibration.regression import least_squares
from dmm.simulation.experiment.blocks import Figure, Floats, checked_matrix, varying
from dmm.units.errors import UsageFault

SUBSETS = 16
"""S unless told otherwise: 12,870 ways to halve the time, as in the paper."""

SUBSETS_MAX = 18
"""48,620 ways."""

SUBSET_BLOCKS_MIN = 2
"""Blocks in a subset: with one, a half may hold too few to vary."""

CHUNK_CELLS = 4_000_000

ROUNDING = 1e-7
"""A deviation this small against the largest value is what sums of squares leave by rounding."""

HISTOGRAM_BINS = 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Overfitting:
    """What became of the best set of one half of the time in the other half.

    Parameters
    ----------
    probability : share of splits whose best set ends in the lower half out of sample, 0 to 1
    loss_probability : share of splits whose best set has a Sharpe ratio below nought out of sample
    slope, intercept, r_squared : of its ratio out of sample on its ratio in sample; None if alike
    logits : per split ln(ω/(1−ω)), ω the relative rank out of sample; above 0 is the upper half
    sharpe_in, sharpe_out : per split, of the best set, per block
    sets, subsets : ranked, and S
    """

    probability: float
    loss_probability: float
    slope: float | None
    intercept: float | None
    r_squared: float | None
    logits: Floats
    sharpe_in: Floats
    sharpe_out: Floats
    sets: int
    subsets: int

    def to_json(self) -> dict[str, Figure]:
        """Return the figures by name, the logits as a histogram."""
        counts, edges = np.histogram(self.logits, bins=HISTOGRAM_BINS)
        return {
            "probability": self.probability,
            "loss_probability": self.loss_probability,
            "slope": self.slope,
            "intercept": self.intercept,
            "r_squared": self.r_squared,
            "sets": self.sets,
            "subsets": self.subsets,
            "splits": int(self.logits.size),
            "logit_counts": [int(count) for count in counts],
            "logit_edges": [float(edge) for edge in edges],
        }


def subsets_for(blocks: int) -> int:
    """Return S for a run: `SUBSETS`, or the largest even number its blocks allow; 0 if none.

    Parameters
    ----------
    blocks : >= 0
    """
    allowed = min(SUBSETS, blocks // SUBSET_BLOCKS_MIN)
    return allowed - allowed % 2 if allowed >= 4 else 0


def backtest_overfitting(pnl: Floats, *, subsets: int = SUBSETS) -> Overfitting | None:
    """Cut the time into S pieces, choose the best set on every half of them, rank it on the rest.

    Sets are judged by their Sharpe ratio. Sets that never trade are left out; None if fewer than
    two remain. Ties share their rank. Pieces differ by one block at most where S does not divide
    the run.

    Parameters
    ----------
    pnl : (blocks, sets), any unit
    subsets : S, even, 4 to `SUBSETS_MAX`, each of at least `SUBSET_BLOCKS_MIN` blocks

    Raises
    ------
    UsageFault
        If S is out of bounds.

    References
    ----------
    Bailey et al. (2017): the CSCV algorithm, the degradation of performance and the probability of
    loss.
    """
    matrix = checked_matrix(pnl)
    blocks = matrix.shape[0]
    if subsets % 2 or not 4 <= subsets <= min(SUBSETS_MAX, blocks // SUBSET_BLOCKS_MIN):
        raise UsageFault(
            f"{blocks} blocks need an even number of subsets, 4 to "
            f"{min(SUBSETS_MAX, blocks // SUBSET_BLOCKS_MIN)}, got {subsets}"
        )
    active = matrix[:, varying(matrix)]
    if active.shape[1] < 2:
        return None
    rank, sharpe_in, sharpe_out = _ranked(active, subsets=subsets)
    omega = rank / (active.shape[1] + 1)
    logits = np.log(omega / (1 - omega))
    line = least_squares(sharpe_in, sharpe_out)
    return Overfitting(
        probability=float(np.mean(logits <= 0)),
        loss_probability=float(np.mean(sharpe_out < 0)),
        slope=line.slope if line else None,
        intercept=line.intercept if line else None,
        r_squared=line.r_squared if line else None,
        logits=logits,
        sharpe_in=sharpe_in,
        sharpe_out=sharpe_out,
        sets=active.shape[1],
        subsets=subsets,
    )


def halves(subsets: int) -> Floats:
    """Return every way to take half of the subsets: a row each, 1 for taken, 0 for left.

    Parameters
    ----------
    subsets : S, even; the rows are C(S, S/2)
    """
    taken = np.array(list(itertools.combinations(range(subsets), subsets // 2)))
    rows = np.zeros((taken.shape[0], subsets))
    np.put_along_axis(rows, taken, 1.0, axis=1)
    return rows


def _ranked(active: Floats, *, subsets: int) -> tuple[Floats, Floats, Floats]:
    """Return per split the best set's rank out of sample and its ratio in and out of sample."""
    pieces = np.array_split(active - active.mean(axis=0), subsets)
    counts = np.array([piece.shape[0] for piece in pieces], dtype=np.float64)
    sums = np.stack([piece.sum(axis=0) for piece in pieces])
    squares = np.stack([np.square(piece).sum(axis=0) for piece in pieces])
    mean, largest = active.mean(axis=0), np.max(np.abs(active), axis=0)
    splits = halves(subsets)
    rank, inside, outside = (np.empty(splits.shape[0]) for _ in range(3))
    rows_max = max(1, CHUNK_CELLS // active.shape[1])
    for at in range(0, splits.shape[0], rows_max):
        chosen = splits[at : at + rows_max]
        train, test = (
            _sharpe(half @ counts, half @ sums, half @ squares, mean=mean, largest=largest)
            for half in (chosen, 1 - chosen)
        )
        best = np.argmax(train, axis=1)[:, None]
        reached = np.take_along_axis(test, best, axis=1)
        below, level = np.sum(test < reached, axis=1), np.sum(test == reached, axis=1)
        part = slice(at, at + chosen.shape[0])
        rank[part] = below + (level + 1) / 2
        inside[part] = np.take_along_axis(train, best, axis=1)[:, 0]
        outside[part] = reached[:, 0]
    return rank, inside, outside


def _sharpe(
    count: Floats, total: Floats, squared: Floats, *, mean: Floats, largest: Floats
) -> Floats:
    """Return Sharpe ratios from counts and sums about the mean; 0 where a half does not vary."""
    count = count[:, None]
    centre = total / count
    variance = np.maximum(squared - total * centre, 0.0) / (count - 1)
    deviation = np.sqrt(variance)
    ratios = np.zeros_like(deviation)
    np.divide(centre + mean, deviation, out=ratios, where=deviation > ROUNDING * largest)
    return ratios

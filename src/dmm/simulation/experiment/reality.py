"""Whether the best of many sets beats a benchmark by more than the search alone explains.

References
----------
White (2000), Econometrica 68(5), "A Reality Check for Data Snooping".
Hansen (2005), Journal of Business & Economic Statistics 23(4), "A Test for Superior Predictive
Ability".
Romano & Wolf (2005), Econometrica 73(4); (2016), Statistics & Probability Letters 113: step-down.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dmm.simulation.experiment.blocks import Figure, Floats, checked_matrix, varying
from dmm.simulation.experiment.resample import RESAMPLES, dependence, resampled_sums, shrinkage
from dmm.units.errors import UsageFault

RESAMPLES_MIN = 100
"""Below it a p-value of 1 % cannot be told."""

BLOCKS_MIN = 9
"""Below it nothing is known of how blocks depend on each other."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Superiority:
    """Tests of "no set beats the benchmark"; each p-value is (1 + exceedances)/(1 + resamples).

    Parameters
    ----------
    best : set with the largest studentised mean, None if no set ever differed from the benchmark
    statistic : its √n·mean/ω on the normal scale, at least 0
    p_lower, p_consistent, p_upper : Hansen's three; the consistent one is the test, the others
        bound it
    p_reality_check : White's, by means that are not studentised
    p_by_set : for each set, how often luck alone lets some set do as well (consistent recentring)
    p_step_down : for each set, Romano–Wolf's adjusted p-value
    resamples, block_mean : of the stationary bootstrap; mean length of a piece in blocks
    """

    best: int | None
    statistic: float
    p_lower: float
    p_consistent: float
    p_upper: float
    p_reality_check: float
    p_by_set: Floats
    p_step_down: Floats
    resamples: int
    block_mean: float

    def to_json(self) -> dict[str, Figure]:
        """Return the figures by name, without those of each set."""
        return {
            "best": self.best,
            "statistic": self.statistic,
            "p_lower": self.p_lower,
            "p_consistent": self.p_consistent,
            "p_upper": self.p_upper,
            "p_reality_check": self.p_reality_check,
            "resamples": self.resamples,
            "block_mean": self.block_mean,
        }


def superior_ability(
    excess: Floats,
    *,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
    block_mean: float | None = None,
) -> Superiority:
    """Test whether any set is better than the benchmark, by the stationary bootstrap.

    Departures from Hansen, for runs of a few hundred blocks, where the best of many sets is mostly
    the one whose ω came out too small. ω is the larger of the resampled means' deviation and the
    flat-top estimate, over √(1 − 2L/n) for the pull of the sample mean; and the studentised mean is
    taken from Student's t with n/(2L) degrees of freedom to the normal scale of the resamples.
    Both vanish as n grows. White's p-value is left as he has it, and is liberal in short runs.

    Parameters
    ----------
    excess : (blocks, sets), P&L over the benchmark's in the same block, any unit; > 0 is better
    rng : source of draws
    resamples : `RESAMPLES_MIN` or more
    block_mean : L, mean length of a piece, 1 to n/3; by default the mean of the sets' best lengths

    Raises
    ------
    UsageFault
        If blocks, resamples or the length are out of bounds.
    """
    matrix = checked_matrix(excess, blocks_min=BLOCKS_MIN)
    if resamples < RESAMPLES_MIN:
        raise UsageFault(f"needs {RESAMPLES_MIN} resamples or more, got {resamples}")
    moves = varying(matrix)
    active = matrix[:, moves]
    if not active.shape[1]:
        return _nothing_differs(matrix.shape[1], resamples=resamples)
    blocks = matrix.shape[0]
    known = dependence(active)
    length = float(np.mean(known.block_mean)) if block_mean is None else block_mean
    if not 1 <= length <= max(1.0, np.ceil(blocks / 3)):
        raise UsageFault(f"pieces of {blocks} blocks must be 1 to {blocks / 3:.0f}, got {length}")
    drawn = resampled_sums(active, block_mean=length, resamples=resamples, rng=rng) / blocks
    mean = active.mean(axis=0)
    moved = math.sqrt(blocks) * (drawn - mean)
    spread = np.std(moved, axis=0, ddof=1)
    # Where no two resamples differ, nothing is known of the mean: such a set proves nothing.
    weight = np.zeros_like(spread)
    np.divide(1.0, spread, out=weight, where=spread > 0)
    omega = np.maximum(spread, np.sqrt(known.long_run_variance)) / shrinkage(blocks, length)
    student = np.zeros_like(spread)
    np.divide(math.sqrt(blocks) * mean, omega, out=student, where=spread > 0)
    return _tested(
        moves,
        statistic=normal_equivalent(student, freedom=blocks / (2 * length)),
        centred=weight * moved,
        reality=(math.sqrt(blocks) * float(np.max(mean)), np.max(moved, axis=1)),
        blocks=blocks,
        block_mean=length,
    )


def normal_equivalent(student: Floats, *, freedom: float) -> Floats:
    """Return the normal deviates as far out in their tail as Student's t values are in theirs.

    z = ±(8ν+1)/(8ν+3)·√(ν·ln(1 + t²/ν)).

    Parameters
    ----------
    student : t
    freedom : ν, > 0

    References
    ----------
    Wallace (1959), Annals of Mathematical Statistics 30(4).
    """
    size = np.sqrt(freedom * np.log1p(np.square(student) / freedom))
    deviates: Floats = np.sign(student) * (8 * freedom + 1) / (8 * freedom + 3) * size
    return deviates


def recentring_threshold(blocks: int) -> float:
    """Return −√(2 ln ln n): sets whose studentised mean lies below it cannot be the best.

    Parameters
    ----------
    blocks : n, > e

    References
    ----------
    Hansen (2005): the threshold of the consistent p-value, by the law of the iterated logarithm.
    """
    return -math.sqrt(2 * math.log(math.log(blocks)))


def _tested(
    moves: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
    *,
    statistic: Floats,
    centred: Floats,
    reality: tuple[float, Floats],
    blocks: int,
    block_mean: float,
) -> Superiority:
    """Return the p-values from studentised means t and resamples of t* − t."""
    # Recentring leaves t* − t of the hopeless sets pulled down by their own shortfall.
    shift = {
        "lower": np.minimum(statistic, 0.0),
        "consistent": np.where(statistic < recentring_threshold(blocks), statistic, 0.0),
        "upper": np.zeros_like(statistic),
    }
    top = {name: np.maximum(np.max(centred + by, axis=1), 0.0) for name, by in shift.items()}
    best = max(float(np.max(statistic)), 0.0)
    value, drawn = reality
    by_set = np.ones(moves.size)
    by_set[moves] = [_p_value(t, top["consistent"]) for t in np.maximum(statistic, 0.0)]
    step_down = np.ones(moves.size)
    step_down[moves] = _step_down(statistic, centred)
    return Superiority(
        best=int(np.flatnonzero(moves)[np.argmax(statistic)]),
        statistic=best,
        p_lower=_p_value(best, top["lower"]),
        p_consistent=_p_value(best, top["consistent"]),
        p_upper=_p_value(best, top["upper"]),
        p_reality_check=_p_value(value, drawn),
        p_by_set=by_set,
        p_step_down=step_down,
        resamples=centred.shape[0],
        block_mean=block_mean,
    )


def _p_value(value: float, drawn: Floats) -> float:
    return (1 + int(np.sum(drawn >= value))) / (1 + drawn.size)


def _step_down(statistic: Floats, centred: Floats) -> Floats:
    """Return adjusted p-values: each set against the best of those not yet found better."""
    order = np.argsort(-statistic, kind="stable")
    rest = np.maximum.accumulate(centred[:, order[::-1]], axis=1)[:, ::-1]
    exceed = np.sum(rest >= statistic[order], axis=0)
    adjusted = np.empty(statistic.size)
    adjusted[order] = np.maximum.accumulate((1 + exceed) / (1 + centred.shape[0]))
    return adjusted


def _nothing_differs(sets: int, *, resamples: int) -> Superiority:
    return Superiority(
        best=None,
        statistic=0.0,
        p_lower=1.0,
        p_consistent=1.0,
        p_upper=1.0,
        p_reality_check=1.0,
        p_by_set=np.ones(sets),
        p_step_down=np.ones(sets),
        resamples=resamples,
        block_mean=1.0,
    )

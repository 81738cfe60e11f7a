"""Ranking the sets of a grid by what a maker wants: a calm position, a kept spread, fills."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dmm.simulation.experiment.blocks import SETS_MAX, BlockResults, Floats
from dmm.simulation.experiment.performance import inventory_variance_at_volume, performance
from dmm.units.errors import UsageFault


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreWeights:
    """What each rank counts; not negative, together 1."""

    inventory_variance: float = 0.4
    realised_spread: float = 0.4
    fill_ratio: float = 0.2

    def __post_init__(self) -> None:
        weights = (self.inventory_variance, self.realised_spread, self.fill_ratio)
        if min(weights) < 0 or not math.isclose(math.fsum(weights), 1.0, abs_tol=1e-9):
            raise UsageFault(f"weights must not be negative and add up to 1, got {weights}")


DEFAULT_WEIGHTS = ScoreWeights()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Goals:
    """What sets are ranked by, one element per set, NaN where a set has no figure.

    Parameters
    ----------
    inventory_variance_lots2 : at equal volume; less is better
    realised_spread_bps : more is better
    fill_ratio : more is better
    """

    inventory_variance_lots2: Floats
    realised_spread_bps: Floats
    fill_ratio: Floats

    def __post_init__(self) -> None:
        shapes = {
            self.inventory_variance_lots2.shape,
            self.realised_spread_bps.shape,
            self.fill_ratio.shape,
        }
        size = self.fill_ratio.size
        if shapes != {(size,)} or not 1 <= size <= SETS_MAX:
            raise UsageFault(f"needs three rows of 1 to {SETS_MAX} sets, got shapes {shapes}")

    @property
    def as_gains(self) -> Floats:
        """Return (sets, 3), the more the better; a set without a figure is worse than any other."""
        gains = np.stack(
            [-self.inventory_variance_lots2, self.realised_spread_bps, self.fill_ratio], axis=1
        )
        return np.where(np.isnan(gains), -np.inf, gains)


def goals(sets: Sequence[BlockResults]) -> Goals:
    """Return what sets are ranked by; variances at the mean volume of the sets that traded.

    Parameters
    ----------
    sets : of one tape
    """
    volumes = [int(results.volume_atoms.sum()) for results in sets]
    traded = [volume for volume in volumes if volume]
    volume_atoms = max(1, sum(traded) // len(traded)) if traded else 1
    variances = [inventory_variance_at_volume(r, volume_atoms=volume_atoms) for r in sets]
    figures = [performance(results) for results in sets]
    return Goals(
        inventory_variance_lots2=_column(variances),
        realised_spread_bps=_column([one.realised_spread_bps for one in figures]),
        fill_ratio=_column([one.fill_ratio for one in figures]),
    )


def scores(reached: Goals, *, weights: ScoreWeights = DEFAULT_WEIGHTS) -> Floats:
    """Return each set's weighted mean of ranks, 0 worst to 1 best.

    Ranks have no units and no outliers: a set that hardly trades cannot win by a single lucky fill.
    Ties share their rank. A score says which set is preferred among those tried, nothing about
    whether it is any good: that is what the verdict is for.

    Parameters
    ----------
    reached : of all sets
    weights : what each rank counts
    """
    gains = reached.as_gains
    ranks = np.stack([rank(gains[:, at]) for at in range(gains.shape[1])], axis=1)
    weight = np.array([weights.inventory_variance, weights.realised_spread, weights.fill_ratio])
    weighted: Floats = ranks @ weight
    return weighted


def pareto_front(gains: Floats) -> NDArray[np.int64]:
    """Return the sets that no other set matches in every goal and beats in one, in their order.

    Parameters
    ----------
    gains : (sets, goals), the more the better, no NaN; −∞ is worse than any figure
    """
    if gains.ndim != 2 or not 1 <= gains.shape[0] <= SETS_MAX or np.isnan(gains).any():
        raise UsageFault(
            f"needs 1 to {SETS_MAX} sets in rows and no NaN, got shape {np.shape(gains)}"
        )
    front = []
    for at in range(gains.shape[0]):
        as_good = np.all(gains >= gains[at], axis=1)
        better = np.any(gains > gains[at], axis=1)
        if not np.any(as_good & better):
            front.append(at)
    return np.array(front, dtype=np.int64)


def _column(values: Sequence[float | None]) -> Floats:
    return np.array([math.nan if value is None else value for value in values])


def rank(gain: Floats) -> Floats:
    """Return ranks scaled to 0 … 1; ties share theirs, a single set is in the middle.

    Parameters
    ----------
    gain : (sets,), the more the better, no NaN; −∞ is worse than any figure
    """
    ordered = np.sort(gain)
    below = np.searchsorted(ordered, gain, side="left")
    up_to = np.searchsorted(ordered, gain, side="right")
    if gain.size == 1:
        return np.full(1, 0.5)
    rank: Floats = (below + up_to - 1) / 2 / (gain.size - 1)
    return rank

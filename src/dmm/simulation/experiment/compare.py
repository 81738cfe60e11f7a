"""Two policies on the same tapes: what one is better by, with its interval.

Both policies saw the same blocks, so blocks are drawn in pairs, and what moved both cancels.
Figures are per volume or at equal volume: trading more is not trading better.

References
----------
Politis & Romano (1994), Journal of the American Statistical Association 89(428).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

import numpy as np

from dmm.calibration.bootstrap import interval95
from dmm.simulation.experiment.blocks import BlockResults, Figure, Floats
from dmm.simulation.experiment.resample import RESAMPLES, dependence, resampled_sums, shrinkage
from dmm.units.amount import BPS_ONE
from dmm.units.errors import UsageFault

TAPES_MAX = 1_000

BLOCKS_MIN = 9
"""Below it nothing is known of how blocks depend on each other."""

UNDEFINED_SHARE_MAX = 0.05
"""Resamples in which a policy traded nothing; with more of them there is no interval."""


class Metric(StrEnum):
    """What is compared, always as A less B.

    `markout_net_bps`: gain against the later mid less fees, per volume. `pnl_bps`: change of net
    worth per volume. Of both, more is better. `inventory_variance`: ln of the ratio of variances
    at equal volume; less is better, and −0.69 means half.
    """

    MARKOUT_NET_BPS = "markout_net_bps"
    PNL_BPS = "pnl_bps"
    INVENTORY_VARIANCE = "inventory_variance"

    @property
    def sign(self) -> int:
        """Return +1 where more is better, −1 where less is."""
        return -1 if self is Metric.INVENTORY_VARIANCE else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two policies on one tape, cut alike; the tape is named for the report."""

    tape: str
    a: BlockResults
    b: BlockResults

    def __post_init__(self) -> None:
        if self.a.blocks != self.b.blocks or self.a.block_ns != self.b.block_ns:
            raise UsageFault(
                f"{self.tape}: {self.a.blocks} blocks of {self.a.block_ns} ns cannot be paired "
                f"with {self.b.blocks} of {self.b.block_ns} ns"
            )
        if self.a.blocks < BLOCKS_MIN:
            raise UsageFault(
                f"{self.tape}: {self.a.blocks} blocks are fewer than {BLOCKS_MIN}: "
                "take shorter blocks or a longer tape"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A less B with its 95 % interval.

    Parameters
    ----------
    value_a, value_b : of each policy: basis points, or lots² at B's volume
    difference, low, high : basis points, or the logarithm of a ratio
    blocks : drawn from
    block_mean : mean length of the pieces drawn, blocks
    """

    metric: Metric
    value_a: float
    value_b: float
    difference: float
    low: float
    high: float
    blocks: int
    block_mean: float

    @property
    def is_a_better(self) -> bool:
        """Tell whether A is better beyond doubt at this level."""
        return self.low > 0 if self.metric.sign > 0 else self.high < 0

    @property
    def is_b_better(self) -> bool:
        """Tell whether B is better beyond doubt at this level."""
        return self.high < 0 if self.metric.sign > 0 else self.low > 0

    def to_json(self) -> dict[str, Figure]:
        """Return the figures by name."""
        return {
            "metric": self.metric.value,
            "a": self.value_a,
            "b": self.value_b,
            "difference": self.difference,
            "ci95": [self.low, self.high],
            "blocks": self.blocks,
            "block_mean": self.block_mean,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Differences by tape, None where a policy never traded or held, and their mean.

    Every tape counts the same in `pooled`: amounts of different instruments do not add up, and a
    busy one would drown the others. Its interval is about these tapes, not about all there are.
    """

    by_tape: dict[str, Difference | None]
    pooled: Difference | None

    def to_json(self) -> dict[str, Figure]:
        """Return the table by tape, with the mean."""
        tapes: dict[str, Figure] = {
            tape: one.to_json() if one else None for tape, one in self.by_tape.items()
        }
        return {"tapes": tapes, "pooled": self.pooled.to_json() if self.pooled else None}


def compare(
    pairs: Sequence[Pair],
    *,
    metric: Metric,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
) -> Comparison:
    """Compare policy A with policy B on each tape and over all of them.

    Parameters
    ----------
    pairs : one a tape, 1 to `TAPES_MAX`, names distinct
    metric : what is compared
    rng : draws the blocks, tape after tape
    resamples : of each tape

    Raises
    ------
    UsageFault
        If there is no tape, too many, or two of one name.
    """
    if not 1 <= len({pair.tape for pair in pairs}) == len(pairs) <= TAPES_MAX:
        raise UsageFault(f"needs 1 to {TAPES_MAX} tapes of distinct names, got {len(pairs)}")
    by_tape: dict[str, Difference | None] = {}
    defined: list[tuple[Difference, Floats]] = []
    for pair in pairs:
        found = _compared(pair, metric=metric, rng=rng, resamples=resamples)
        by_tape[pair.tape] = found[0] if found else None
        if found:
            defined.append(found)
    return Comparison(by_tape=by_tape, pooled=_pooled(defined, metric=metric))


def _compared(
    pair: Pair, *, metric: Metric, rng: np.random.Generator, resamples: int
) -> tuple[Difference, Floats] | None:
    """Return one tape's difference and its resamples; None where it does not exist."""
    columns = np.concatenate([_columns(one, metric=metric) for one in (pair.a, pair.b)], axis=1)
    blocks = pair.a.blocks
    total = columns.sum(axis=0)[None, :]
    difference = float(_differences(total, metric=metric, blocks=blocks)[0])
    if not math.isfinite(difference):
        return None
    influence = _influence(columns[:, :3], metric) - _influence(columns[:, 3:], metric)
    hang = dependence(_lengths(influence, columns, metric=metric))
    length = float(np.max(hang.block_mean))
    sums = resampled_sums(columns, block_mean=length, resamples=resamples, rng=rng)
    drawn = _differences(sums, metric=metric, blocks=blocks)
    if np.mean(~np.isfinite(drawn)) > UNDEFINED_SHARE_MAX:
        return None
    # The pieces cut some dependence short and the sample's mean hides some: widen by what is known.
    known = drawn[np.isfinite(drawn)]
    deviation, spread = math.sqrt(hang.long_run_variance[0] / blocks), float(np.std(known))
    widening = max(1.0, deviation / spread if spread else 1.0) / shrinkage(blocks, length)
    drawn = difference + widening * (drawn - difference)
    value_a, value_b = _values(total[0], metric=metric, blocks=blocks)
    low, high = interval95(
        drawn[np.isfinite(drawn)], value=difference, blocks=_independent(blocks, length)
    )
    found = Difference(
        metric=metric,
        value_a=value_a,
        value_b=value_b,
        difference=difference,
        low=low,
        high=high,
        blocks=blocks,
        block_mean=length,
    )
    return found, drawn


def _pooled(defined: list[tuple[Difference, Floats]], *, metric: Metric) -> Difference | None:
    if not defined:
        return None
    drawn = np.mean([draws for _, draws in defined], axis=0)
    drawn = drawn[np.isfinite(drawn)]
    ones = [one for one, _ in defined]
    difference = math.fsum(one.difference for one in ones) / len(ones)
    independent = sum(_independent(one.blocks, one.block_mean) for one in ones)
    low, high = interval95(drawn, value=difference, blocks=independent)
    return Difference(
        metric=metric,
        value_a=math.fsum(one.value_a for one in ones) / len(ones),
        value_b=math.fsum(one.value_b for one in ones) / len(ones),
        difference=difference,
        low=low,
        high=high,
        blocks=sum(one.blocks for one in ones),
        block_mean=math.fsum(one.block_mean for one in ones) / len(ones),
    )


def _independent(blocks: int, block_mean: float) -> int:
    """Return how many pieces fit into a run: so many are independent, 2 at least."""
    return max(2, int(blocks / block_mean))


def _columns(results: BlockResults, *, metric: Metric) -> Floats:
    """Return (blocks, 3): volume and what the metric is made of."""
    volume = results.volume_atoms.astype(np.float64)
    match metric:
        case Metric.MARKOUT_NET_BPS:
            gain = (results.markout_atoms - results.fees_atoms).astype(np.float64)
            return np.stack([volume, gain, gain], axis=1)
        case Metric.PNL_BPS:
            gain = results.pnl_atoms.astype(np.float64)
            return np.stack([volume, gain, gain], axis=1)
        case Metric.INVENTORY_VARIANCE:
            # About the mean, so that squares of a large constant position do not eat the digits.
            held = results.inventory_lots.astype(np.float64)
            held -= held.mean()
            return np.stack([volume, held, np.square(held)], axis=1)
        case never:
            assert_never(never)


def _values(sums: Floats, *, metric: Metric, blocks: int) -> tuple[float, float]:
    """Return each policy's figure from its sums; variances at the volume of B."""
    volume_a, first_a, square_a, volume_b, first_b, square_b = (float(x) for x in sums)
    if metric is not Metric.INVENTORY_VARIANCE:
        return BPS_ONE * first_a / volume_a, BPS_ONE * first_b / volume_b
    variance_a, variance_b = (
        square / blocks - (first / blocks) ** 2
        for first, square in ((first_a, square_a), (first_b, square_b))
    )
    return variance_a * (volume_b / volume_a) ** 2, variance_b


def _differences(sums: Floats, *, metric: Metric, blocks: int) -> Floats:
    """Return A less B for rows of sums; NaN or infinite where a policy did not trade or hold."""
    sides = []
    with np.errstate(divide="ignore", invalid="ignore"):
        for volume, first, square in (sums[:, :3].T, sums[:, 3:].T):
            if metric is Metric.INVENTORY_VARIANCE:
                variance = np.maximum(square / blocks - np.square(first / blocks), 0.0)
                sides.append(np.log(variance) - 2 * np.log(volume))
            else:
                sides.append(BPS_ONE * first / volume)
        difference: Floats = sides[0] - sides[1]
    return difference


def _lengths(influence: Floats, columns: Floats, *, metric: Metric) -> Floats:
    """Return the columns that say how long pieces must be, the influence of the difference first.

    Positions change slowly, volume does not: in their sum the noise of volume would hide how long
    a position lasts, so each policy's squared position is asked too.
    """
    if metric is not Metric.INVENTORY_VARIANCE:
        return influence[:, None]
    return np.stack([influence, columns[:, 2], columns[:, 5]], axis=1)


def _influence(columns: Floats, metric: Metric) -> Floats:
    """Return what each block moves the figure by, to first order: its dependence is the figure's.

    For a ratio (x − r·v)/v̄, for the logarithm of a variance at equal volume q²/s² − 2v/v̄.
    """
    volume, first, square = columns.T
    if metric is Metric.INVENTORY_VARIANCE:
        moved: Floats = square / square.mean() - 2 * volume / volume.mean()
    else:
        rate = first.mean() / volume.mean()
        moved = BPS_ONE * (first - rate * volume) / volume.mean()
    return moved

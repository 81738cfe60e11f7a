"""What a set would have changed against what is in force, on the blocks both were replayed on."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from dmm.simulation.experiment.blocks import BlockResults, Figure
from dmm.simulation.experiment.compare import BLOCKS_MIN, Difference, Metric, Pair, compare
from dmm.units.amount import BPS_ONE

NAME = "all"
"""The recordings in a row are compared as one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One figure under both policies, and the change with its 95 % interval, in `unit`."""

    name: str
    unit: str
    in_force: float
    proposed: float
    change: float
    low: float
    high: float

    @property
    def text(self) -> str:
        """Return it as a clause: ``realised spread by +0.12 bps (95 %: −0.30 to +0.54)``."""
        change, low, high = (_shown(value) for value in (self.change, self.low, self.high))
        return f"{self.name} by {change} {self.unit} (95 %: {low} to {high})"

    def to_json(self) -> dict[str, Figure]:
        """Return it by name."""
        return {
            "name": self.name,
            "unit": self.unit,
            "in_force": self.in_force,
            "proposed": self.proposed,
            "change": self.change,
            "ci95": [self.low, self.high],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterfactual:
    """Effects that could be formed; `missing` names the others and why."""

    effects: tuple[Effect, ...]
    missing: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Return the sentence a reader of the proposal wants."""
        if not self.effects:
            return "What it would have changed is not known: " + "; ".join(self.missing)
        return "It would have changed " + ", ".join(one.text for one in self.effects) + "."

    def to_json(self) -> dict[str, Figure]:
        """Return the sentence and the figures."""
        return {
            "text": self.text,
            "effects": [one.to_json() for one in self.effects],
            "missing": list(self.missing),
        }


def _shown(value: float) -> str:
    return f"{value:+,.0f}" if abs(value) >= 1_000 else f"{value:+.4g}"


def counterfactual(
    proposed: BlockResults, in_force: BlockResults, *, rng: np.random.Generator, resamples: int
) -> Counterfactual:
    """Return by what a set would have changed realised spread, profit and inventory.

    Profit is the whole run's, in atoms; the inventory's variance is taken at equal volume, so that
    trading less is no virtue.

    Parameters
    ----------
    proposed, in_force : of the same blocks
    rng : draws the blocks
    resamples : of the bootstrap
    """
    if proposed.blocks < BLOCKS_MIN:
        return Counterfactual(
            effects=(),
            missing=(f"{proposed.blocks} blocks are fewer than {BLOCKS_MIN}",),
        )
    effects: list[Effect] = []
    missing: list[str] = []
    for name, metric, view in (
        ("realised spread", Metric.MARKOUT_NET_BPS, _as_spread),
        ("profit", Metric.PNL_BPS, _as_profit),
        ("inventory variance", Metric.INVENTORY_VARIANCE, _as_is),
    ):
        pair = Pair(tape=NAME, a=view(proposed), b=view(in_force))
        found = compare([pair], metric=metric, rng=rng, resamples=resamples).pooled
        if found is None:
            missing.append(f"{name}: one of both hardly traded or held anything")
        else:
            effects.append(_effect(name, found))
    return Counterfactual(effects=tuple(effects), missing=tuple(missing))


def _effect(name: str, found: Difference) -> Effect:
    if found.metric is Metric.INVENTORY_VARIANCE:
        change, low, high = (
            100 * math.expm1(value) for value in (found.difference, found.low, found.high)
        )
        unit = "% at equal volume"
    else:
        scale = found.blocks if found.metric is Metric.PNL_BPS else 1
        change, low, high = (scale * x for x in (found.difference, found.low, found.high))
        unit = "atoms" if found.metric is Metric.PNL_BPS else "bps"
    scale = found.blocks if found.metric is Metric.PNL_BPS else 1
    return Effect(
        name=name,
        unit=unit,
        in_force=scale * found.value_b,
        proposed=scale * found.value_a,
        change=change,
        low=low,
        high=high,
    )


def _as_spread(results: BlockResults) -> BlockResults:
    """Return blocks whose net markout is their realised spread: twice the gain, before fees."""
    return replace(
        results,
        markout_atoms=2 * results.markout_atoms,
        fees_atoms=np.zeros_like(results.fees_atoms),
    )


def _as_profit(results: BlockResults) -> BlockResults:
    """Return blocks of a volume that makes profit per volume the atoms of a block."""
    return replace(results, volume_atoms=np.full_like(results.volume_atoms, BPS_ONE))


def _as_is(results: BlockResults) -> BlockResults:
    return results

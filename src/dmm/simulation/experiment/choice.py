"""Choosing one set among many, on any blocks of a run: a calm position, a kept spread, fills, P&L.

The walk-forward chooses on each training exactly as the whole search chooses on everything, so that
what is tested is the rule that is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from dmm.simulation.experiment.blocks import Floats, Integers
from dmm.simulation.experiment.performance import sharpe_ratios
from dmm.simulation.experiment.scoring import rank
from dmm.units.amount import BPS_ONE
from dmm.units.errors import UsageFault
from dmm.units.ids import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceWeights:
    """What each rank counts; none negative, together 1."""

    inventory_variance: float = 0.3
    realised_spread: float = 0.3
    fill_ratio: float = 0.1
    sharpe: float = 0.3

    def __post_init__(self) -> None:
        weights = self.as_array
        if not (weights >= 0).all() or not abs(float(weights.sum()) - 1.0) < 1e-9:
            raise UsageFault(
                f"weights must not be negative and add up to 1, got {weights.tolist()}"
            )

    @property
    def as_array(self) -> Floats:
        """Return them in their order."""
        return np.array([getattr(self, one.name) for one in fields(self)], dtype=np.float64)

    @property
    def in_bps(self) -> dict[str, Json]:
        """Return them in basis points of one."""
        return {one.name: round(getattr(self, one.name) * BPS_ONE) for one in fields(self)}

    @classmethod
    def from_bps(cls, weights: Mapping[str, int]) -> ChoiceWeights:
        """Return weights given in basis points of one."""
        return cls(**{name: value / BPS_ONE for name, value in weights.items()})


DEFAULT_WEIGHTS = ChoiceWeights()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Columns:
    """All sets of a search side by side, (blocks, sets), whole numbers of each block.

    `pnl_atoms`, `markout_atoms` (gain against the mid 5 s later, before fees), `fees_atoms`,
    `volume_atoms` (notional), `filled_lots` and `placed_lots` are the block's own;
    `inventory_lots` stands at its end.
    """

    pnl_atoms: Integers
    markout_atoms: Integers
    fees_atoms: Integers
    volume_atoms: Integers
    inventory_lots: Integers
    filled_lots: Integers
    placed_lots: Integers
    fills: Integers

    def __post_init__(self) -> None:
        shapes = {getattr(self, one.name).shape for one in fields(self)}
        if len(shapes) != 1 or len(self.pnl_atoms.shape) != 2:
            raise UsageFault(f"columns of a search must have one shape, got {sorted(shapes)}")

    @property
    def blocks(self) -> int:
        """Return how many blocks there are."""
        return int(self.pnl_atoms.shape[0])

    @property
    def sets(self) -> int:
        """Return how many sets there are."""
        return int(self.pnl_atoms.shape[1])

    @classmethod
    def stacked(cls, parts: Sequence[Columns], *, axis: int) -> Columns:
        """Return parts after each other in time (axis 0) or side by side (axis 1)."""
        return cls(
            **{
                one.name: np.concatenate([getattr(part, one.name) for part in parts], axis=axis)
                for one in fields(cls)
            }
        )


def gains(columns: Columns, rows: Integers | None = None) -> Floats:
    """Return (sets, 4) in the order of `ChoiceWeights`, the more the better; −∞ for no figure.

    The variance is at equal volume, Var(q)/v² up to a factor that no rank sees.

    Parameters
    ----------
    rows : blocks to look at; all of them unless given
    """
    at = slice(None) if rows is None else rows
    volume = columns.volume_atoms[at].sum(axis=0).astype(np.float64)
    placed = columns.placed_lots[at].sum(axis=0).astype(np.float64)
    traded = volume > 0
    safe = np.where(traded, volume, 1.0)
    variance = columns.inventory_lots[at].var(axis=0) / safe**2
    spread = columns.markout_atoms[at].sum(axis=0) / safe
    ratio = columns.filled_lots[at].sum(axis=0) / np.where(placed > 0, placed, 1.0)
    pnl = columns.pnl_atoms[at].astype(np.float64)
    sharpe = sharpe_ratios(pnl) if pnl.shape[0] > 1 else np.full(pnl.shape[1], np.nan)
    table = np.stack([-variance, spread, ratio, sharpe], axis=1)
    return np.where(traded[:, None] & np.isfinite(table), table, -np.inf)


def scores(
    columns: Columns, rows: Integers | None = None, *, weights: ChoiceWeights = DEFAULT_WEIGHTS
) -> Floats:
    """Return each set's weighted mean of ranks, 0 worst to 1 best.

    Ranks have neither units nor outliers, so no single lucky fill makes a set win. A score says
    which set is preferred among those tried, nothing about whether it is any good.
    """
    table = gains(columns, rows)
    ranks = np.stack([rank(table[:, at]) for at in range(table.shape[1])], axis=1)
    weighted: Floats = ranks @ weights.as_array
    return weighted


def chosen(
    columns: Columns, rows: Integers | None = None, *, weights: ChoiceWeights = DEFAULT_WEIGHTS
) -> int:
    """Return the set with the best score, the first of equal ones; −1 where none traded."""
    at = slice(None) if rows is None else rows
    traded = columns.volume_atoms[at].sum(axis=0) > 0
    if not traded.any():
        return -1
    found = np.where(traded, scores(columns, rows, weights=weights), -np.inf)
    return int(np.argmax(found))

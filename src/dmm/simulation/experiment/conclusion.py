"""From the trials of a search to a conclusion: the figures of every set, one chosen, judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dmm.simulation.experiment.blocks import BLOCKS_MAX, CELLS_MAX, Figure, Floats
from dmm.simulation.experiment.choice import Columns, chosen, gains, scores
from dmm.simulation.experiment.counterfactual import Counterfactual, counterfactual
from dmm.simulation.experiment.evidence import Rules
from dmm.simulation.experiment.grid import Grid
from dmm.simulation.experiment.plan import Judging
from dmm.simulation.experiment.scoring import pareto_front
from dmm.simulation.experiment.trial import Trials, block_results, figures
from dmm.simulation.experiment.verdict import Standing, Verdict, judge
from dmm.simulation.experiment.walk_forward import (
    Gap,
    Split,
    WalkForward,
    choose_forward,
    walk_forward,
)
from dmm.units.amount import BPS_ONE
from dmm.units.errors import UsageFault
from dmm.units.time import NS_PER_S


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Conclusion:
    """What a search came to.

    `results` has a row for every set with its `params` and figures; `standing` with its `reasons`
    is what follows; `verdict` judges the excess over what is in force, or the set alone where it
    was the only one; `alone` judges its own P&L.
    """

    results: tuple[Mapping[str, Figure], ...]
    columns: Columns
    chosen: int
    in_force: int
    scores: Floats
    front: tuple[int, ...]
    standing: Standing
    reasons: tuple[str, ...]
    verdict: Verdict
    alone: Verdict
    forward: WalkForward | None
    splits: tuple[Split, ...]
    counterfactual: Counterfactual | None

    def to_json(self) -> dict[str, Figure]:
        """Return the verdict with everything it rests on, as plain JSON."""
        judged = self.verdict.to_json()
        return {
            "standing": self.standing.value,
            "reasons": list(self.reasons),
            "chosen": self.chosen,
            "params": self.results[self.chosen]["params"],
            "in_force": self.in_force,
            "scores": [float(score) for score in self.scores],
            "pareto": list(self.front),
            "checks": judged["checks"],
            "evidence": judged["evidence"],
            "rules": judged["rules"],
            "alone": {
                "standing": self.alone.standing.value,
                "reasons": list(self.alone.reasons),
            },
            "walk_forward": _table(self) if self.forward else None,
            "counterfactual": self.counterfactual.to_json() if self.counterfactual else None,
        }


def conclude(
    grid: Grid, parts: Sequence[Trials], *, judging: Judging, rng: np.random.Generator
) -> Conclusion:
    """Choose a set, judge it by all that were tried, and say what it would have changed.

    Parameters
    ----------
    grid : the sets, in the order of the trials
    parts : all sets on each recording, in the order of time
    rng : draws the bootstraps

    Raises
    ------
    UsageFault
        If the recordings are too short for the blocks, or there are too many figures.
    """
    columns = Columns.stacked([part.columns for part in parts], axis=0)
    _require(columns, judging)
    pnl = columns.pnl_atoms.astype(np.float64)
    best = max(0, chosen(columns, weights=judging.weights))
    splits = _splits(columns.blocks, judging)
    rules = Rules(resamples=judging.resamples)
    several = columns.sets > 1
    benchmark = pnl[:, grid.in_force] if several else None
    excess = pnl - pnl[:, [grid.in_force]] if several else pnl
    forward = _forward(columns, excess, splits, judging)
    verdict = judge(pnl, chosen=best, rng=rng, benchmark=benchmark, forward=forward, rules=rules)
    alone = verdict
    if several:
        own = _forward(columns, pnl, splits, judging)
        alone = judge(pnl, chosen=best, rng=rng, forward=own, rules=rules)
    changed = None
    if best != grid.in_force:
        changed = counterfactual(
            block_results(columns, best, block_ns=judging.block_ns),
            block_results(columns, grid.in_force, block_ns=judging.block_ns),
            rng=rng,
            resamples=judging.resamples,
        )
    standing, reasons = _standing(verdict, pnl[:, best], best, grid)
    return Conclusion(
        results=_results(grid, parts, columns, judging),
        columns=columns,
        chosen=best,
        in_force=grid.in_force,
        scores=scores(columns, weights=judging.weights),
        front=tuple(pareto_front(gains(columns)).tolist()),
        standing=standing,
        reasons=reasons,
        verdict=verdict,
        alone=alone,
        forward=forward,
        splits=splits,
        counterfactual=changed,
    )


def _require(columns: Columns, judging: Judging) -> None:
    if columns.blocks < 2:
        raise UsageFault(
            f"the tape has {columns.blocks} block of {judging.block_ns / NS_PER_S:g} s, and "
            "nothing can be judged by fewer than 2: give a smaller block_s under judging"
        )
    if columns.blocks > BLOCKS_MAX or columns.blocks * columns.sets > CELLS_MAX:
        raise UsageFault(
            f"{columns.blocks} blocks of {columns.sets} sets are too many to judge at once: give a "
            "larger block_s under judging"
        )


def _standing(
    verdict: Verdict, pnl: Floats, best: int, grid: Grid
) -> tuple[Standing, tuple[str, ...]]:
    """Return the verdict's standing, held to more: a proposal must change something and earn."""
    if len(grid.sets) > 1 and best == grid.in_force and pnl.size >= verdict.rules.blocks_min:
        return Standing.NOT_PROMOTABLE, (
            f"what is in force scores best of {len(grid.sets)} sets: there is nothing to change",
        )
    earned = float(pnl.sum())
    if verdict.standing is Standing.PROMOTABLE and earned <= 0:
        return Standing.NOT_PROMOTABLE, (
            f"better than what is in force, yet it loses on its own: profit {earned:.0f} atoms",
        )
    return verdict.standing, verdict.reasons


def _splits(blocks: int, judging: Judging) -> tuple[Split, ...]:
    """Return the walk-forward's tests; none where the run is too short for them."""
    gap = Gap(horizon_blocks=judging.horizon_blocks, embargo_blocks=judging.embargo_blocks)
    train = max(2, blocks * judging.train_bps // BPS_ONE)
    left = blocks - train - gap.horizon_blocks - gap.embargo_blocks
    if left < judging.folds:
        return ()
    return walk_forward(blocks, folds=judging.folds, gap=gap, train_blocks_min=train)


def _forward(
    columns: Columns, pnl: Floats, splits: tuple[Split, ...], judging: Judging
) -> WalkForward | None:
    if not splits:
        return None
    return choose_forward(
        pnl, splits, choose=lambda rows: chosen(columns, rows, weights=judging.weights)
    )


def _results(
    grid: Grid, parts: Sequence[Trials], columns: Columns, judging: Judging
) -> tuple[Mapping[str, Figure], ...]:
    return tuple(
        {
            "params": dict(one.params),
            **figures(
                [part.totals[at] for part in parts], columns, at=at, block_ns=judging.block_ns
            ),
        }
        for at, one in enumerate(grid.sets)
    )


def _table(conclusion: Conclusion) -> list[Figure]:
    """Return the walk-forward as rows: what was learnt from, chosen, and earned after it."""
    forward = conclusion.forward
    if forward is None:
        return []
    rows: list[Figure] = []
    begin = 0
    for at, split in enumerate(conclusion.splits):
        earned = forward.pnl[begin : begin + split.test.size]
        begin += split.test.size
        train, test = forward.sharpe_train[at], forward.sharpe_test[at]
        rows.append(
            {
                "train": [int(split.train[0]), int(split.train[-1])],
                "test": [int(split.test[0]), int(split.test[-1])],
                "chosen": int(forward.chosen[at]),
                "sharpe_train": None if np.isnan(train) else float(train),
                "sharpe_test": None if np.isnan(test) else float(test),
                "pnl": float(earned.sum()),
            }
        )
    return rows

"""Splits over time that keep what is tested out of what is learnt from.

What is decided from a block is judged by prices after it: a markout at h blocks reaches h blocks
on. Blocks whose reach touches a test are purged from the training before it. An embargo drops
further blocks, for what lingers longer: inventory, volatility, the book.

References
----------
López de Prado (2018), Advances in Financial Machine Learning, chapter 7: purging and embargo.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dmm.simulation.experiment.blocks import BLOCKS_MAX, Figure, Floats, Integers, checked_matrix
from dmm.simulation.experiment.performance import sharpe_ratios
from dmm.units.errors import UsageFault

FOLDS_MAX = 1_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """Blocks to choose on and blocks to judge on, both rising; the test is without gaps."""

    train: Integers
    test: Integers


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """What is left out between training and test.

    Parameters
    ----------
    horizon_blocks : blocks after its own that a block's result depends on, >= 0
    embargo_blocks : further blocks left out, >= 0
    """

    horizon_blocks: int = 1
    embargo_blocks: int = 1

    def __post_init__(self) -> None:
        if self.horizon_blocks < 0 or self.embargo_blocks < 0:
            raise UsageFault(
                "horizon and embargo must not be negative, "
                f"got {self.horizon_blocks} and {self.embargo_blocks} blocks"
            )


DEFAULT_GAP = Gap()
"""Ten seconds for a markout of up to ten, and ten more."""


def purged_folds(blocks: int, *, folds: int, gap: Gap = DEFAULT_GAP) -> tuple[Split, ...]:
    """Cut the time into folds, each tested once, learnt from before and after it.

    Before a test, h blocks are purged; after it, h blocks and the embargo.

    Parameters
    ----------
    blocks : of the run, >= folds
    folds : 2 to `FOLDS_MAX`
    gap : what is left out

    Raises
    ------
    UsageFault
        If a fold would have nothing to test or to learn from.

    References
    ----------
    López de Prado (2018), sections 7.4.1 and 7.4.2.
    """
    _check(blocks, folds=folds)
    every = np.arange(blocks, dtype=np.int64)
    splits = []
    for test in np.array_split(every, folds):
        before = every[: max(0, int(test[0]) - gap.horizon_blocks)]
        after = every[int(test[-1]) + 1 + gap.horizon_blocks + gap.embargo_blocks :]
        splits.append(_split(np.concatenate([before, after]), test))
    return tuple(splits)


def walk_forward(
    blocks: int,
    *,
    folds: int,
    gap: Gap = DEFAULT_GAP,
    train_blocks_min: int,
    train_blocks_max: int = BLOCKS_MAX,
) -> tuple[Split, ...]:
    """Test one stretch after another on what came before it, as a desk would have to.

    The first test begins where enough training lies behind it; from there on every block is tested
    once. Here the embargo lies before the test, since nothing after it is learnt from.

    Parameters
    ----------
    blocks : of the run
    folds : tests, 1 to `FOLDS_MAX`
    gap : left out before each test
    train_blocks_min : training of the first test, > 0
    train_blocks_max : longest training; older blocks are forgotten

    Raises
    ------
    UsageFault
        If bounds contradict each other or a fold would have nothing to test.
    """
    first = train_blocks_min + gap.horizon_blocks + gap.embargo_blocks
    if not 1 <= train_blocks_min <= train_blocks_max:
        raise UsageFault(
            "training must be at least a block and no longer than its longest, "
            f"got {train_blocks_min} to {train_blocks_max}"
        )
    _check(blocks - first, folds=folds, folds_min=1)
    every = np.arange(blocks, dtype=np.int64)
    splits = []
    for test in np.array_split(every[first:], folds):
        end = int(test[0]) - gap.horizon_blocks - gap.embargo_blocks
        splits.append(_split(every[max(0, end - train_blocks_max) : end], test))
    return tuple(splits)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WalkForward:
    """What choosing the best set on each training would have earned on each test.

    Parameters
    ----------
    chosen : set per split; −1 where no set traded in training, and nothing was earned
    sharpe_train, sharpe_test : of the chosen set per split, per block; NaN where P&L did not vary
    pnl : of the tests in a row, in the unit of the input
    """

    chosen: Integers
    sharpe_train: Floats
    sharpe_test: Floats
    pnl: Floats

    def to_json(self) -> dict[str, Figure]:
        """Return the table by column."""
        return {
            "chosen": [int(at) for at in self.chosen],
            "sharpe_train": [None if np.isnan(x) else float(x) for x in self.sharpe_train],
            "sharpe_test": [None if np.isnan(x) else float(x) for x in self.sharpe_test],
            "pnl": float(self.pnl.sum()),
            "blocks": int(self.pnl.size),
        }


def choose_forward(
    pnl: Floats,
    splits: tuple[Split, ...],
    *,
    choose: Callable[[Integers], int] | None = None,
) -> WalkForward:
    """Choose a set on each training and let it run on the test.

    Parameters
    ----------
    pnl : (blocks, sets), any unit
    splits : trainings of at least 2 blocks
    choose : from the blocks of a training the set, −1 for none; the best Sharpe ratio of `pnl`
        unless given

    Raises
    ------
    UsageFault
        If a split reaches beyond the run or trains on too little.
    """
    matrix = checked_matrix(pnl)
    chosen, train, test, earned = [], [], [], []
    for split in splits:
        if max(int(split.train[-1]), int(split.test[-1])) >= matrix.shape[0]:
            raise UsageFault(f"a split reaches beyond the {matrix.shape[0]} blocks of the run")
        ratios = sharpe_ratios(matrix[split.train])
        if choose is None:
            at = -1 if bool(np.isnan(ratios).all()) else int(np.nanargmax(ratios))
        else:
            at = choose(split.train)
        idle = at < 0
        # An idle choice earns nothing, which is a result and belongs into the sum.
        out = np.zeros(split.test.size) if idle else matrix[split.test, at]
        chosen.append(at)
        train.append(np.nan if idle else ratios[at])
        test.append(sharpe_ratios(out)[0] if out.size > 1 else np.nan)
        earned.append(out)
    return WalkForward(
        chosen=np.array(chosen, dtype=np.int64),
        sharpe_train=np.array(train),
        sharpe_test=np.array(test),
        pnl=np.concatenate(earned) if earned else np.zeros(0),
    )


def _check(blocks: int, *, folds: int, folds_min: int = 2) -> None:
    if not folds_min <= folds <= FOLDS_MAX or not folds <= blocks <= BLOCKS_MAX:
        raise UsageFault(
            f"{blocks} blocks cannot be cut into {folds} folds: needs {folds_min} to {FOLDS_MAX} "
            "folds and a block for each"
        )


def _split(train: Integers, test: Integers) -> Split:
    if not train.size:
        raise UsageFault(
            f"nothing is left to learn from beside the test of blocks {test[0]} to {test[-1]}: "
            "take more blocks, fewer folds or a smaller gap"
        )
    return Split(train=train, test=test)

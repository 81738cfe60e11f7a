from __future__ import annotations

import json

import numpy as np
import pytest

from dmm.simulation.experiment.walk_forward import (
    FOLDS_MAX,
    Gap,
    Split,
    choose_forward,
    purged_folds,
    walk_forward,
)
from dmm.units.errors import UsageFault

NO_GAP = Gap(horizon_blocks=0, embargo_blocks=0)


@pytest.mark.parametrize("gap", [(-1, 0), (0, -1)])
def test_a_negative_gap_is_refused(gap: tuple[int, int]) -> None:
    with pytest.raises(UsageFault, match="must not be negative"):
        Gap(horizon_blocks=gap[0], embargo_blocks=gap[1])


@pytest.mark.parametrize(("blocks", "folds"), [(10, 1), (10, 11), (5_000, FOLDS_MAX + 1)])
def test_folds_out_of_bounds_are_refused(blocks: int, folds: int) -> None:
    with pytest.raises(UsageFault, match=f"{blocks} blocks cannot be cut into {folds} folds"):
        purged_folds(blocks, folds=folds)


def test_a_gap_that_leaves_nothing_to_learn_from_is_refused() -> None:
    with pytest.raises(UsageFault, match="nothing is left to learn from beside the test of blocks"):
        purged_folds(6, folds=2, gap=Gap(horizon_blocks=4, embargo_blocks=0))


def test_a_run_too_short_to_walk_is_refused() -> None:
    with pytest.raises(UsageFault, match="2 blocks cannot be cut into 3 folds"):
        walk_forward(10, folds=3, gap=Gap(), train_blocks_min=6)
    with pytest.raises(UsageFault, match="got 5 to 4"):
        walk_forward(100, folds=3, train_blocks_min=5, train_blocks_max=4)
    with pytest.raises(UsageFault, match="got 0 to"):
        walk_forward(100, folds=3, train_blocks_min=0)


def test_folds_are_those_worked_out_on_paper() -> None:
    _, middle, _ = purged_folds(12, folds=3, gap=Gap(horizon_blocks=1, embargo_blocks=2))
    assert middle.test.tolist() == [4, 5, 6, 7]
    # Block 3 reaches into the test; 8 is reached by it; 9 and 10 are under embargo.
    assert middle.train.tolist() == [0, 1, 2, 11]


def test_walking_forward_is_that_worked_out_on_paper() -> None:
    first, second = walk_forward(
        13,
        folds=2,
        gap=Gap(horizon_blocks=2, embargo_blocks=1),
        train_blocks_min=4,
        train_blocks_max=5,
    )
    assert (first.train.tolist(), first.test.tolist()) == ([0, 1, 2, 3], [7, 8, 9])
    assert (second.train.tolist(), second.test.tolist()) == ([2, 3, 4, 5, 6], [10, 11, 12])


def test_choosing_forward_takes_the_best_of_the_training_and_earns_the_test() -> None:
    # The second set is better in the first half, the first in the other: the choice comes late.
    pnl = np.array([[1, 3], [2, 4], [1, 3], [2, 4], [7, -5], [8, -6], [7, -5], [8, -6]], float)
    splits = walk_forward(8, folds=1, gap=NO_GAP, train_blocks_min=4)
    found = choose_forward(pnl, splits)
    assert found.chosen.tolist() == [1]
    assert found.pnl.tolist() == [-5, -6, -5, -6]
    assert found.sharpe_train[0] > 0 > found.sharpe_test[0]
    assert json.loads(json.dumps(found.to_json()))["pnl"] == -22


def test_where_nothing_traded_nothing_is_chosen_and_nothing_earned() -> None:
    pnl = np.zeros((8, 2))
    pnl[4:] = np.random.default_rng(1).standard_normal((4, 2))
    found = choose_forward(pnl, walk_forward(8, folds=1, gap=NO_GAP, train_blocks_min=4))
    assert found.chosen.tolist() == [-1]
    assert found.pnl.tolist() == [0.0] * 4
    assert found.to_json()["sharpe_train"] == [None]


def test_a_split_beyond_the_run_is_refused() -> None:
    with pytest.raises(UsageFault, match="beyond the 5 blocks"):
        choose_forward(np.ones((5, 2)), (Split(train=np.arange(3), test=np.array([5])),))


def test_noise_earns_nothing_forward_and_skill_does() -> None:
    pnl = np.random.default_rng(2).standard_normal((900, 25))
    splits = walk_forward(900, folds=6, train_blocks_min=300)
    noise = choose_forward(pnl, splits).pnl
    assert abs(noise.mean()) < 3 / np.sqrt(noise.size)
    pnl[:, 9] += 0.3
    skilled = choose_forward(pnl, splits)
    assert set(skilled.chosen) == {9}
    assert skilled.pnl.mean() > 0.15

from __future__ import annotations

import numpy as np
import pytest

from dmm.simulation.experiment.choice import ChoiceWeights, Columns, chosen, gains, scores
from dmm.simulation.experiment.walk_forward import choose_forward, walk_forward
from dmm.units.errors import UsageFault

FIELDS = Columns.__dataclass_fields__


def columns(blocks: int = 40, sets: int = 5, seed: int = 3) -> Columns:
    rng = np.random.default_rng(seed)
    made = {name: rng.integers(-50, 60, (blocks, sets)) for name in FIELDS}
    made["volume_atoms"] = rng.integers(1, 90, (blocks, sets)) * np.arange(1, sets + 1)
    made["filled_lots"] = rng.integers(0, 5, (blocks, sets))
    made["placed_lots"] = made["filled_lots"] + rng.integers(1, 9, (blocks, sets))
    return Columns(**made)


@pytest.mark.parametrize("weight", [-0.1, 0.5])
def test_weights_that_do_not_add_up_are_refused_here_too(weight: float) -> None:
    with pytest.raises(UsageFault, match="add up to 1"):
        ChoiceWeights(inventory_variance=weight, realised_spread=0, fill_ratio=0, sharpe=0.3)


def test_columns_of_different_shapes_are_refused() -> None:
    whole = {name: getattr(columns(), name) for name in FIELDS}
    with pytest.raises(UsageFault, match="one shape"):
        Columns(**{**whole, "fills": np.zeros((3, 5), dtype=np.int64)})


def test_nothing_is_chosen_where_nothing_traded() -> None:
    idle = Columns(**{name: np.zeros((9, 3), dtype=np.int64) for name in FIELDS})
    assert chosen(idle) == -1
    assert np.isneginf(gains(idle)).all()


def test_an_idle_set_is_never_chosen_however_calm_it_is() -> None:
    made = columns(sets=2)
    for name in FIELDS:
        getattr(made, name)[:, 0] = 0
    assert chosen(made, weights=ChoiceWeights(
        inventory_variance=1, realised_spread=0, fill_ratio=0, sharpe=0)) == 1  # fmt: skip


def test_each_goal_alone_picks_its_own_best() -> None:
    made = columns(seed=11)
    volume = made.volume_atoms.sum(axis=0)
    best = {
        "inventory_variance": np.argmin(made.inventory_lots.var(axis=0) / volume**2.0),
        "realised_spread": np.argmax(made.markout_atoms.sum(axis=0) / volume),
        "fill_ratio": np.argmax(made.filled_lots.sum(axis=0) / made.placed_lots.sum(axis=0)),
        "sharpe": np.argmax(made.pnl_atoms.mean(axis=0) / made.pnl_atoms.std(axis=0, ddof=1)),
    }
    none = dict.fromkeys(best, 0.0)
    assert len(set(best.values())) > 1
    for name, at in best.items():
        assert chosen(made, weights=ChoiceWeights(**{**none, name: 1.0})) == at


def test_a_calm_position_counts_for_what_it_traded() -> None:
    made = columns(blocks=4, sets=2)
    made.inventory_lots[:] = [[2, 4], [-2, -4], [2, 4], [-2, -4]]
    made.volume_atoms[:] = [[3, 30]] * 4
    calm = ChoiceWeights(inventory_variance=1, realised_spread=0, fill_ratio=0, sharpe=0)
    # Variances 4 and 16, volumes 12 and 120: at equal volume the second holds a twenty-fifth.
    assert gains(made)[:, 0] == pytest.approx([-4 / 12**2, -16 / 120**2])
    assert chosen(made, weights=calm) == 1


def test_a_score_looks_at_the_rows_it_is_given_and_no_other() -> None:
    made = columns()
    rows = np.arange(7, 22)
    part = Columns(**{name: getattr(made, name)[rows] for name in FIELDS})
    assert np.array_equal(scores(made, rows), scores(part))
    made.pnl_atoms[30:, (chosen(part) + 1) % 5] += 10_000
    made.volume_atoms[30:, chosen(part)] *= 0
    assert np.array_equal(scores(made, rows), scores(part))
    assert chosen(made, rows) == chosen(part) != chosen(made)


def test_the_walk_forward_chooses_as_the_whole_search_does() -> None:
    made = columns()
    splits = walk_forward(40, folds=3, train_blocks_min=15)
    found = choose_forward(
        made.pnl_atoms.astype(float), splits, choose=lambda rows: chosen(made, rows)
    )
    assert found.chosen.tolist() == [chosen(made, split.train) for split in splits]
    earned = [
        made.pnl_atoms[split.test, at].sum() for split, at in zip(splits, found.chosen, strict=True)
    ]
    assert found.pnl.sum() == sum(earned)

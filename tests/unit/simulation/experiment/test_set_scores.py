from __future__ import annotations

import numpy as np
import pytest

from dmm.simulation.experiment.blocks import BlockResults
from dmm.simulation.experiment.scoring import Goals, ScoreWeights, goals, pareto_front, scores
from dmm.units.errors import UsageFault


@pytest.mark.parametrize("weights", [(0.5, 0.5, 0.5), (1.2, -0.2, 0.0), (float("nan"), 0.5, 0.5)])
def test_weights_that_do_not_add_up_are_refused(weights: tuple[float, float, float]) -> None:
    with pytest.raises(UsageFault, match="add up to 1"):
        ScoreWeights(
            inventory_variance=weights[0], realised_spread=weights[1], fill_ratio=weights[2]
        )


def reached(variance: list[float], spread: list[float], ratio: list[float]) -> Goals:
    return Goals(
        inventory_variance_lots2=np.array(variance),
        realised_spread_bps=np.array(spread),
        fill_ratio=np.array(ratio),
    )


def test_rows_of_different_lengths_are_refused() -> None:
    with pytest.raises(UsageFault, match="three rows"):
        reached([1.0, 2.0], [1.0], [1.0])


def test_a_front_needs_figures() -> None:
    with pytest.raises(UsageFault, match="no NaN"):
        pareto_front(np.array([[1.0, np.nan]]))


def test_scores_are_weighted_ranks() -> None:
    found = scores(
        reached([4.0, 1.0, 9.0], [2.0, 5.0, -3.0], [0.2, 0.1, 0.9]),
        weights=ScoreWeights(inventory_variance=0.5, realised_spread=0.3, fill_ratio=0.2),
    )
    # Ranks: variance ½ 1 0, spread ½ 1 0, ratio ½ 0 1.
    assert found == pytest.approx([0.5, 0.8, 0.2])


def test_ties_share_their_rank_and_one_set_is_in_the_middle() -> None:
    tied = scores(reached([7.0, 7.0, 7.0], [1.0, 1.0, 4.0], [0.3, 0.3, 0.3]))
    assert tied == pytest.approx([0.4 * 0.5 + 0.4 * 0.25 + 0.1] * 2 + [0.4 * 0.5 + 0.4 + 0.1])
    assert scores(reached([7.0], [1.0], [0.3])) == pytest.approx([0.5])


def test_a_set_without_figures_comes_last() -> None:
    nan = float("nan")
    found = scores(reached([4.0, nan, 9.0], [-8.0, nan, -3.0], [0.0, nan, 0.9]))
    assert found.argmin() == 1
    assert found[1] == 0


def test_the_front_is_what_nobody_beats() -> None:
    gains = np.array([[1.0, 9.0], [5.0, 5.0], [4.0, 4.0], [9.0, 1.0], [5.0, 5.0], [9.0, 0.0]])
    assert pareto_front(gains).tolist() == [0, 1, 3, 4]
    assert pareto_front(np.array([[-np.inf, 2.0], [3.0, -np.inf]])).tolist() == [0, 1]


def test_goals_are_read_at_the_mean_volume_of_those_that_traded() -> None:
    def run(volume: int, lots: int) -> BlockResults:
        row = np.array([1, -1, 1, -1])
        return BlockResults(
            pnl_atoms=row,
            markout_atoms=np.abs(row) * volume // 4_000,
            fees_atoms=0 * row,
            volume_atoms=np.full(4, volume),
            inventory_lots=lots * row,
            fills=np.full(4, 1 if volume else 0),
            orders=np.full(4, 2),
        )

    found = goals([run(4_000, 2), run(12_000, 3), run(0, 0)])
    # Mean volume 32,000 of 16,000 and 48,000: variances 4·4 and 9·4/9.
    assert found.inventory_variance_lots2[:2] == pytest.approx([16.0, 4.0])
    assert np.isnan(found.inventory_variance_lots2[2])
    assert found.realised_spread_bps[:2] == pytest.approx([5.0, 5.0])
    assert found.fill_ratio == pytest.approx([0.5, 0.5, 0.0])

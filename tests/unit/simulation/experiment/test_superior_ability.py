from __future__ import annotations

import json
import math

import numpy as np
import pytest

from dmm.simulation.experiment.reality import normal_equivalent, superior_ability
from dmm.simulation.experiment.resample import dependence, shrinkage, stationary_indices
from dmm.units.errors import UsageFault


@pytest.mark.parametrize(
    ("blocks", "resamples", "block_mean", "text"),
    [
        (8, 200, None, "needs 9 to"),
        (90, 99, None, "needs 100 resamples or more, got 99"),
        (90, 200, 31.0, "must be 1 to 30, got 31.0"),
        (90, 200, 0.5, "got 0.5"),
    ],
)
def test_a_test_out_of_bounds_is_refused(
    blocks: int, resamples: int, block_mean: float | None, text: str
) -> None:
    drawn = np.random.default_rng(1).standard_normal((blocks, 2))
    with pytest.raises(UsageFault, match=text):
        superior_ability(
            drawn, rng=np.random.default_rng(1), resamples=resamples, block_mean=block_mean
        )


def test_sets_that_do_what_the_benchmark_does_prove_nothing() -> None:
    found = superior_ability(np.zeros((50, 3)), rng=np.random.default_rng(1))
    assert found.best is None
    assert found.p_consistent == found.p_reality_check == 1.0
    assert found.p_by_set.tolist() == found.p_step_down.tolist() == [1.0] * 3
    assert json.loads(json.dumps(found.to_json()))["statistic"] == 0


def test_where_all_are_worse_nothing_is_left_to_explain() -> None:
    drawn = np.random.default_rng(2).normal(-0.3, 1.0, size=(100, 4))
    found = superior_ability(drawn, rng=np.random.default_rng(1))
    assert found.statistic == 0
    assert found.p_lower == found.p_consistent == found.p_upper == 1.0


def test_idle_sets_keep_their_place_and_change_nothing() -> None:
    drawn = np.random.default_rng(2).normal([0.0, 0.4, 0.1], size=(120, 3))
    padded = np.zeros((120, 5))
    padded[:, [1, 2, 4]] = drawn
    plain = superior_ability(drawn, rng=np.random.default_rng(7))
    found = superior_ability(padded, rng=np.random.default_rng(7))
    assert (plain.best, found.best) == (1, 2)
    assert found.p_consistent == plain.p_consistent
    assert found.p_by_set[[1, 2, 4]].tolist() == plain.p_by_set.tolist()
    assert found.p_by_set[[0, 3]].tolist() == [1.0, 1.0]


def test_p_values_are_those_of_the_papers_step_by_step() -> None:
    n, length, resamples = 90, 4.0, 150
    excess = np.random.default_rng(3).normal([0.15, -0.5, 1.5, 0.25], [1, 1, 30, 1], size=(n, 4))
    for at in range(1, n):
        excess[at, 3] += 0.7 * excess[at - 1, 3]
    found = superior_ability(
        excess, rng=np.random.default_rng(4), resamples=resamples, block_mean=length
    )
    drawn = stationary_indices(
        n, resamples=resamples, block_mean=length, rng=np.random.default_rng(4)
    )
    means = np.array([[excess[row, k].mean() for k in range(4)] for row in drawn])
    mean = excess.mean(axis=0)
    spread = [math.sqrt(n) * means[:, k].std(ddof=1) for k in range(4)]
    known = np.sqrt(dependence(excess).long_run_variance)
    assert known[3] > spread[3], "pieces of 4 must cut the dependence short"
    omega = [max(spread[k], known[k]) / shrinkage(n, length) for k in range(4)]
    t = [math.sqrt(n) * mean[k] / omega[k] for k in range(4)]
    z = [float(normal_equivalent(np.array([x]), freedom=n / (2 * length))[0]) for x in t]
    threshold = -math.sqrt(2 * math.log(math.log(n)))
    assert z[1] < threshold < 0, "the second set must be hopeless for the three to differ"
    best = max(0.0, *z)
    exceed = {"lower": 0, "consistent": 0, "upper": 0, "white": 0}
    for row in means:
        away = [math.sqrt(n) * (row[k] - mean[k]) / spread[k] for k in range(4)]
        exceed["lower"] += max(0.0, *(away[k] + min(z[k], 0) for k in range(4))) >= best
        exceed["consistent"] += (
            max(0.0, *(away[k] + (z[k] if z[k] < threshold else 0) for k in range(4))) >= best
        )
        exceed["upper"] += max(0.0, *away) >= best
        exceed["white"] += max(row[k] - mean[k] for k in range(4)) >= max(mean)
    expected = {name: (1 + count) / (1 + resamples) for name, count in exceed.items()}
    assert found.best == 3
    assert found.statistic == pytest.approx(best)
    assert found.p_lower == pytest.approx(expected["lower"])
    assert found.p_consistent == pytest.approx(expected["consistent"])
    assert found.p_upper == pytest.approx(expected["upper"])
    assert found.p_reality_check == pytest.approx(expected["white"])


def test_a_bad_set_does_not_hide_a_good_one() -> None:
    # White's test is as weak as the wildest set; the studentised one is not (Hansen, section 1).
    rng = np.random.default_rng(5)
    excess = rng.standard_normal((300, 2)) * [1.0, 100.0] + [0.25, -10.0]
    found = superior_ability(excess, rng=rng)
    assert found.best == 0
    assert found.p_consistent < 0.01
    assert found.p_reality_check > 0.3


def test_stepping_down_finds_more_and_names_hardly_any_set_falsely() -> None:
    runs, found_at_once, found_in_steps, false = 60, 0, 0, 0
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        excess = rng.standard_normal((400, 12))
        excess[:, :9] += 0.16
        tested = superior_ability(excess, rng=rng, resamples=200)
        # The best is judged against all of them, whatever follows against fewer.
        assert tested.p_step_down.min() == tested.p_upper
        found_at_once += int(np.sum(tested.p_by_set[:9] <= 0.05))
        found_in_steps += int(np.sum(tested.p_step_down[:9] <= 0.05))
        false += bool(np.any(tested.p_step_down[9:] <= 0.05))
    assert found_in_steps > found_at_once > 0
    # 5 % of 60 searches is 3; beyond 9 the chance is below 1 in 1,000.
    assert false <= 9


def test_the_same_seed_gives_the_same_answer() -> None:
    excess = np.random.default_rng(7).standard_normal((100, 5))
    first, second = (superior_ability(excess, rng=np.random.default_rng(8)) for _ in range(2))
    assert first.to_json() == second.to_json()


def test_a_single_lucky_block_proves_nothing() -> None:
    excess = np.zeros((500, 1))
    excess[123] = 1e9
    found = superior_ability(excess, rng=np.random.default_rng(9))
    assert found.p_consistent > 0.05

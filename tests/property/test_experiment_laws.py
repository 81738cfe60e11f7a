"""Laws of the statistics of experiments on any P&L, and the size of the tests on noise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dmm.simulation.experiment.coverage import binomial_share
from dmm.simulation.experiment.overfitting import backtest_overfitting
from dmm.simulation.experiment.performance import max_drawdown
from dmm.simulation.experiment.reality import superior_ability
from dmm.simulation.experiment.resample import dependence, stationary_indices
from dmm.simulation.experiment.scoring import pareto_front
from dmm.simulation.experiment.sharpe import (
    deflated_sharpe,
    probabilistic_sharpe,
    sharpe_estimate,
    track_record_blocks_min,
)
from dmm.simulation.experiment.trials import effective_trials, trials
from dmm.simulation.experiment.walk_forward import Gap, purged_folds, walk_forward

seeds = st.integers(0, 2**32 - 1)


@st.composite
def grids(draw: st.DrawFn) -> np.ndarray:
    """P&L of some sets: heavy tails, a shared factor, different scales, some idle."""
    rng = np.random.default_rng(draw(seeds))
    blocks, sets = draw(st.integers(20, 80)), draw(st.integers(2, 12))
    pnl = rng.standard_t(3, (blocks, sets))
    pnl += draw(st.floats(0, 3)) * rng.standard_normal((blocks, 1))
    pnl += draw(st.floats(-0.5, 0.5))
    pnl *= 10.0 ** rng.integers(-3, 9, size=sets)
    if draw(st.booleans()):
        pnl[:, 0] = 0.0
    return pnl


gaps = st.builds(Gap, horizon_blocks=st.integers(0, 5), embargo_blocks=st.integers(0, 5))


@given(grids())
def test_deflating_never_raises_the_confidence(pnl: np.ndarray) -> None:
    estimate = sharpe_estimate(pnl[:, -1])
    assert estimate is not None
    plain = probabilistic_sharpe(estimate)
    deflated = deflated_sharpe(estimate, trials(pnl))
    assert 0 <= deflated.confidence <= plain <= 1
    assert deflated.threshold >= 0


@given(grids(), st.floats(0.6, 0.99))
def test_a_track_record_is_long_enough_exactly_when_the_confidence_is_reached(
    pnl: np.ndarray, confidence: float
) -> None:
    estimate = sharpe_estimate(pnl[:, -1])
    assert estimate is not None
    needed = track_record_blocks_min(estimate, confidence=confidence)
    reached = probabilistic_sharpe(estimate)
    if abs(reached - confidence) < 1e-9:
        return
    assert (needed is not None and estimate.blocks >= needed) == (reached >= confidence)


@settings(max_examples=30)
@given(grids(), seeds)
def test_the_p_values_are_in_their_order(pnl: np.ndarray, seed: int) -> None:
    found = superior_ability(pnl, rng=np.random.default_rng(seed), resamples=100)
    assert 0 < found.p_lower <= found.p_consistent <= found.p_upper <= 1
    assert found.p_by_set.min() == found.p_consistent
    assert np.all(found.p_step_down >= 1 / 101)
    assert found.best is not None
    assert found.p_step_down[found.best] == found.p_step_down.min()


@settings(max_examples=20)
@given(grids(), seeds, st.integers(-2, 4))
def test_units_do_not_matter(pnl: np.ndarray, seed: int, power: int) -> None:
    scale = 2.0**power
    first, second = (
        superior_ability(x, rng=np.random.default_rng(seed), resamples=100)
        for x in (pnl, scale * pnl)
    )
    assert first.to_json() == second.to_json()
    assert trials(scale * pnl).effective == pytest.approx(trials(pnl).effective)
    one, other = (backtest_overfitting(x, subsets=4) for x in (pnl, scale * pnl))
    assert (one and one.probability) == (other and other.probability)


@given(grids())
def test_overfitting_is_a_share_and_its_splits_are_symmetric(pnl: np.ndarray) -> None:
    found = backtest_overfitting(pnl, subsets=4)
    if found is None:
        assert pnl.shape[1] == 2
        return
    assert 0 <= found.probability <= 1
    assert 0 <= found.loss_probability <= 1
    assert found.logits.size == 6
    mirrored = backtest_overfitting(pnl[:, ::-1], subsets=4)
    assert mirrored is not None
    assert mirrored.probability == found.probability


@given(grids())
def test_effective_trials_do_not_grow_by_copies(pnl: np.ndarray) -> None:
    count = effective_trials(pnl)
    assert 1 <= count <= min(pnl.shape[1], pnl.shape[0])
    assert effective_trials(np.tile(pnl, 3)) == pytest.approx(count)


@given(grids())
def test_dependence_is_bounded_whatever_the_run(pnl: np.ndarray) -> None:
    found = dependence(pnl)
    assert np.all(found.long_run_variance >= 0)
    assert np.all(found.inflation >= 1)
    assert np.all((found.block_mean >= 1) & (found.block_mean <= np.ceil(pnl.shape[0] / 3)))


@given(st.integers(20, 300), st.integers(2, 8), gaps)
def test_folds_keep_training_away_from_the_test(blocks: int, folds: int, gap: Gap) -> None:
    if blocks < folds * 12:
        return
    splits = purged_folds(blocks, folds=folds, gap=gap)
    assert np.concatenate([split.test for split in splits]).tolist() == list(range(blocks))
    for split in splits:
        first, last = int(split.test[0]), int(split.test[-1])
        before, after = split.train[split.train < first], split.train[split.train > last]
        assert before.size + after.size == split.train.size
        assert np.all(before + gap.horizon_blocks < first)
        assert np.all(after > last + gap.horizon_blocks + gap.embargo_blocks)
        # Nothing more is left out than must be.
        assert before.size == max(0, first - gap.horizon_blocks)
        left = blocks - last - 1 - gap.horizon_blocks - gap.embargo_blocks
        assert after.size == max(0, left)


@given(st.integers(60, 300), st.integers(1, 8), gaps, st.integers(1, 30), st.integers(0, 200))
def test_walking_forward_never_learns_from_the_future(
    blocks: int, folds: int, gap: Gap, least: int, more: int
) -> None:
    splits = walk_forward(
        blocks, folds=folds, gap=gap, train_blocks_min=least, train_blocks_max=least + more
    )
    first = least + gap.horizon_blocks + gap.embargo_blocks
    assert np.concatenate([split.test for split in splits]).tolist() == list(range(first, blocks))
    for split in splits:
        reach = split.train + gap.horizon_blocks + gap.embargo_blocks
        assert np.all(reach < split.test[0])
        assert least <= split.train.size <= least + more


@given(st.integers(1, 60), st.integers(1, 5), st.floats(1, 20), seeds)
def test_resamples_hold_blocks_of_the_run_only(
    blocks: int, resamples: int, block_mean: float, seed: int
) -> None:
    drawn = stationary_indices(
        blocks, resamples=resamples, block_mean=block_mean, rng=np.random.default_rng(seed)
    )
    assert drawn.shape == (resamples, blocks)
    assert drawn.min() >= 0
    assert drawn.max() < blocks


@given(st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=60))
def test_a_drawdown_is_the_worst_of_all_stretches(pnl: list[int]) -> None:
    worst = 0
    for start in range(len(pnl)):
        total = 0
        for value in pnl[start:]:
            total += value
            worst = max(worst, -total)
    assert max_drawdown(np.array(pnl)) == worst


@given(st.integers(1, 400), st.data())
def test_a_share_lies_in_its_interval(total: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, total))
    found = binomial_share(hits, total=total)
    assert 0 <= found.low <= found.share <= found.high <= 1
    mirrored = binomial_share(total - hits, total=total)
    assert mirrored.low == pytest.approx(1 - found.high, abs=1e-12)


@given(st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=25))
def test_whatever_is_off_the_front_is_beaten_by_something_on_it(rows: list[tuple]) -> None:
    gains = np.array(rows, dtype=np.float64)
    front = pareto_front(gains)
    for at in range(len(rows)):
        beaten = [
            other
            for other in front
            if np.all(gains[other] >= gains[at]) and np.any(gains[other] > gains[at])
        ]
        assert bool(beaten) == (at not in front)


# -- noise, and what must be found in it -----------------------------------------------------


def drawn(kind: str, rng: np.random.Generator, blocks: int, sets: int) -> np.ndarray:
    pnl = rng.standard_normal((blocks, sets))
    match kind:
        case "alike":
            return np.sqrt(0.1) * pnl + np.sqrt(0.9) * rng.standard_normal((blocks, 1))
        case "heavy":
            return rng.standard_t(4, (blocks, sets))
        case "clustered":
            for at in range(1, blocks):
                pnl[at] += 0.4 * pnl[at - 1]
    return pnl


def rejections(kind: str, *, runs: int, blocks: int, sets: int) -> dict[str, int]:
    """How often each test at 5 % finds something in noise."""
    found = dict.fromkeys(("p_consistent", "p_upper", "step_down", "deflated", "single"), 0)
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        pnl = drawn(kind, rng, blocks, sets)
        tested = superior_ability(pnl, rng=rng, resamples=200)
        found["p_consistent"] += tested.p_consistent <= 0.05
        found["p_upper"] += tested.p_upper <= 0.05
        found["step_down"] += bool(tested.p_step_down.min() <= 0.05)
        best = sharpe_estimate(pnl[:, tested.best])
        first = sharpe_estimate(pnl[:, 0])
        assert best is not None
        assert first is not None
        found["deflated"] += deflated_sharpe(best, trials(pnl)).confidence > 0.95
        found["single"] += probabilistic_sharpe(first) > 0.95
    return found


@pytest.mark.parametrize("kind", ["apart", "alike"])
def test_the_tests_find_something_in_noise_as_seldom_as_they_say(kind: str) -> None:
    for name, count in rejections(kind, runs=80, blocks=250, sets=15).items():
        share = binomial_share(count, total=80, confidence=0.99)
        assert share.low <= 0.05, f"{name}: {count} of 80"


@pytest.mark.deep
@pytest.mark.parametrize("kind", ["apart", "alike", "heavy", "clustered"])
def test_the_tests_keep_their_size_over_many_searches(kind: str) -> None:
    for name, count in rejections(kind, runs=800, blocks=1_000, sets=20).items():
        share = binomial_share(count, total=800, confidence=0.99)
        assert share.low <= 0.05, f"{name}: {count} of 800"


def mean_overfitting(runs: int) -> float:
    found = []
    for seed in range(runs):
        one = backtest_overfitting(
            np.random.default_rng(seed).standard_normal((160, 20)), subsets=8
        )
        assert one is not None
        found.append(one.probability)
    return float(np.mean(found))


def test_choosing_from_noise_is_a_coin_toss() -> None:
    # One search scatters by 0.22 about ½: 150 of them by 0.018.
    assert mean_overfitting(150) == pytest.approx(0.5, abs=0.06)


@pytest.mark.deep
def test_choosing_from_noise_is_a_coin_toss_over_many_searches() -> None:
    assert mean_overfitting(3_000) == pytest.approx(0.5, abs=0.02)

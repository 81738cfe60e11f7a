from __future__ import annotations

import math

import numpy as np
import pytest

from dmm.simulation.experiment.sharpe import (
    SharpeEstimate,
    deflated_sharpe,
    expected_max_sharpe,
    probabilistic_sharpe,
    sharpe_estimate,
    track_record_blocks_min,
)
from dmm.simulation.experiment.trials import Trials, effective_trials, trials
from dmm.units.errors import UsageFault


def estimate(sharpe: float = 0.1, **other: float) -> SharpeEstimate:
    return SharpeEstimate(
        **{
            "sharpe_per_block": sharpe,
            "skew": -0.4,
            "kurtosis": 6.0,
            "blocks": 500,
            "effective_blocks": 500.0,
        }
        | other
    )


@pytest.mark.parametrize("effective", [1.0, 501.0, math.nan])
def test_effective_blocks_that_cannot_be_are_refused(effective: float) -> None:
    with pytest.raises(UsageFault, match="effective blocks must be"):
        estimate(effective_blocks=effective)


@pytest.mark.parametrize("confidence", [0.5, 1.0, 95.0])
def test_a_confidence_that_is_none_is_refused(confidence: float) -> None:
    with pytest.raises(UsageFault, match=f"got {confidence}"):
        track_record_blocks_min(estimate(), confidence=confidence)


@pytest.mark.parametrize(("count", "variance"), [(0.5, 1.0), (3.0, -1.0)])
def test_trials_that_make_no_sense_are_refused(count: float, variance: float) -> None:
    with pytest.raises(UsageFault, match="needs at least one trial"):
        expected_max_sharpe(trials=count, variance=variance)
    with pytest.raises(UsageFault, match="must fit the 3"):
        Trials(tried=3, idle=0, effective=4.0, sharpe_variance=0.1)


def test_a_result_that_never_varies_has_no_ratio() -> None:
    assert sharpe_estimate(np.full(50, 7.0)) is None


def test_no_length_proves_a_ratio_that_is_below_its_benchmark() -> None:
    assert track_record_blocks_min(estimate(0.05), benchmark=0.05) is None
    assert track_record_blocks_min(estimate(-0.05)) is None


def test_a_track_record_of_the_least_length_has_exactly_the_confidence() -> None:
    needed = track_record_blocks_min(estimate(0.12), benchmark=0.03, confidence=0.975)
    assert needed is not None
    exact = estimate(0.12, blocks=math.ceil(needed), effective_blocks=needed)
    assert probabilistic_sharpe(exact, benchmark=0.03) == pytest.approx(0.975, abs=1e-12)


def test_blocks_that_repeat_each_other_count_for_fewer() -> None:
    needed = track_record_blocks_min(estimate())
    slower = track_record_blocks_min(estimate(effective_blocks=125.0))
    assert needed is not None
    assert slower == pytest.approx(4 * needed)
    assert probabilistic_sharpe(estimate(effective_blocks=125.0)) < probabilistic_sharpe(estimate())


def test_trending_pnl_is_found_to_repeat_itself() -> None:
    drawn = np.random.default_rng(1).standard_normal(4_000) + 0.05
    free = sharpe_estimate(drawn)
    for at in range(1, drawn.size):
        drawn[at] += 0.5 * drawn[at - 1]
    trending = sharpe_estimate(drawn)
    assert free is not None
    assert trending is not None
    assert free.effective_blocks > 3_000
    # (1 − 0.5)/(1 + 0.5) of 4,000.
    assert trending.effective_blocks == pytest.approx(4_000 / 3, rel=0.25)


def test_fat_tails_and_losses_in_one_piece_lower_the_confidence() -> None:
    plain = probabilistic_sharpe(estimate(skew=0.0, kurtosis=3.0))
    assert probabilistic_sharpe(estimate(skew=-2.0, kurtosis=3.0)) < plain
    assert probabilistic_sharpe(estimate(skew=0.0, kurtosis=30.0)) < plain


def test_two_valued_pnl_does_not_divide_by_nought() -> None:
    # Wins of 1 with chance ¾, else −1: SR = 0.5/√0.75, γ₃ = −2/√3, γ₄ = 7/3.
    drawn = np.tile([1.0, 1.0, 1.0, -1.0], 50)
    found = sharpe_estimate(drawn)
    assert found is not None
    assert found.variance_factor > 0
    assert 0.99 < probabilistic_sharpe(found) <= 1


def test_one_trial_has_nothing_to_deflate() -> None:
    one = Trials(tried=1, idle=0, effective=1.0, sharpe_variance=0.0)
    found = deflated_sharpe(estimate(), one)
    assert found.threshold == 0
    assert found.confidence == probabilistic_sharpe(estimate())


def test_expected_maxima_are_close_to_those_of_normal_samples() -> None:
    # Means of the largest of N standard normal values: 1.5388 of 10, 2.5076 of 100 (Harter 1961).
    assert expected_max_sharpe(trials=10, variance=1.0) == pytest.approx(1.5388, abs=0.04)
    assert expected_max_sharpe(trials=100, variance=1.0) == pytest.approx(2.5076, abs=0.03)
    assert expected_max_sharpe(trials=100, variance=0.09) == pytest.approx(0.3 * 2.5306, abs=1e-3)


def test_little_more_than_one_trial_never_lowers_the_best() -> None:
    assert expected_max_sharpe(trials=1.2, variance=1.0) == 0
    assert expected_max_sharpe(trials=1.0, variance=1.0) == 0


def test_twins_do_not_make_luck_cheaper() -> None:
    # Sets that hardly differ have hardly any variance: then that of a single ratio is taken.
    twins = Trials(tried=50, idle=0, effective=6.0, sharpe_variance=1e-9)
    found = deflated_sharpe(estimate(), twins)
    assert found.variance == pytest.approx(1 / 499)
    assert found.threshold > 0.04


def test_the_effective_number_lies_between_one_and_all() -> None:
    rng = np.random.default_rng(2)
    apart = rng.standard_normal((5_000, 8))
    assert effective_trials(apart) == pytest.approx(8, abs=0.05)
    assert effective_trials(np.repeat(apart[:, :1], 8, axis=1)) == pytest.approx(1.0)
    pairs = np.repeat(apart[:, :4], 2, axis=1)
    assert effective_trials(pairs) == pytest.approx(4, abs=0.05)


def test_the_effective_number_of_two_is_that_of_their_correlation() -> None:
    # Correlation 0.6 by construction: λ = 1.6 and 0.4, so (√1.6 + √0.4)²/2 = 1.8.
    one = np.tile([1.0, -1.0, 1.0, -1.0], 5)
    other = np.tile([1.0, 1.0, -1.0, -1.0], 5)
    pair = np.stack([one, 0.6 * one + 0.8 * other], axis=1)
    assert effective_trials(pair) == pytest.approx(1.8)
    assert effective_trials(pair * [1e-6, 1e6]) == pytest.approx(1.8)


def test_more_sets_than_blocks_have_the_same_number_either_way() -> None:
    wide = np.random.default_rng(3).standard_normal((12, 40))
    standard = (wide - wide.mean(axis=0)) / wide.std(axis=0)
    roots = np.linalg.svd(standard, compute_uv=False)
    assert effective_trials(wide) == pytest.approx(roots.sum() ** 2 / np.sum(roots**2))
    assert effective_trials(wide) <= 11


def test_idle_sets_are_counted_apart_and_add_no_luck() -> None:
    drawn = np.random.default_rng(4).standard_normal((300, 5))
    padded = np.concatenate([drawn, np.zeros((300, 3))], axis=1)
    found = trials(padded)
    assert (found.tried, found.idle) == (8, 3)
    assert found.effective == pytest.approx(trials(drawn).effective)
    assert found.sharpe_variance == pytest.approx(trials(drawn).sharpe_variance)
    nothing = trials(np.zeros((300, 2)))
    assert (nothing.idle, nothing.effective, nothing.sharpe_variance) == (2, 1.0, 0.0)

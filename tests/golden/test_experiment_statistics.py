"""Published numbers of the statistics of experiments, to half a unit of their last digit."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dmm.simulation.experiment.coverage import binomial_share
from dmm.simulation.experiment.overfitting import backtest_overfitting, halves
from dmm.simulation.experiment.reality import normal_equivalent, recentring_threshold
from dmm.simulation.experiment.resample import dependence
from dmm.simulation.experiment.sharpe import (
    SharpeEstimate,
    deflated_sharpe,
    expected_max_sharpe,
    probabilistic_sharpe,
    track_record_blocks_min,
)
from dmm.simulation.experiment.trials import Trials


def estimate(sharpe: float, skew: float, kurtosis: float, blocks: int) -> SharpeEstimate:
    return SharpeEstimate(
        sharpe_per_block=sharpe,
        skew=skew,
        kurtosis=kurtosis,
        blocks=blocks,
        effective_blocks=blocks,
    )


# Bailey & López de Prado (2014), the worked example: SR 2.5 a year from 5 years of 250 days, the
# trials' ratios having variance ½ a year.
@pytest.mark.parametrize(
    ("trials", "skew", "kurtosis", "confidence"),
    [(100, -3.0, 10.0, 0.9004), (46, -3.0, 10.0, 0.9505), (88, 0.0, 3.0, 0.9505)],
)
def test_the_deflated_sharpe_ratio_of_the_paper_is_met(
    trials: int, skew: float, kurtosis: float, confidence: float
) -> None:
    tried = Trials(tried=trials, idle=0, effective=trials, sharpe_variance=0.5 / 250)
    found = deflated_sharpe(estimate(2.5 / math.sqrt(250), skew, kurtosis, 1_250), tried)
    assert found.confidence == pytest.approx(confidence, abs=5e-5)


def test_the_ratio_luck_would_show_in_a_hundred_trials_is_that_of_the_paper() -> None:
    assert expected_max_sharpe(trials=100, variance=0.5 / 250) == pytest.approx(0.1132, abs=5e-5)


@pytest.mark.parametrize(
    ("skew", "kurtosis", "confidence"), [(0.0, 3.0, 0.982), (-2.448, 10.164, 0.913)]
)
def test_the_probabilistic_sharpe_ratio_of_the_paper_is_met(
    skew: float, kurtosis: float, confidence: float
) -> None:
    # Bailey & López de Prado (2012): two years of monthly returns with a ratio of 0.458 a month,
    # first as if they were normal, then with their skewness and kurtosis.
    found = probabilistic_sharpe(estimate(0.458, skew, kurtosis, 24))
    assert found == pytest.approx(confidence, abs=5e-4)


@pytest.mark.parametrize(
    ("blocks_a_year", "skew", "kurtosis", "years"),
    [
        (250, 0.0, 3.0, 2.73),
        (52, 0.0, 3.0, 2.83),
        (12, 0.0, 3.0, 3.24),
        (12, -0.72, 5.78, 4.99),
    ],
)
def test_the_track_records_of_the_paper_are_met(
    blocks_a_year: int, skew: float, kurtosis: float, years: float
) -> None:
    # Bailey & López de Prado (2012): to be 95 % sure that a yearly ratio of 2 exceeds 1.
    root = math.sqrt(blocks_a_year)
    found = track_record_blocks_min(estimate(2 / root, skew, kurtosis, 1_000), benchmark=1 / root)
    assert found is not None
    assert found / blocks_a_year == pytest.approx(years, abs=5e-3)


def test_the_block_length_of_an_independent_program_is_met() -> None:
    # arch 473431c, arch/tests/bootstrap/test_block_length.py, on the same draws.
    drawn = np.random.RandomState(0).standard_normal(10_100)
    for at in range(1, drawn.size):
        drawn[at] += 0.3 * drawn[at - 1]
    assert dependence(drawn[100:]).block_mean[0] == pytest.approx(13.635665, abs=5e-7)


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [
        # Newcombe (1998), Statistics in Medicine 17(8), table I, method 5.
        (81, 263, 0.2527, 0.3676),
        (15, 148, 0.0578, 0.1617),
        (0, 20, 0.0000, 0.1684),
        (1, 29, 0.0009, 0.1776),
    ],
)
def test_exact_binomial_intervals_are_met(hits: int, total: int, low: float, high: float) -> None:
    found = binomial_share(hits, total=total)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_sixteen_subsets_halve_the_time_in_as_many_ways_as_the_paper_says() -> None:
    # Bailey, Borwein, López de Prado & Zhu (2017): 12,870 combinations for S = 16.
    assert halves(16).shape == (12_870, 16)


def test_sets_that_differ_by_luck_alone_are_wholly_overfitted() -> None:
    # The vignette of the R package pbo: 100 sets of 2,400 returns, each brought to one mean and
    # one deviation. What is above the mean in one half is below it in the other: PBO 1, loss 1.
    pnl = np.random.default_rng(765).standard_normal((2_400, 100))
    pnl = (pnl - pnl.mean(axis=0)) / pnl.std(axis=0)
    found = backtest_overfitting(pnl, subsets=8)
    assert found is not None
    assert (found.probability, found.loss_probability) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("freedom", "student"), [(5, 2.5706), (10, 2.2281), (20, 2.0860), (60, 2.0003)]
)
def test_the_normal_equivalent_of_t_is_met(freedom: int, student: float) -> None:
    # Student's t at 97.5 %, as in every table; the formula itself is off by 0.0033 at ν = 5.
    found = normal_equivalent(np.array([student, -student]), freedom=freedom)
    assert found == pytest.approx([1.960, -1.960], abs=4e-3)


def test_the_recentring_threshold_is_that_of_the_iterated_logarithm() -> None:
    # By hand: ln 300 = 5.70378, its logarithm 1.74113, √3.48226 = 1.86608.
    assert recentring_threshold(300) == pytest.approx(-1.86608, abs=5e-6)

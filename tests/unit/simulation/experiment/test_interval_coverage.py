from __future__ import annotations

import math

import numpy as np
import pytest

from dmm.simulation.experiment.coverage import TRIALS_MAX, binomial_share, coverage
from dmm.units.errors import UsageFault


@pytest.mark.parametrize(
    ("hits", "total", "confidence"),
    [(-1, 5, 0.95), (6, 5, 0.95), (0, 0, 0.95), (1, TRIALS_MAX + 1, 0.95), (1, 5, 1.0)],
)
def test_a_share_that_is_none_is_refused(hits: int, total: int, confidence: float) -> None:
    with pytest.raises(UsageFault, match=f"{hits} hits of {total}"):
        binomial_share(hits, total=total, confidence=confidence)


def test_intervals_that_are_none_are_refused() -> None:
    with pytest.raises(UsageFault, match="rows of one length"):
        coverage(np.zeros(3), np.zeros(2), np.zeros(3))
    with pytest.raises(UsageFault, match="rows of one length"):
        coverage(np.zeros(3), np.zeros(3), np.zeros(2))
    with pytest.raises(UsageFault, match=r"interval 1 runs from 2\.0 to 1\.0"):
        coverage(np.array([0.0, 2.0]), np.array([1.0, 1.0]), np.zeros(1))
    with pytest.raises(UsageFault, match="interval 0 runs from nan"):
        coverage(np.array([np.nan]), np.array([1.0]), np.zeros(1))


def test_ends_belong_to_their_interval_and_may_be_infinite() -> None:
    low, high = np.array([1.0, -math.inf, 4.0, 5.0]), np.array([2.0, 7.0, math.inf, 6.0])
    found = coverage(low, high, np.array([2.0, 3.0, 3.9, 5.0]))
    assert (found.hits, found.total, found.share) == (3, 4, 0.75)
    assert coverage(low, high, np.array([5.5])).hits == 3


def test_the_ends_without_a_hit_or_a_miss_have_a_closed_form() -> None:
    # (1 − p)ⁿ = 0.025 and pⁿ = 0.025.
    assert binomial_share(0, total=37).high == pytest.approx(1 - 0.025 ** (1 / 37))
    assert binomial_share(37, total=37).low == pytest.approx(0.025 ** (1 / 37))


def test_large_counts_meet_the_normal_limit() -> None:
    found = binomial_share(950_000, total=1_000_000)
    reach = 1.959964 * math.sqrt(0.95 * 0.05 / 1e6)
    assert (found.low, found.high) == pytest.approx((0.95 - reach, 0.95 + reach), abs=2e-6)
    assert found.to_json()["share"] == 0.95


def test_the_interval_holds_the_truth_at_least_as_often_as_it_says() -> None:
    hits = np.random.default_rng(1).binomial(50, 0.3, size=400)
    ends = [binomial_share(int(count), total=50) for count in hits]
    low, high = np.array([(one.low, one.high) for one in ends]).T
    assert coverage(low, high, np.array([0.3])).share >= 0.93

"""When a quote is too old, and why the rule does not eat its own sample."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmm.risk.quote_age import FillTimes
from dmm.units.errors import UsageFault
from dmm.units.time import NS_PER_S


def test_too_few_fills_tell_nothing() -> None:
    times = FillTimes(samples_min=5)
    for age in (7, 5, 9, 3):
        times.take_fill(age)
    assert times.age_ns_max() is None
    times.take_fill(4)
    assert times.age_ns_max() == 9


def test_the_limit_is_the_ninetieth_percentile_of_the_time_to_fill() -> None:
    times = FillTimes()
    for age in np.random.default_rng(3).permutation(200) + 1:
        times.take_fill(int(age))
    assert times.age_ns_max() == 180
    assert times.age_ns_max(percentile_bps=5_000) == 100
    assert times.age_ns_max(percentile_bps=9_950) == 199


def test_the_product_limit_estimate_of_the_textbook_is_met() -> None:
    # Freireich et al. (1963), Blood 21: weeks of remission under 6-MP, the standard example of the
    # estimate. Survival at 16 weeks is 18/21 · 16/17 · 14/15 · 11/12 · 10/11 = 0.62745, before it
    # 0.69020 at 13; after it 6/7 of that at 22 = 0.53782, and 5/6 of that at 23 = 0.44818.
    times = FillTimes(samples_min=1)
    for weeks in (6, 6, 6, 7, 10, 13, 16, 22, 23):
        times.take_fill(weeks)
    for weeks in (6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35):
        times.take_pulled(weeks)
    steps = ((3_098, 13), (3_099, 16), (3_725, 16), (3_726, 22), (4_621, 22), (4_622, 23))
    for percentile_bps, weeks in steps:
        assert times.age_ns_max(percentile_bps=percentile_bps) == weeks
    assert times.age_ns_max(percentile_bps=5_518) == 23
    assert times.age_ns_max(percentile_bps=5_519) is None


def test_pulling_old_quotes_does_not_shrink_the_limit_until_nothing_is_left() -> None:
    rng = np.random.default_rng(20240808)
    times = FillTimes()
    limits = []
    for _ in range(6_000):
        life_ns = int(rng.exponential(NS_PER_S))
        limit_ns = times.age_ns_max()
        if limit_ns is not None and life_ns > limit_ns:
            times.take_pulled(limit_ns)
        else:
            times.take_fill(life_ns)
        if limit_ns is not None:
            limits.append(limit_ns)
    # The true percentile of this exponential is ln 10 s = 2.303 s.
    late = np.array(limits[len(limits) // 2 :]) / NS_PER_S
    assert late.min() > 1.6
    assert late.max() < 3.5


def test_old_samples_are_forgotten() -> None:
    times = FillTimes(samples_max=10, samples_min=3)
    for age in [1_000] * 20 + [5] * 10:
        times.take_fill(age)
    assert times.age_ns_max() == 5


def test_a_fill_before_its_order_was_placed_counts_as_instant() -> None:
    times = FillTimes(samples_min=1)
    times.take_fill(-4)
    assert times.age_ns_max() == 0


@pytest.mark.parametrize("percentile", [0, 10_000])
def test_a_percentile_that_is_none_is_refused(percentile: int) -> None:
    with pytest.raises(UsageFault, match=str(percentile)):
        FillTimes().age_ns_max(percentile_bps=percentile)


def test_bounds_that_cannot_hold_are_refused() -> None:
    with pytest.raises(UsageFault, match="got 31 and 30"):
        FillTimes(samples_max=30, samples_min=31)


@given(
    samples=st.lists(st.tuples(st.integers(0, 40), st.booleans()), min_size=5, max_size=120),
    percentile_bps=st.integers(1, 9_999),
)
def test_the_limit_is_the_product_over_every_single_fill(
    samples: list[tuple[int, bool]], percentile_bps: int
) -> None:
    times = FillTimes(samples_max=60, samples_min=5)
    for age_ns, was_pulled in samples:
        (times.take_pulled if was_pulled else times.take_fill)(age_ns)
    latest = sorted(samples[-60:])
    survival, wanted = 1.0, None
    for place, (age_ns, was_pulled) in enumerate(latest):
        if not was_pulled:
            survival *= (len(latest) - place - 1) / (len(latest) - place)
            if survival <= 1 - percentile_bps / 10_000 + 1e-12:
                wanted = age_ns
                break
    if sum(not was_pulled for _, was_pulled in latest) < 5:
        wanted = None
    assert times.age_ns_max(percentile_bps=percentile_bps) == wanted

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from dmm.calibration import arrival
from dmm.calibration.arrival import (
    FIT_TICKS_MAX,
    ArrivalFit,
    FitRange,
    TooFew,
    fit_arrival,
    kappa_by_range,
    mle_per_tick,
)
from dmm.calibration.bootstrap import BLOCKS_MAX, RESAMPLES_MAX
from dmm.calibration.depth import Depths, positive_depths
from dmm.units.time import NS_PER_S


def depths_of(
    half_ticks: list[int] | NDArray[np.int64],
    *,
    duration_s: int = 100,
    at_ns: NDArray[np.int64] | None = None,
    is_buy: NDArray[np.bool_] | None = None,
) -> Depths:
    depth = np.array(half_ticks, dtype=np.int64)
    spread_ns = np.linspace(0, duration_s * NS_PER_S - 1, depth.size).astype(np.int64)
    return positive_depths(
        depth_half_ticks=depth,
        at_ns=spread_ns if at_ns is None else at_ns,
        is_buy=np.arange(depth.size) % 2 == 0 if is_buy is None else is_buy,
        started_at_ns=0,
        duration_ns=duration_s * NS_PER_S,
    )


def poisson(
    rng: np.random.Generator, *, rate_per_s: float, kappa: float, duration_s: int
) -> Depths:
    """Draw arrivals whose depth is exponential; half ticks round up, so that λ at x stays exact."""
    count = rng.poisson(rate_per_s * duration_s)
    return depths_of(
        np.ceil(2 * rng.exponential(1 / kappa, count)).astype(np.int64),
        duration_s=duration_s,
        at_ns=rng.integers(0, duration_s * NS_PER_S, count),
        is_buy=rng.random(count) < 0.5,
    )


def fitted(depths: Depths, **options: object) -> ArrivalFit:
    fit = fit_arrival(depths, rng=np.random.default_rng(11), **options)  # type: ignore[arg-type]
    assert isinstance(fit, ArrivalFit)
    return fit


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (5, 5), (7, 3), (0, FIT_TICKS_MAX + 1)])
def test_a_fit_range_must_rise_within_bounds(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="fit range"):
        FitRange(from_ticks=start, to_ticks=end)


@pytest.mark.parametrize("resamples", [0, -3, RESAMPLES_MAX + 1])
def test_resamples_out_of_bounds_are_refused(resamples: int) -> None:
    with pytest.raises(ValueError, match="resamples must be"):
        fitted(depths_of([3, 5, 9]), resamples=resamples)


@pytest.mark.parametrize("block_ns", [0, -1, 100 * NS_PER_S // (2 * BLOCKS_MAX)])
def test_blocks_out_of_bounds_are_refused(block_ns: int) -> None:
    with pytest.raises(ValueError, match="blocks of"):
        fitted(depths_of([3, 5, 9]), block_ns=block_ns)


@pytest.mark.parametrize("half_ticks", [[], [1, 1], [3, 3, 2]])
def test_depths_that_reach_one_distance_at_most_give_no_fit(half_ticks: list[int]) -> None:
    fit = fit_arrival(depths_of(half_ticks), rng=np.random.default_rng(11))
    assert isinstance(fit, TooFew)
    assert fit.depths == len(half_ticks)
    assert fit.levels < 2


def test_an_exact_exponential_is_found_exactly() -> None:
    # 243, 81, 27, 9 and 3 trades beyond 0.5, 1.5, … 4.5 ticks: κ = ln 3, A = 243·√3/100.
    half_ticks = [2] * 162 + [4] * 54 + [6] * 18 + [8] * 6 + [10] * 3
    fit = fitted(depths_of(half_ticks), fit_range=FitRange(to_ticks=5))
    assert fit.kappa_per_tick == pytest.approx(math.log(3), rel=1e-12)
    assert fit.a_per_s == pytest.approx(2.43 * math.sqrt(3), rel=1e-12)
    assert fit.r_squared == pytest.approx(1.0, rel=1e-12)
    assert (fit.levels, fit.depths) == (5, 243)


def test_a_depth_at_a_distance_is_not_beyond_it() -> None:
    fit = fitted(depths_of([3, 3, 5, 5, 7, 9]), fit_range=FitRange(to_ticks=9))
    assert fit.levels == 4  # 0.5, 1.5, 2.5 and 3.5 ticks are passed, 4.5 is only reached


def test_the_mle_is_one_over_the_mean_depth_in_ticks() -> None:
    assert mle_per_tick(depths_of([3, 5, 9, 2])) == pytest.approx(8 / 19, rel=1e-12)
    assert mle_per_tick(depths_of([])) == 0.0


def test_the_sides_share_kappa_and_add_up_to_the_pooled_rate_when_alike() -> None:
    half_ticks = np.repeat([2, 4, 6, 8, 10], [162, 54, 18, 6, 3])
    both = np.concatenate([half_ticks, half_ticks])
    is_buy = np.arange(both.size) < half_ticks.size
    fit = fitted(depths_of(both, is_buy=is_buy), fit_range=FitRange(to_ticks=5))
    assert fit.a_bid_per_s == pytest.approx(fit.a_ask_per_s, rel=1e-12)
    assert fit.a_bid_per_s + fit.a_ask_per_s == pytest.approx(fit.a_per_s, rel=1e-12)


def test_a_side_never_hit_has_no_arrivals() -> None:
    half_ticks = [2] * 162 + [4] * 54 + [6] * 18
    buys = np.ones(len(half_ticks), dtype=np.bool_)
    fit = fitted(depths_of(half_ticks, is_buy=buys), fit_range=FitRange(to_ticks=3))
    assert fit.a_bid_per_s == 0.0
    assert fit.a_ask_per_s == pytest.approx(fit.a_per_s, rel=1e-12)


def test_one_block_of_time_bounds_nothing() -> None:
    fit = fitted(depths_of([2, 4, 4, 6, 9], duration_s=10))
    assert (fit.kappa_low, fit.kappa_high) == (-math.inf, math.inf)


def test_the_same_seed_draws_the_same_bounds_and_another_does_not() -> None:
    depths = poisson(np.random.default_rng(5), rate_per_s=2.0, kappa=0.3, duration_s=300)
    assert fitted(depths) == fitted(depths)
    other = fit_arrival(depths, rng=np.random.default_rng(12))
    assert isinstance(other, ArrivalFit)
    assert other.kappa_low != fitted(depths).kappa_low
    assert other.kappa_per_tick == fitted(depths).kappa_per_tick


def test_clustered_trades_widen_the_interval() -> None:
    rng = np.random.default_rng(23)
    even = poisson(rng, rate_per_s=2.0, kappa=0.3, duration_s=600)
    # The same depths, sorted into time: each block then speaks of one depth only.
    order = np.argsort(even.depth_half_ticks, kind="stable")
    clustered = depths_of(
        even.depth_half_ticks[order],
        duration_s=600,
        at_ns=np.sort(even.at_ns),
        is_buy=even.is_buy[order],
    )
    narrow, wide = fitted(even), fitted(clustered)
    assert narrow.kappa_per_tick == wide.kappa_per_tick
    assert wide.kappa_high - wide.kappa_low > 2 * (narrow.kappa_high - narrow.kappa_low)


CASES = ((2.0, 0.3, 600, 10), (5.0, 0.5, 300, 6), (1.0, 0.4, 900, 20), (2.0, 0.3, 70, 10))
"""Arrivals per second, κ per tick, seconds and fit range of markets that are told apart."""


def coverage(cases: tuple[tuple[float, float, int, int], ...], *, draws: int) -> float:
    """Return how often the interval holds the κ that the depths were drawn with."""
    rng = np.random.default_rng(7)
    held = 0
    for rate_per_s, kappa, duration_s, to_ticks in cases:
        for _ in range(draws):
            depths = poisson(rng, rate_per_s=rate_per_s, kappa=kappa, duration_s=duration_s)
            fit = fit_arrival(depths, rng=rng, fit_range=FitRange(to_ticks=to_ticks), resamples=150)
            assert isinstance(fit, ArrivalFit)
            held += fit.kappa_low <= kappa <= fit.kappa_high
    return held / (draws * len(cases))


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    assert 0.92 <= coverage(CASES, draws=75) <= 0.98


@pytest.mark.deep
@pytest.mark.parametrize("case", CASES)
def test_the_interval_covers_the_truth_in_each_market(case: tuple[float, float, int, int]) -> None:
    assert 0.92 <= coverage((case,), draws=1_000) <= 0.98


def test_kappa_by_range_shows_a_misfit_and_leaves_out_what_was_not_reached() -> None:
    # Two regimes: steep near the touch, flat beyond.
    half_ticks = [2] * 162 + [4] * 54 + [6] * 5 + [8] * 5 + [10] * 5
    ranges = (FitRange(to_ticks=2), FitRange(to_ticks=5), FitRange(from_ticks=8, to_ticks=12))
    near, whole, beyond = kappa_by_range(depths_of(half_ticks), ranges)
    assert near is not None
    assert whole is not None
    assert near > whole
    assert beyond is None


def test_a_flat_intensity_explains_nothing() -> None:
    fit = fitted(depths_of([50, 60, 70]), fit_range=FitRange(to_ticks=5))
    assert (fit.kappa_per_tick, fit.r_squared) == (0.0, 0.0)
    assert FitRange(from_ticks=0, to_ticks=20) == arrival.DEFAULT_RANGE

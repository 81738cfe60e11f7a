"""Order flow, markouts, VPIN and liquidity on markets small enough to work out on paper."""

from __future__ import annotations

import math

import numpy as np
import pytest
from observed import INVERSE, LINEAR, State, observed

from dmm.calibration.bootstrap import RESAMPLES_MAX, ratio_ci95
from dmm.calibration.liquidity import (
    band_depths,
    liquidity_score,
    take_costs,
    twap_ticks,
    vwap_ticks,
)
from dmm.calibration.markout import effective_spread, markouts
from dmm.calibration.order_flow import (
    flow_imbalance,
    impact_of_flow,
    square_root_impact,
    windows_of,
)
from dmm.calibration.regression import least_squares
from dmm.calibration.vpin import vpin
from dmm.units.time import NS_PER_S


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def test_flow_imbalance_counts_what_was_added_taken_and_moved() -> None:
    states: list[State] = [
        (0, 100, 7, 103, 9),
        (1, 100, 11, 103, 9),  # four lots more at the bid: +4
        (2, 101, 5, 103, 9),  # the bid rose, its whole size counts: +5
        (3, 101, 5, 103, 3),  # six lots left the ask: +6
        (4, 99, 8, 103, 3),  # the bid fell, what stood there is gone: −5
        (5, 99, 8, 102, 2),  # the ask fell, its whole size counts: −2
        (6, 99, 8, 104, 6),  # the ask rose, what stood there was taken: +2
    ]
    assert flow_imbalance(observed(states)).tolist() == [0, 4, 5, 6, -5, -2, 2]


def test_windows_carry_the_last_mid_over_a_silence() -> None:
    states: list[State] = [(0, 10, 1, 12, 1), (900, 11, 1, 12, 1), (3_100, 13, 1, 14, 1)]
    window, mid = windows_of(observed(states), window_s=1)
    assert window.tolist() == [0, 0, 3]
    assert mid.tolist() == [23, 23, 23, 27]


def test_flow_that_moves_the_mid_by_rule_is_found_with_its_slope() -> None:
    # Each second the touch moves by m ticks; a rise adds the new bid and frees the old ask.
    moves = [1, 1, -1, 1, -1, -1, 1, 1, 1, -1]
    bids = 100 + np.cumsum(moves)
    states = [(at * 1_000, int(bid), 5, int(bid) + 2, 5) for at, bid in enumerate(bids)]
    line = impact_of_flow(observed(states), window_s=1, lot=0.5)
    assert line is not None
    assert line.slope == pytest.approx(1 / (10 * 0.5), rel=1e-12)
    assert line.r_squared == pytest.approx(1, rel=1e-12)
    assert line.points == 9


def test_impact_without_movement_or_trades_is_no_estimate() -> None:
    still = observed([(at * 1_000, 100, 5, 102, 5) for at in range(5)])
    assert impact_of_flow(still, window_s=1, lot=1.0) is None
    assert square_root_impact(still, window_s=1) is None


def test_the_square_root_law_is_found_where_it_holds() -> None:
    # Net volume 4, 1, 9, −16 lots moves the mid by 2, 1, 3, −4 ticks.
    volumes, mid, states, trades = [4, 1, 9, -16], 100, [(0, 99, 1, 101, 1)], []
    for at, volume in enumerate(volumes, start=1):
        mid += round(math.copysign(math.sqrt(abs(volume)), volume))
        trades.append((at * 1_000 + 100, mid, abs(volume), volume > 0))
        states.append((at * 1_000 + 200, mid - 1, 1, mid + 1, 1))
    line = square_root_impact(observed(states, trades), window_s=1)
    assert line is not None
    mean_volume, sigma = 30 / 4, float(np.std([2, 1, 3, -4]))
    assert line.slope == pytest.approx(math.sqrt(mean_volume) / sigma, rel=1e-12)
    assert line.r_squared == pytest.approx(1, rel=1e-12)


def test_a_maker_keeps_the_half_spread_less_the_move_against_him() -> None:
    states: list[State] = [(0, 100, 1, 104, 1), (600, 102, 1, 106, 1), (9_000, 98, 1, 100, 1)]
    # A taker buys 3 lots at 104 (mid 102, 2 paid), then sells 1 lot at 99 (mid 102, 3 paid).
    seen = observed(states, [(100, 104, 3, True), (200, 99, 1, False)])
    paid = effective_spread(seen, rng=rng())
    assert paid is not None
    assert paid.value == pytest.approx((2 * 2 * 3 + 2 * 3 * 1) / 4, rel=1e-12)
    (after,) = markouts(seen, rng=rng(), horizons_s=(1,))
    # One second later the mid is 104: the buy moved 2 against its maker, the sell 2 in favour.
    assert after.adverse_ticks.value == pytest.approx((2 * 3 - 2 * 1) / 4, rel=1e-12)
    assert after.maker_ticks.value == pytest.approx((0 * 3 + 5 * 1) / 4, rel=1e-12)
    assert after.toxicity == pytest.approx(1 / (9 / 4), rel=1e-12)


def test_a_horizon_beyond_the_tape_is_left_out() -> None:
    seen = observed([(0, 100, 1, 104, 1), (900, 100, 1, 104, 1)], [(100, 104, 3, True)])
    assert markouts(seen, rng=rng(), horizons_s=(1,)) == ()


def test_trades_before_the_first_state_have_no_spread() -> None:
    seen = observed([(500, 100, 1, 104, 1), (900, 100, 1, 104, 1)], [(100, 104, 3, True)])
    assert effective_spread(seen, rng=rng()) is None


def test_vpin_splits_a_trade_at_the_border_of_a_bucket() -> None:
    # 24 lots in 3 buckets of 8: 5 + 3 bought, 2 bought and 6 sold, 1 sold and 7 bought.
    sizes, buys = np.array([5, 5, 7, 7]), np.array([True, True, False, True])
    found = vpin(sizes, buys, rng=rng(), buckets=3)
    assert found is not None
    assert found.bucket_lots == 8
    assert found.share.value == pytest.approx((8 + 4 + 6) / 24, rel=1e-12)


def test_vpin_needs_a_lot_for_each_bucket_and_two_buckets() -> None:
    assert vpin(np.array([2]), np.array([True]), rng=rng(), buckets=3) is None
    with pytest.raises(ValueError, match="at least 2"):
        vpin(np.array([2]), np.array([True]), rng=rng(), buckets=1)


BOOKS = [
    (((99_990, 30), (99_900, 70), (90_000, 5)), ((100_010, 20), (100_040, 50), (110_000, 5))),
    (((99_980, 10), (99_000, 900)), ((100_020, 40), (101_000, 800))),
]


def test_depth_is_what_stands_within_the_band_of_the_mid() -> None:
    states: list[State] = [(0, 99_990, 1, 100_010, 1), (1, 99_990, 1, 100_010, 1)]
    near, wide = band_depths(observed(states, books=BOOKS), LINEAR, rng=rng(), bands_bps=(5, 1_500))
    # Five basis points of 100,000 ticks are 50: 30 and 70 in one book, 10 and 40 in the other.
    assert near.bid_base.value == pytest.approx((30 + 10) / 2 * 0.001)
    assert near.ask_base.value == pytest.approx((70 + 40) / 2 * 0.001)
    assert near.whole == 1.0
    assert wide.whole == 0.0  # no book was known fifteen percent away


def test_the_score_is_the_geometric_mean_of_both_sides_per_basis_point_of_spread() -> None:
    states: list[State] = [(0, 99_990, 1, 100_010, 1), (1, 99_990, 1, 100_010, 1)]
    found = liquidity_score(observed(states, books=BOOKS[1:]), LINEAR, rng=rng())
    assert found is not None
    bids, asks = 9_998.0 * 0.010, 10_002.0 * 0.040
    assert found.value == pytest.approx(math.sqrt(bids * asks) / 4, rel=1e-12)


def test_taking_costs_the_mean_distance_of_the_levels_walked() -> None:
    states: list[State] = [(0, 99_990, 1, 100_010, 1), (1, 99_990, 1, 100_010, 1)]
    seen = observed(states, [(0, 100_010, 40, True)], books=BOOKS[:1])
    one, hundred = take_costs(seen, rng=rng(), takes=(1, 100))[0], take_costs(seen, rng=rng())
    # 40 lots: bids 30 at 10 and 10 at 100 ticks; asks 20 at 10 and 20 at 40 ticks from 100,000.
    assert one.cost_bps.value == pytest.approx(((300 + 1_000) / 40 + (200 + 800) / 40) / 2 / 10)
    assert one.filled == 1.0
    assert [cost.size_lots for cost in hundred] == [40]  # what no book holds has no cost


def test_mean_prices_weigh_volume_and_time() -> None:
    states: list[State] = [(0, 99, 1, 101, 1), (3_000, 199, 1, 201, 1), (4_000, 1, 1, 3, 1)]
    seen = observed(states, [(10, 100, 3, True), (20, 200, 5, False)])
    assert vwap_ticks(seen, LINEAR) == pytest.approx(1_300 / 8, rel=1e-12)
    assert vwap_ticks(seen, INVERSE) == pytest.approx(8 / (3 / 100 + 5 / 200), rel=1e-12)
    assert twap_ticks(seen) == pytest.approx(125, rel=1e-12)
    assert vwap_ticks(observed(states), LINEAR) is None


def test_a_line_needs_two_points_that_differ() -> None:
    assert least_squares(np.array([2.0]), np.array([3.0])) is None
    assert least_squares(np.array([2.0, 2.0]), np.array([3.0, 5.0])) is None


def test_the_robust_error_of_a_slope_is_whites() -> None:
    x, y = np.array([1.0, 2.0, 4.0, 7.0]), np.array([2.0, 3.0, 7.0, 9.0])
    line = least_squares(x, y)
    assert line is not None
    # Worked out apart: Sxx 21, Sxy 25.5, residuals about the line 17/14·x + 1.
    dx, rest = x - 3.5, y - (1 + 17 / 14 * x)
    assert line.slope == pytest.approx(17 / 14, rel=1e-12)
    assert line.slope_error == pytest.approx(math.sqrt(2 * np.sum((dx * rest) ** 2)) / 21, rel=1e-9)


def test_a_ratio_without_weight_or_with_one_block_has_no_bounds() -> None:
    ones, at = np.ones(3), np.arange(3)
    assert ratio_ci95(ones, 0 * ones, at, rng=rng()) is None
    with pytest.raises(ValueError, match="resamples"):
        ratio_ci95(ones, ones, at, rng=rng(), resamples=RESAMPLES_MAX + 1)
    single = ratio_ci95(ones[:1], ones[:1], at[:1], rng=rng())
    assert single is not None
    assert (single.low, single.high) == (-math.inf, math.inf)


def test_clustered_values_widen_the_interval_of_a_mean() -> None:
    values = rng().normal(size=2_000)
    at = np.arange(values.size) * NS_PER_S // 5
    even = ratio_ci95(values, np.ones(values.size), at, rng=rng())
    clustered = ratio_ci95(np.sort(values), np.ones(values.size), at, rng=rng())
    assert even is not None
    assert clustered is not None
    assert clustered.high - clustered.low > 3 * (even.high - even.low)

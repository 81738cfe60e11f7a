"""Online estimates and the slice arrays."""

from __future__ import annotations

import numpy as np
import pytest
from trading_values import at_ms, trade

from dmm.quoting.collect import MarketCollector
from dmm.quoting.online import DEPTHS_MAX, STILL_CHANGES, OnlineArrival, OnlineVolatility
from dmm.units.amount import HalfTicks


def test_kappa_is_unknown_until_enough_trades_were_deep() -> None:
    arrival = OnlineArrival()
    for depth in (3, 0, -4, 5, 7, 9):
        arrival.observe(depth)
    assert arrival.kappa_nano == 0


def test_kappa_is_one_over_the_mean_depth_of_the_last_trades() -> None:
    arrival = OnlineArrival()
    for _ in range(50):
        arrival.observe(9_999)
    for _ in range(DEPTHS_MAX):
        arrival.observe(8)  # four ticks
    assert arrival.kappa_nano == 250_000_000


def test_volatility_of_constant_steps_is_the_step_from_the_first_on() -> None:
    volatility = OnlineVolatility()
    assert volatility.sigma_microticks == 0
    for step in (6, -6, 6):
        volatility.observe(step)
        assert volatility.sigma_microticks == pytest.approx(3_000_000, abs=1)


def test_the_grid_samples_the_mid_before_each_second() -> None:
    collector = MarketCollector()
    collector.open_slice(at_ms(0))
    for milliseconds, mid in ((200, 10), (1_000, 12), (1_400, 14), (3_500, 20)):
        collector.sample(at_ms(milliseconds))
        collector.take_state(at_ms(milliseconds), HalfTicks(mid))
    market = collector.close_slice(at_ms(5_000))
    # No mid is known at 0 s; the state that came exactly at 1 s counts for it.
    assert market.mid_half_ticks.tolist() == [12, 14, 14, 20]


def test_depth_is_measured_from_the_last_state_strictly_before_the_trade() -> None:
    collector = MarketCollector()
    collector.open_slice(at_ms(0))
    collector.take_trade(trade(1, 100, 1, buyer=True))  # nothing is known yet: left out
    collector.take_state(at_ms(10), HalfTicks(201))
    collector.take_state(at_ms(20), HalfTicks(205))
    collector.take_trade(trade(21, 104, 2, buyer=True, exchange_ms=20))
    collector.take_trade(trade(22, 100, 3, buyer=False))
    market = collector.close_slice(at_ms(100))
    assert market.trade_depth_half_ticks.tolist() == [7, 5]
    assert market.trade_size_lots.tolist() == [2, 3]
    assert market.trade_is_buy.tolist() == [True, False]
    assert market.trade_at_ns.tolist() == [at_ms(21), at_ms(22)]


def test_a_new_slice_starts_empty_and_knows_the_mid_of_the_old_one() -> None:
    collector = MarketCollector()
    collector.open_slice(at_ms(0))
    collector.take_state(at_ms(10), HalfTicks(201))
    collector.close_slice(at_ms(1_500))
    collector.open_slice(at_ms(1_500))
    market = collector.close_slice(at_ms(3_000))
    assert market.mid_half_ticks.tolist() == [201, 201]
    assert market.trade_at_ns.dtype == np.int64
    assert market.trade_at_ns.size == 0


def test_a_market_stands_still_after_a_whole_window_without_a_change_of_the_mid() -> None:
    volatility = OnlineVolatility()
    volatility.observe(3)
    for _ in range(STILL_CHANGES - 1):
        volatility.observe(0)
    assert not volatility.is_still
    volatility.observe(0)
    assert volatility.is_still
    # The weighted variance fades and never says so itself.
    assert volatility.sigma_microticks > 0
    volatility.observe(-1)
    assert not volatility.is_still

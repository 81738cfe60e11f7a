"""Keeping a place in the queue."""

from __future__ import annotations

from trading_values import policy

from dmm.market.instrument import Side
from dmm.quoting.decision import RestingQuote
from dmm.quoting.decision_inputs import Working
from dmm.quoting.refresh import is_crossed, plan_refresh, refresh_ms, tolerance_ticks
from dmm.units.amount import HalfTicks, Lots, Ticks


def target(price: int, size: int, side: Side = Side.BUY) -> RestingQuote:
    return RestingQuote(side=side, price=Ticks(price), size=Lots(size))


def working(name: str, price: int, size: int, side: Side = Side.BUY) -> Working:
    return Working(client_id=name, side=side, price=Ticks(price), remaining=Lots(size))


def test_an_order_at_an_unchanged_price_is_left_alone() -> None:
    plan = plan_refresh([working("a", 100, 5)], [target(100, 5)], tolerance=0)
    assert [order.client_id for order in plan.keep] == ["a"]
    assert (plan.cancel, plan.place) == ((), ())


def test_an_order_one_tick_off_moves_only_without_tolerance() -> None:
    moved = plan_refresh([working("a", 99, 5)], [target(100, 5)], tolerance=0)
    assert (moved.cancel, moved.place) == (("a",), (target(100, 5),))
    kept = plan_refresh([working("a", 99, 5)], [target(100, 5)], tolerance=1)
    assert (kept.cancel, kept.place) == ((), ())


def test_an_order_larger_than_its_target_is_replaced() -> None:
    plan = plan_refresh([working("a", 100, 6)], [target(100, 5)], tolerance=0)
    assert (plan.cancel, plan.place) == (("a",), (target(100, 5),))


def test_a_partly_filled_order_keeps_its_place_and_is_topped_up_when_mostly_gone() -> None:
    half_left = plan_refresh([working("a", 100, 5)], [target(100, 10)], tolerance=0)
    assert (half_left.cancel, half_left.place) == ((), ())
    little_left = plan_refresh([working("a", 100, 2)], [target(100, 10)], tolerance=0)
    assert (little_left.cancel, little_left.place) == ((), (target(100, 8),))


def test_an_order_never_serves_a_target_of_the_other_side() -> None:
    plan = plan_refresh([working("a", 100, 5, Side.SELL)], [target(100, 5)], tolerance=3)
    assert (plan.cancel, plan.place) == (("a",), (target(100, 5),))


def test_without_targets_everything_is_cancelled() -> None:
    plan = plan_refresh([working("a", 1, 1), working("b", 2, 1, Side.SELL)], (), tolerance=9)
    assert plan.cancel == ("a", "b")


def test_an_order_the_market_has_come_to_is_crossed() -> None:
    bid, ask = working("b", 100, 1), working("a", 105, 1, Side.SELL)
    for best_bid, best_ask, expected in ((99, 101, (False, False)), (105, 106, (False, True))):
        market = {"best_bid": Ticks(best_bid), "best_ask": Ticks(best_ask)}
        assert (is_crossed(bid, **market), is_crossed(ask, **market)) == expected
    assert is_crossed(bid, best_bid=Ticks(98), best_ask=Ticks(100))


MID = HalfTicks(1_236_005)


def test_the_tolerance_is_an_eighth_of_the_half_spread_rounded_down() -> None:
    tolerances = [tolerance_ticks(half, policy=policy(), mid=MID) for half in (1.3, 8.0, 20.0)]
    assert tolerances == [0, 1, 2]


def test_an_order_moves_only_when_the_gain_exceeds_queue_and_replace_cost() -> None:
    # A place worth 10 % of 20 ticks and a replace of 0.05 bps = 3.09 ticks: 5.09 in all.
    costly = policy(hysteresis_bps=1_000, replace_cost_ubps=50_000)
    tolerance = tolerance_ticks(20.0, policy=costly, mid=MID)
    assert tolerance == 5
    for price, moves in ((105, False), (106, True)):
        plan = plan_refresh([working("a", price, 5)], [target(100, 5)], tolerance=tolerance)
        assert bool(plan.cancel) is moves


def test_dear_gas_makes_a_replace_dearer_and_cheap_gas_does_not_make_it_free() -> None:
    costly = policy(hysteresis_bps=0, replace_cost_ubps=50_000)
    at = {
        ratio: tolerance_ticks(20.0, policy=costly, mid=MID, gas_ratio_bps=ratio)
        for ratio in (5_000, 10_000, 30_000)
    }
    assert at == {5_000: 3, 10_000: 3, 30_000: 9}


def test_the_cadence_stretches_with_gas_from_the_spike_on_up_to_its_maximum() -> None:
    dex = policy(refresh_ms=1_000, gas_spike_bps=20_000, gas_stretch_bps_max=30_000)
    cadence = [refresh_ms(dex, gas_ratio_bps=ratio) for ratio in (5_000, 19_999, 20_000, 90_000)]
    assert cadence == [1_000, 1_000, 2_000, 3_000]

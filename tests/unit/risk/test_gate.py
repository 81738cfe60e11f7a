"""Every reason to refuse, in the order it is checked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from trading_values import LINEAR, order, policy

from dmm.market.instrument import Side
from dmm.market.order import Order, TimeInForce
from dmm.quoting.limits import limits_of
from dmm.risk.breaker import Posture
from dmm.risk.gate import ACCEPTED, Exposure, RefusalReason, Refused, gate
from dmm.risk.limits import Limits
from dmm.units.amount import Atoms, Lots, Ticks

LIMITS = limits_of(policy())
CALM = Exposure(
    posture=Posture.QUOTING,
    feed_is_fresh=True,
    best_bid=Ticks(618_002),
    best_ask=Ticks(618_003),
    inventory=Lots(0),
    outstanding_buy=Lots(0),
    outstanding_sell=Lots(0),
    drawdown_atoms=Atoms(0),
)
BID = order(Side.BUY, 617_990, 10)


def refusal(
    judged: Order, exposure: Exposure = CALM, limits: Limits = LIMITS
) -> RefusalReason | None:
    verdict = gate(judged, instrument=LINEAR, limits=limits, exposure=exposure)
    return verdict.reason if isinstance(verdict, Refused) else None


def test_a_sound_order_passes() -> None:
    assert gate(BID, instrument=LINEAR, limits=LIMITS, exposure=CALM) is ACCEPTED


@pytest.mark.parametrize("posture", [Posture.PAUSED, Posture.HALTED, Posture.KILLED])
def test_no_order_passes_a_posture_that_may_not_quote(posture: Posture) -> None:
    assert refusal(BID, replace(CALM, posture=posture)) is RefusalReason.POSTURE


def test_a_one_sided_posture_lets_only_reducing_orders_pass() -> None:
    long = replace(CALM, posture=Posture.ONE_SIDED, inventory=Lots(100))
    assert refusal(BID, long) is RefusalReason.POSTURE
    assert refusal(order(Side.SELL, 618_010, 10), long) is None


def test_a_stale_feed_refuses() -> None:
    assert refusal(BID, replace(CALM, feed_is_fresh=False)) is RefusalReason.STALE_FEED


@pytest.mark.parametrize("price", [0, -5, 556_000, 680_000])
def test_a_price_off_the_market_is_refused(price: int) -> None:
    far = order(Side.BUY, price, 10, time_in_force=TimeInForce.IOC)
    assert refusal(far) is RefusalReason.PRICE_NOT_SANE


def test_a_market_without_both_sides_has_no_sane_price() -> None:
    assert refusal(BID, replace(CALM, best_ask=Ticks(0))) is RefusalReason.PRICE_NOT_SANE


@pytest.mark.parametrize(("side", "price"), [(Side.BUY, 618_003), (Side.SELL, 618_002)])
def test_a_post_only_order_may_not_cross_and_an_ioc_may(side: Side, price: int) -> None:
    assert refusal(order(side, price, 10)) is RefusalReason.WOULD_CROSS
    assert refusal(order(side, price, 10, time_in_force=TimeInForce.IOC)) is None


@pytest.mark.parametrize("size", [0, -1, 11])
def test_a_size_outside_its_limit_is_refused(size: int) -> None:
    assert refusal(order(Side.BUY, 617_990, size)) is RefusalReason.SIZE


def test_open_orders_count_as_filled_against_the_hard_limit() -> None:
    near = replace(CALM, inventory=Lots(80), outstanding_buy=Lots(11))
    assert refusal(BID, near) is RefusalReason.HARD_INVENTORY
    assert refusal(BID, replace(near, outstanding_buy=Lots(10))) is None
    short = replace(CALM, inventory=Lots(-80), outstanding_sell=Lots(11))
    assert refusal(order(Side.SELL, 618_010, 10), short) is RefusalReason.HARD_INVENTORY


def test_open_notional_per_side_is_bounded() -> None:
    crowded = replace(CALM, outstanding_buy=Lots(30))
    assert refusal(BID, crowded) is RefusalReason.OUTSTANDING_NOTIONAL
    assert refusal(order(Side.SELL, 618_010, 10), crowded) is None


def test_a_drawdown_beyond_its_limit_refuses_last_of_all() -> None:
    sunk = replace(CALM, drawdown_atoms=Atoms(LIMITS.drawdown_atoms_max + 1))
    assert refusal(BID, sunk) is RefusalReason.DRAWDOWN
    assert refusal(BID, replace(sunk, feed_is_fresh=False)) is RefusalReason.STALE_FEED

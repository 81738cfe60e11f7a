"""Every reason to refuse, in the order it is checked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from trading_values import INVERSE, LINEAR, order, policy

from dmm.market.instrument import Side
from dmm.market.order import Order, TimeInForce
from dmm.quoting.limits import limits_of
from dmm.risk.breaker import Posture
from dmm.risk.gate import ACCEPTED, Exposure, RefusalReason, Refused, gate
from dmm.risk.limits import Cap, CapScope, Limits
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


@pytest.mark.parametrize(
    "posture", [Posture.PAUSED, Posture.CANCEL_ONLY, Posture.HALTED, Posture.KILLED]
)
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


def detail(judged: Order, exposure: Exposure = CALM, limits: Limits = LIMITS) -> str:
    verdict = gate(judged, instrument=LINEAR, limits=limits, exposure=exposure)
    assert isinstance(verdict, Refused)
    return verdict.detail


def test_an_order_of_unknown_state_stops_new_ones_unless_the_limits_tolerate_it() -> None:
    lost = replace(CALM, unknown_orders=1)
    assert refusal(BID, lost) is RefusalReason.ORDER_STATE_UNKNOWN
    assert refusal(BID, lost, replace(LIMITS, unknown_orders_max=1)) is None
    assert detail(BID, lost) == "1 orders of unknown state, 0 allowed"


@pytest.mark.parametrize("offset_ns", [None, 250_000_001, -250_000_001])
def test_a_clock_that_is_off_or_not_measured_refuses(offset_ns: int | None) -> None:
    assert refusal(BID, replace(CALM, clock_offset_ns=offset_ns)) is RefusalReason.CLOCK_OFFSET


@pytest.mark.parametrize("offset_ns", [250_000_000, -250_000_000])
def test_a_clock_exactly_at_its_bound_passes(offset_ns: int) -> None:
    assert refusal(BID, replace(CALM, clock_offset_ns=offset_ns)) is None


def test_long_and_short_have_limits_of_their_own() -> None:
    limits = replace(LIMITS, inventory_hard_long=Lots(40), inventory_hard_short=Lots(20))
    long = replace(CALM, inventory=Lots(31))
    assert refusal(BID, long, limits) is RefusalReason.HARD_INVENTORY
    assert refusal(BID, replace(CALM, inventory=Lots(30)), limits) is None
    ask = order(Side.SELL, 618_010, 10)
    assert refusal(ask, replace(CALM, inventory=Lots(-11)), limits) is RefusalReason.HARD_INVENTORY
    assert refusal(ask, replace(CALM, inventory=Lots(-10)), limits) is None


def test_what_lies_beyond_a_limit_may_still_be_reduced() -> None:
    beyond = replace(CALM, inventory=Lots(500), caps=(cap(CapScope.VAULT, -400, 600),))
    assert refusal(BID, beyond) is RefusalReason.HARD_INVENTORY
    assert refusal(order(Side.SELL, 618_010, 10), beyond) is None


def cap(scope: CapScope, room_buy: int, room_sell: int) -> Cap:
    return Cap(scope=scope, name="alpha", room_buy=Lots(room_buy), room_sell=Lots(room_sell))


@pytest.mark.parametrize(
    ("scope", "reason"),
    [
        (CapScope.VENUE, RefusalReason.VENUE_INVENTORY),
        (CapScope.VAULT, RefusalReason.VAULT_INVENTORY),
        (CapScope.TOTAL, RefusalReason.TOTAL_INVENTORY),
    ],
)
def test_each_scope_has_its_own_room(scope: CapScope, reason: RefusalReason) -> None:
    tight = replace(CALM, caps=(cap(scope, 9, 10),))
    assert refusal(BID, tight) is reason
    assert detail(BID, tight) == "buy of 10 lots, room for 9 in alpha"
    assert refusal(order(Side.SELL, 618_010, 10), tight) is None


def test_open_notional_in_atoms_is_bounded_whatever_the_lots() -> None:
    # 10 lots at 617,990 and 5 at the mid of 618,002.5 ticks; a tick times a lot is 100 atoms.
    worth = 100 * 617_990 * 10 + 100 * 618_002 * 5 + 250
    crowded = replace(CALM, outstanding_buy=Lots(5))
    allowed = replace(LIMITS, outstanding_atoms_max=Atoms(worth))
    assert refusal(BID, crowded, allowed) is None
    tighter = replace(LIMITS, outstanding_atoms_max=Atoms(worth - 1))
    assert refusal(BID, crowded, tighter) is RefusalReason.OUTSTANDING_NOTIONAL
    assert (
        detail(BID, crowded, tighter) == f"{worth} atoms open with this order, {worth - 1} allowed"
    )


def test_an_inverse_order_is_worth_more_coins_the_lower_its_price() -> None:
    # 100 USD a contract: 15 contracts at 61,799.0 are 2,427,223.7 satoshi, rounded up.
    limits = replace(LIMITS, outstanding_atoms_max=Atoms(2_427_224))
    crowded = replace(CALM, outstanding_buy=Lots(5))
    assert gate(BID, instrument=INVERSE, limits=limits, exposure=crowded) is ACCEPTED
    tighter = replace(limits, outstanding_atoms_max=Atoms(2_427_223))
    verdict = gate(BID, instrument=INVERSE, limits=tighter, exposure=crowded)
    assert isinstance(verdict, Refused)
    assert verdict.reason is RefusalReason.OUTSTANDING_NOTIONAL


@pytest.mark.parametrize("instrument", [LINEAR, INVERSE])
def test_the_lots_bound_follows_the_price_in_every_kind_of_contract(instrument: object) -> None:
    limits = replace(LIMITS, price_band_bps=0, outstanding_lots_max=Lots(20))
    at_the_mid = replace(CALM, best_bid=Ticks(617_989), best_ask=Ticks(617_991))
    for open_lots, passes in ((10, True), (11, False)):
        exposure = replace(at_the_mid, outstanding_buy=Lots(open_lots))
        verdict = gate(BID, instrument=instrument, limits=limits, exposure=exposure)  # type: ignore[arg-type]
        assert (verdict is ACCEPTED) is passes


def test_a_spent_rate_budget_refuses() -> None:
    spent = replace(CALM, rate_weight_left=1, order_weight=2)
    assert refusal(BID, spent) is RefusalReason.RATE_BUDGET
    assert refusal(BID, replace(spent, rate_weight_left=2)) is None


@pytest.mark.parametrize("field", ["price", "size"])
def test_what_is_no_number_is_refused(field: str) -> None:
    judged = replace(BID, **{field: float("nan")})  # type: ignore[arg-type]
    assert refusal(judged) in {RefusalReason.PRICE_NOT_SANE, RefusalReason.SIZE}


def test_an_accepted_order_counts_before_the_next_is_judged() -> None:
    before = replace(CALM, caps=(cap(CapScope.TOTAL, 25, 25),), rate_weight_left=9, order_weight=4)
    after = before.after(BID)
    assert (after.outstanding_buy, after.outstanding_sell) == (10, 0)
    assert (after.caps[0].room_buy, after.caps[0].room_sell) == (15, 25)
    assert after.rate_weight_left == 5
    sold = after.after(order(Side.SELL, 618_010, 3))
    assert (sold.outstanding_buy, sold.outstanding_sell) == (10, 3)
    assert (sold.caps[0].room_buy, sold.caps[0].room_sell) == (15, 22)
    assert refusal(BID, replace(sold, rate_weight_left=4)) is None
    assert refusal(BID, sold) is RefusalReason.RATE_BUDGET


def test_copying_an_exposure_loses_no_field() -> None:
    full = replace(
        CALM, unknown_orders=3, clock_offset_ns=-5, order_weight=7, drawdown_atoms=Atoms(11)
    )
    after = full.after(BID)
    assert replace(after, outstanding_buy=full.outstanding_buy) == full

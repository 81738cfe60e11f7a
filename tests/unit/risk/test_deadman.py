from __future__ import annotations

import pytest
from trading_values import at_ms

from dmm.risk.deadman import DeadMan, DeadManAct
from dmm.units.errors import UsageFault
from dmm.units.time import NS_PER_S

SWITCH = DeadMan(timeout_ns=3 * NS_PER_S)


def test_orders_under_a_switch_that_was_never_armed_are_cancelled() -> None:
    assert SWITCH.act(at_ms(0), has_orders=True) is DeadManAct.CANCEL_EVERYTHING
    assert SWITCH.act(at_ms(0), has_orders=False) is DeadManAct.NOTHING


def test_a_desk_that_gives_no_sign_loses_its_orders_at_the_deadline() -> None:
    armed = SWITCH.armed(at_ms(0))
    assert armed.act(at_ms(2_999), has_orders=True) is DeadManAct.RENEW
    assert armed.act(at_ms(3_000), has_orders=True) is DeadManAct.CANCEL_EVERYTHING
    assert armed.act(at_ms(3_000), has_orders=False) is DeadManAct.CANCEL_EVERYTHING


def test_a_sign_of_life_that_comes_too_late_does_not_arm_again() -> None:
    late = SWITCH.armed(at_ms(0)).armed(at_ms(3_000))
    assert late.has_expired
    assert late.armed(at_ms(3_001)).act(at_ms(3_001), has_orders=False) is (
        DeadManAct.CANCEL_EVERYTHING
    )
    fresh = late.everything_cancelled().armed(at_ms(4_000))
    assert fresh.act(at_ms(4_500), has_orders=True) is DeadManAct.NOTHING


def test_a_look_at_the_clock_latches_what_it_saw() -> None:
    seen = SWITCH.armed(at_ms(0)).looked(at_ms(3_000))
    assert seen.act(at_ms(1_000), has_orders=True) is DeadManAct.CANCEL_EVERYTHING


def test_the_switch_is_renewed_after_a_third_of_its_time() -> None:
    armed = SWITCH.armed(at_ms(0))
    assert armed.act(at_ms(999), has_orders=True) is DeadManAct.NOTHING
    assert armed.act(at_ms(1_000), has_orders=True) is DeadManAct.RENEW


def test_a_clock_that_steps_back_does_not_bring_the_deadline_nearer() -> None:
    armed = SWITCH.armed(at_ms(5_000)).armed(at_ms(1_000))
    assert armed.deadline_ns == at_ms(8_000)


def test_a_switch_without_time_is_refused() -> None:
    with pytest.raises(UsageFault, match="got 2"):
        DeadMan(timeout_ns=2)

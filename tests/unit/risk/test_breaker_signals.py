"""Each measured value trips its signal, at its threshold and not before, and clears below it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from trading_values import at_ms

from dmm.risk.breaker import CALM, Posture, Signals, demanded
from dmm.risk.signals import Readings, Thresholds, signals_of
from dmm.units.amount import HalfTicks, Lots
from dmm.units.errors import UsageFault

BP = 1_000_000
THRESHOLDS = Thresholds(
    sigma_microticks_max=1_000,
    drawdown_atoms_max=500,
    hard_long=Lots(40),
    hard_short=Lots(20),
    fill_deviation_ubps_max=50 * BP,
    venue_gap_ubps_max=100 * BP,
)
QUIET = Readings(
    now_ns=at_ms(10_000),
    received_at_ns=at_ms(9_000),
    trusts_feed=True,
    has_mid=True,
    inventory=Lots(0),
    sigma_microticks=400,
    drawdown_atoms=0,
    clock_offset_ns=0,
    unknown_orders=0,
    books_disagree=False,
    depegged=False,
    latch_readable=True,
    killed=False,
)


def signals(before: Signals = CALM, **changes: Any) -> Signals:
    return signals_of(replace(QUIET, **changes), thresholds=THRESHOLDS, before=before)


@pytest.mark.parametrize(
    ("changes", "posture"),
    [
        ({"latch_readable": False}, Posture.KILLED),
        ({"killed": True}, Posture.KILLED),
        ({"drawdown_atoms": 501}, Posture.HALTED),
        ({"unknown_orders": 1}, Posture.CANCEL_ONLY),
        ({"books_disagree": True}, Posture.CANCEL_ONLY),
        ({"received_at_ns": None}, Posture.PAUSED),
        ({"received_at_ns": at_ms(6_999)}, Posture.PAUSED),
        ({"trusts_feed": False}, Posture.PAUSED),
        ({"has_mid": False}, Posture.PAUSED),
        ({"fill_deviation_ubps": 50 * BP + 1}, Posture.PAUSED),
        ({"venue_mids": (HalfTicks(10_000), HalfTicks(10_101))}, Posture.PAUSED),
        ({"clock_offset_ns": None}, Posture.PAUSED),
        ({"clock_offset_ns": -250_000_001}, Posture.PAUSED),
        ({"depegged": True}, Posture.PAUSED),
        ({"sigma_microticks": 3_001}, Posture.PAUSED),
        ({"inventory": Lots(40)}, Posture.ONE_SIDED),
        ({"inventory": Lots(-20)}, Posture.ONE_SIDED),
        ({"sigma_microticks": 1_001}, Posture.WIDENED),
    ],
)
def test_each_reading_beyond_its_threshold_demands_its_posture(
    changes: dict[str, Any], posture: Posture
) -> None:
    assert demanded(signals(**changes)) is posture


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"drawdown_atoms": 500},
        {"received_at_ns": at_ms(7_000)},
        {"fill_deviation_ubps": 50 * BP},
        {"venue_mids": (HalfTicks(10_000), HalfTicks(10_100))},
        {"clock_offset_ns": 250_000_000},
        {"inventory": Lots(39)},
        {"inventory": Lots(-19)},
        {"sigma_microticks": 1_000},
    ],
)
def test_a_reading_exactly_at_what_is_allowed_demands_nothing(changes: dict[str, Any]) -> None:
    assert signals(**changes) == CALM


@pytest.mark.parametrize(
    ("name", "reading", "tripped", "hovering", "cleared"),
    [
        ("volatility_above_band", "sigma_microticks", 1_001, 901, 900),
        ("volatility_extreme", "sigma_microticks", 3_001, 2_701, 2_700),
        ("fills_off_reference", "fill_deviation_ubps", 50 * BP + 1, 45 * BP + 1, 45 * BP),
        ("clock_off", "clock_offset_ns", 250_000_001, -225_000_001, -225_000_000),
    ],
)
def test_a_breaker_that_tripped_clears_only_well_below_its_threshold(
    name: str, reading: str, tripped: int, hovering: int, cleared: int
) -> None:
    assert not getattr(signals(**{reading: hovering}), name)
    on = signals(**{reading: tripped})
    assert getattr(on, name)
    assert getattr(signals(on, **{reading: hovering}), name)
    assert not getattr(signals(on, **{reading: cleared}), name)


def test_venues_that_disagreed_must_come_closer_than_what_set_them_apart() -> None:
    apart = signals(venue_mids=(HalfTicks(10_000), HalfTicks(10_101)))
    near = (HalfTicks(10_000), HalfTicks(10_091))
    assert signals(apart, venue_mids=near).venues_disagree
    assert not signals(venue_mids=near).venues_disagree
    assert not signals(apart, venue_mids=(HalfTicks(10_000), HalfTicks(10_090))).venues_disagree


@pytest.mark.parametrize(
    ("name", "value"),
    [("clear_share_bps", 0), ("clear_share_bps", 10_001), ("sigma_extreme_share_bps", 10_000)],
)
def test_thresholds_that_cannot_hold_are_refused_by_name(name: str, value: int) -> None:
    with pytest.raises(UsageFault, match=rf"{name} .*{value}"):
        replace(THRESHOLDS, **{name: value})  # type: ignore[arg-type]

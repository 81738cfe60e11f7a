"""The posture over time: at once to the strict side, slowly to the bold one, dead if unreadable."""

from __future__ import annotations

from dataclasses import replace

import pytest
from trading_values import at_ms

from dmm.risk.breaker import CALM, Posture
from dmm.risk.posture import DEAD_STATE, FIRST_STATE, PostureState, read_state, step
from dmm.units.time import NS_PER_S

BLIND = replace(CALM, market_visible=False)
WILD = replace(CALM, volatility_above_band=True)


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "quoting",
        {},
        {**FIRST_STATE.to_json(), "posture": "bold"},
        {**FIRST_STATE.to_json(), "posture": None},
        {**FIRST_STATE.to_json(), "calm_demand": 3},
        {**FIRST_STATE.to_json(), "seen_at_ns": "1"},
        {**FIRST_STATE.to_json(), "seen_at_ns": 1.5},
        {**FIRST_STATE.to_json(), "entered_at_ns": True},
        {**FIRST_STATE.to_json(), "calm_since_ns": []},
        {**FIRST_STATE.to_json(), "more": 1},
        {name: value for name, value in FIRST_STATE.to_json().items() if name != "seen_at_ns"},
    ],
)
def test_a_state_that_cannot_be_read_is_dead(body: object) -> None:
    assert read_state(body) is DEAD_STATE


def test_a_state_survives_its_journal() -> None:
    state = step(step(FIRST_STATE, WILD, now_ns=at_ms(1)), CALM, now_ns=at_ms(2))
    for one in (FIRST_STATE, state):
        assert read_state(one.to_json()) == one


def test_a_desk_starts_without_trust() -> None:
    assert FIRST_STATE.posture is Posture.PAUSED
    assert step(FIRST_STATE, CALM, now_ns=at_ms(0)).posture is Posture.PAUSED


def test_a_signal_that_flaps_keeps_the_posture_it_demands() -> None:
    state = PostureState(posture=Posture.QUOTING)
    seen = []
    for number in range(40):
        signals = BLIND if number % 3 == 0 else CALM
        state = step(state, signals, now_ns=at_ms(500 * number))
        seen.append(state.posture)
    assert set(seen) == {Posture.PAUSED}


def test_a_calm_that_lasts_loosens_and_not_a_nanosecond_before() -> None:
    state = step(PostureState(posture=Posture.QUOTING), BLIND, now_ns=at_ms(0))
    state = step(state, CALM, now_ns=at_ms(1_000))
    assert step(state, CALM, now_ns=at_ms(2_999)).posture is Posture.PAUSED
    assert step(state, CALM, now_ns=at_ms(3_000)).posture is Posture.QUOTING


def test_loosening_stops_at_the_strictest_demand_of_the_calm() -> None:
    state = step(PostureState(posture=Posture.QUOTING), BLIND, now_ns=at_ms(0))
    state = step(state, CALM, now_ns=at_ms(100))
    state = step(state, WILD, now_ns=at_ms(1_000))
    state = step(state, CALM, now_ns=at_ms(2_100))
    assert state.posture is Posture.WIDENED
    assert step(state, CALM, now_ns=at_ms(4_099)).posture is Posture.WIDENED
    assert step(state, CALM, now_ns=at_ms(4_100)).posture is Posture.QUOTING


def test_a_clock_that_steps_back_loosens_nothing_and_counts_nothing_twice() -> None:
    state = step(PostureState(posture=Posture.QUOTING), BLIND, now_ns=at_ms(10_000))
    state = step(state, CALM, now_ns=at_ms(1_000))
    assert (state.seen_at_ns, state.calm_since_ns) == (at_ms(10_000), at_ms(10_000))
    assert step(state, CALM, now_ns=at_ms(11_999)).posture is Posture.PAUSED


def test_a_latched_posture_waits_for_its_release_for_ever() -> None:
    state = step(PostureState(posture=Posture.QUOTING), replace(CALM, killed=True), now_ns=at_ms(0))
    for day in range(3):
        state = step(state, CALM, now_ns=at_ms(day * 86_400_000))
    assert state.posture is Posture.KILLED
    assert state.entered_at_ns == at_ms(0)


def test_no_calm_asked_for_means_none_is_waited_for() -> None:
    state = step(PostureState(posture=Posture.QUOTING), BLIND, now_ns=at_ms(0))
    assert step(state, WILD, now_ns=at_ms(0), calm_ns=0).posture is Posture.WIDENED
    assert step(state, WILD, now_ns=at_ms(0), calm_ns=NS_PER_S).posture is Posture.PAUSED

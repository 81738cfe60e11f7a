"""Postures tighten at once; the latched ones do not loosen by themselves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dmm.risk.breaker import AFTER_RELEASE, CALM, Posture, Signals, demanded, next_posture


@pytest.mark.parametrize(
    ("signals", "posture"),
    [
        (replace(CALM, latch_readable=False), Posture.KILLED),
        (replace(CALM, killed=True), Posture.KILLED),
        (replace(CALM, drawdown_exceeded=True), Posture.HALTED),
        (replace(CALM, books_disagree=True), Posture.CANCEL_ONLY),
        (replace(CALM, order_state_unknown=True), Posture.CANCEL_ONLY),
        (replace(CALM, market_visible=False), Posture.PAUSED),
        (replace(CALM, volatility_extreme=True), Posture.PAUSED),
        (replace(CALM, fills_off_reference=True), Posture.PAUSED),
        (replace(CALM, venues_disagree=True), Posture.PAUSED),
        (replace(CALM, clock_off=True), Posture.PAUSED),
        (replace(CALM, depegged=True), Posture.PAUSED),
        (replace(CALM, inventory_at_hard=True), Posture.ONE_SIDED),
        (replace(CALM, volatility_above_band=True), Posture.WIDENED),
        (CALM, Posture.QUOTING),
    ],
)
def test_each_signal_demands_its_posture(signals: Signals, posture: Posture) -> None:
    assert demanded(signals) is posture


def test_the_worst_signal_decides() -> None:
    signals = replace(CALM, volatility_above_band=True, drawdown_exceeded=True)
    assert demanded(signals) is Posture.HALTED


@pytest.mark.parametrize("latched", [Posture.HALTED, Posture.KILLED])
def test_a_latched_posture_outlives_its_cause(latched: Posture) -> None:
    assert next_posture(latched, CALM) is latched


def test_a_halted_desk_can_still_be_killed_and_a_killed_one_not_merely_halted() -> None:
    assert next_posture(Posture.HALTED, replace(CALM, killed=True)) is Posture.KILLED
    assert next_posture(Posture.KILLED, replace(CALM, drawdown_exceeded=True)) is Posture.KILLED


@pytest.mark.parametrize(
    "posture", [Posture.WIDENED, Posture.ONE_SIDED, Posture.PAUSED, Posture.CANCEL_ONLY]
)
def test_a_posture_short_of_halted_follows_its_cause(posture: Posture) -> None:
    assert next_posture(posture, CALM) is Posture.QUOTING


def test_after_a_release_the_signals_decide_again() -> None:
    assert next_posture(AFTER_RELEASE, CALM) is Posture.QUOTING
    sunk = replace(CALM, drawdown_exceeded=True)
    assert next_posture(AFTER_RELEASE, sunk) is Posture.HALTED


def test_only_three_postures_may_quote() -> None:
    assert [posture.value for posture in Posture if posture.may_quote] == [
        "quoting",
        "widened",
        "one_sided",
    ]


def test_a_market_that_returns_does_not_make_up_for_a_gap_in_the_books() -> None:
    gap = replace(CALM, books_disagree=True)
    assert next_posture(Posture.PAUSED, gap) is Posture.CANCEL_ONLY
    assert next_posture(Posture.CANCEL_ONLY, replace(gap, market_visible=False)) is (
        Posture.CANCEL_ONLY
    )


def test_the_ladder_of_postures_is_what_it_is() -> None:
    assert [posture.value for posture in sorted(Posture, key=lambda one: one.severity)] == [
        "quoting",
        "widened",
        "one_sided",
        "paused",
        "cancel_only",
        "halted",
        "killed",
    ]

"""Fills that earn less than they should are told, and nothing is told of a quiet market."""

from __future__ import annotations

import pytest

from dmm.risk.fill_quality import (
    FULL_EFFICIENCY,
    SpreadEfficiency,
    after_window,
    is_adverse_selection_high,
    is_drift_high,
)
from dmm.units.time import NS_PER_S


def windows(*realised: int, start: SpreadEfficiency = FULL_EFFICIENCY) -> SpreadEfficiency:
    for one in realised:
        start = after_window(start, realised=one, theoretical=1_000)
    return start


def test_a_window_without_fills_says_nothing() -> None:
    poor = windows(400, 400)
    assert after_window(poor, realised=0, theoretical=0) is poor


def test_efficiency_below_sixty_percent_alerts_after_more_than_five_windows_in_a_row() -> None:
    assert not windows(*[599] * 5).is_alert
    assert windows(*[599] * 6).is_alert
    assert not windows(*[599] * 5, 600, *[599] * 5).is_alert


def test_the_share_is_that_of_the_last_window_and_may_be_a_loss() -> None:
    assert windows(900, 250) == SpreadEfficiency(share_bps=2_500, poor_windows=1)
    assert windows(-30).share_bps == -300


def test_adverse_moves_are_judged_against_volatility_over_the_same_horizon() -> None:
    # σ = 3,000 µticks over 1 s; over 4 s one deviation is 6,000 and 1.2 of it 7,200 a fill.
    for adverse, is_high in ((36_000, False), (36_001, True), (-99_000, False), (0, False)):
        assert (
            is_adverse_selection_high(
                adverse_microticks=adverse,
                fills=5,
                sigma_microticks_1s=3_000,
                horizon_ns=4 * NS_PER_S,
            )
            is is_high
        )


def test_any_adverse_move_is_too_much_where_nothing_should_move() -> None:
    assert is_adverse_selection_high(
        adverse_microticks=1, fills=3, sigma_microticks_1s=0, horizon_ns=NS_PER_S
    )


@pytest.mark.parametrize(
    ("change", "volume", "is_high"),
    [(149, 1_000, False), (-150, 1_000, True), (0, 0, False), (1, 0, True)],
)
def test_drift_of_fifteen_percent_of_a_days_volume_is_too_much(
    change: int, volume: int, is_high: bool
) -> None:
    assert is_drift_high(net_change_lots=change, volume_lots=volume) is is_high

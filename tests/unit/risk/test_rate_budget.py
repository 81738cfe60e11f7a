"""A venue's limits are never passed, cancels keep their share, and refusals are waited out."""

from __future__ import annotations

import pytest
from trading_values import at_ms

from dmm.risk.rate import (
    BACK_OFF_NS_FIRST,
    BACK_OFF_NS_MAX,
    BAN_NS_MIN,
    GRANTED,
    RETRY_AFTER_NS_MAX,
    RateBudget,
    RateWindow,
    Withheld,
)
from dmm.units.errors import UsageFault
from dmm.units.time import NS_PER_S

MINUTE = RateWindow(length_ns=60 * NS_PER_S, weight_max=100, cancel_reserve=20)
SECOND = RateWindow(length_ns=NS_PER_S, weight_max=10, cancel_reserve=3)


def spent(budget: RateBudget, weight: int, *, at: int = 0, cancel: bool = False) -> bool:
    return budget.spend(weight, now_ns=at_ms(at), is_cancel=cancel) is GRANTED


def test_orders_stop_where_the_cancels_share_begins() -> None:
    budget = RateBudget((MINUTE,))
    assert spent(budget, 80)
    assert not spent(budget, 1)
    assert budget.left(now_ns=at_ms(0)) == 0
    assert budget.left(now_ns=at_ms(0), is_cancel=True) == 20
    assert spent(budget, 20, cancel=True)
    assert not spent(budget, 1, cancel=True)


def test_the_tightest_window_decides() -> None:
    budget = RateBudget((MINUTE, SECOND))
    assert spent(budget, 7)
    assert not spent(budget, 1)
    assert spent(budget, 3, cancel=True)


def test_a_request_withheld_names_when_it_fits_and_then_it_does() -> None:
    budget = RateBudget((SECOND,))
    assert spent(budget, 4)
    assert spent(budget, 3, at=500)
    verdict = budget.spend(2, now_ns=at_ms(600))
    assert isinstance(verdict, Withheld)
    assert verdict.retry_at_ns is not None
    assert at_ms(1_000) <= verdict.retry_at_ns <= at_ms(1_020)
    assert budget.spend(2, now_ns=verdict.retry_at_ns) is GRANTED


def test_a_request_too_heavy_for_the_window_is_told_never() -> None:
    verdict = RateBudget((SECOND,)).spend(8, now_ns=at_ms(0))
    assert verdict == Withheld(retry_at_ns=None, is_back_off=False)


def test_a_clock_that_steps_back_gives_no_weight_back() -> None:
    budget = RateBudget((SECOND,))
    assert spent(budget, 7, at=10_000)
    assert not spent(budget, 1, at=0)
    assert not spent(budget, 1, at=10_500)
    assert spent(budget, 1, at=11_010)


def test_what_the_venue_counts_beyond_us_is_spent_too() -> None:
    budget = RateBudget((MINUTE,))
    assert spent(budget, 10)
    budget.venue_counts(75, now_ns=at_ms(1))
    assert budget.left(now_ns=at_ms(1)) == 5
    budget.venue_counts(30, now_ns=at_ms(2))
    assert budget.left(now_ns=at_ms(2)) == 5


def test_during_back_off_not_even_cancels_pass() -> None:
    budget = RateBudget((MINUTE,))
    until_ns = budget.refused(429, now_ns=at_ms(0), retry_after_ns=7 * NS_PER_S)
    assert until_ns == at_ms(7_000)
    verdict = budget.spend(1, now_ns=at_ms(6_999), is_cancel=True)
    assert verdict == Withheld(retry_at_ns=at_ms(7_000), is_back_off=True)
    assert budget.left(now_ns=at_ms(6_999), is_cancel=True) == 0
    assert spent(budget, 1, at=7_000)


def test_pauses_double_up_to_their_bound_and_start_afresh_after_an_answer() -> None:
    budget = RateBudget((MINUTE,))
    pauses = []
    at = 0
    for _ in range(200):
        until_ns = budget.refused(429, now_ns=at_ms(at))
        assert until_ns is not None
        pauses.append(until_ns - at_ms(at))
        at += BACK_OFF_NS_MAX // 1_000_000
    assert pauses[:4] == [BACK_OFF_NS_FIRST << n for n in range(4)]
    assert max(pauses) == pauses[-1] == BACK_OFF_NS_MAX
    budget.answered()
    assert budget.refused(429, now_ns=at_ms(at)) == at_ms(at) + BACK_OFF_NS_FIRST


@pytest.mark.parametrize(
    ("status", "retry_after_ns", "pause_ns"),
    [
        (418, None, BAN_NS_MIN),
        (418, 1, BAN_NS_MIN),
        (418, 600 * NS_PER_S, 600 * NS_PER_S),
        (418, 10**20, RETRY_AFTER_NS_MAX),
        (429, -5, BACK_OFF_NS_FIRST),
        (429, 0, BACK_OFF_NS_FIRST),
    ],
)
def test_what_the_venue_says_to_wait_is_bounded(
    status: int, retry_after_ns: int | None, pause_ns: int
) -> None:
    budget = RateBudget((MINUTE,))
    until_ns = budget.refused(status, now_ns=at_ms(0), retry_after_ns=retry_after_ns)
    assert until_ns == at_ms(0) + pause_ns


def test_a_shorter_refusal_does_not_end_a_longer_pause() -> None:
    budget = RateBudget((MINUTE,))
    budget.refused(418, now_ns=at_ms(0))
    assert budget.refused(429, now_ns=at_ms(1)) == at_ms(0) + BAN_NS_MIN


def test_other_answers_are_no_matter_of_rates() -> None:
    budget = RateBudget((MINUTE,))
    assert budget.refused(500, now_ns=at_ms(0)) is None
    assert spent(budget, 1)


@pytest.mark.parametrize(
    ("length_ns", "weight", "reserve"), [(127, 10, 1), (1_000, 10, 10), (1_000, 10, -1)]
)
def test_windows_that_cannot_hold_are_refused(length_ns: int, weight: int, reserve: int) -> None:
    with pytest.raises(UsageFault, match="window"):
        RateWindow(length_ns=length_ns, weight_max=weight, cancel_reserve=reserve)


def test_a_budget_without_windows_or_a_request_without_weight_is_refused() -> None:
    with pytest.raises(UsageFault, match="at least one window"):
        RateBudget(())
    with pytest.raises(UsageFault, match="got 0"):
        RateBudget((MINUTE,)).spend(0, now_ns=at_ms(0))

"""Markouts, and the widening that only a run of toxic fills sets off."""

from __future__ import annotations

import pytest

from dmm.market.instrument import Side
from dmm.risk.toxicity import (
    COOL,
    ToxicityRules,
    ToxicityState,
    after_score,
    score_ubps,
)
from dmm.units.amount import HalfTicks
from dmm.units.errors import UsageFault
from dmm.units.time import NS_PER_S

RULES = ToxicityRules(threshold_ubps=2_000_000, tau_bps=3_000, cycles=4)
BP = 1_000_000


def score(side: Side, before: int, after: int, to_fill_ns: int = 0, venue: int = 10_000) -> int:
    return score_ubps(
        side=side,
        mid_before=HalfTicks(before),
        mid_after=HalfTicks(after),
        time_to_fill_ns=to_fill_ns,
        horizon_ns=5 * NS_PER_S,
        venue_bps=venue,
    )


@pytest.mark.parametrize("to_fill_ns", [0, -7, 1, 5 * NS_PER_S])
def test_an_instant_fill_has_a_finite_score(to_fill_ns: int) -> None:
    # The mid fell by 3 of 10,000 half ticks after a buy: 3 bps.
    assert score(Side.BUY, 10_000, 9_997, to_fill_ns) == 3 * BP


def test_a_slow_fill_counts_for_less() -> None:
    assert score(Side.BUY, 10_000, 9_997, 15 * NS_PER_S) == BP


def test_a_move_our_way_scores_below_nought() -> None:
    assert score(Side.BUY, 10_000, 10_003) == -3 * BP
    assert score(Side.SELL, 10_000, 9_997) == -3 * BP
    assert score(Side.SELL, 10_000, 10_003) == 3 * BP


def test_a_venues_coefficient_scales_its_scores() -> None:
    assert score(Side.BUY, 10_000, 9_997, venue=15_000) == 4_500_000
    assert score(Side.BUY, 10_000, 9_997, venue=0) == 0


@pytest.mark.parametrize(("mid", "horizon_ns"), [(0, 5), (-1, 5), (7, 0)])
def test_a_markout_without_a_mid_or_a_horizon_is_refused(mid: int, horizon_ns: int) -> None:
    with pytest.raises(UsageFault, match=f"got {mid} half ticks and {horizon_ns} ns"):
        score_ubps(
            side=Side.BUY,
            mid_before=HalfTicks(mid),
            mid_after=HalfTicks(3),
            time_to_fill_ns=1,
            horizon_ns=horizon_ns,
        )


def run(*scores: int, start: ToxicityState = COOL) -> ToxicityState:
    for one in scores:
        start = after_score(start, one, rules=RULES)
    return start


def test_one_toxic_fill_or_two_widen_nothing() -> None:
    assert run(9 * BP, 9 * BP).cycles_left == 0
    assert run(9 * BP, 9 * BP, 0, 9 * BP, 9 * BP).cycles_left == 0


def test_a_score_exactly_at_the_threshold_is_not_toxic() -> None:
    assert run(*[2 * BP] * 9) == COOL


def test_a_toxic_run_widens_for_its_cycles() -> None:
    assert run(3 * BP, 3 * BP, 3 * BP).cycles_left == RULES.cycles


def test_a_run_that_goes_on_starts_its_cycles_afresh_and_a_good_fill_leaves_them() -> None:
    half_way = ToxicityState(toxic_run=3, cycles_left=2)
    assert run(3 * BP, start=half_way).cycles_left == 4
    assert run(0, start=half_way) == ToxicityState(toxic_run=0, cycles_left=2)


@pytest.mark.parametrize("bad", [{"sustained": 0}, {"cycles": -1}, {"tau_bps": -1}])
def test_rules_that_cannot_hold_are_refused(bad: dict[str, int]) -> None:
    with pytest.raises(UsageFault, match=r"-1|0"):
        ToxicityRules(**({"threshold_ubps": 1, "tau_bps": 1, "cycles": 1} | bad))

"""Toxic flow: the score of a fill, and the widening that a run of toxic ones sets off.

The score of a fill is its adverse move over a fixed horizon in millionths of a basis point, times
the venue's coefficient, times h / max(time to fill, h): a slow fill counts for less and an instant
one in full. A write-up divides the move by the time to fill itself, which is nought for an instant
fill; a floor on that time makes the score finite and bounded by the move.
"""

from __future__ import annotations

from dataclasses import dataclass

from dmm.market.health import UBPS_ONE
from dmm.market.instrument import Side
from dmm.units.amount import BPS_ONE, HalfTicks, floor_div
from dmm.units.errors import UsageFault
from dmm.units.fast_init import fast_init
from dmm.units.time import NS_PER_S, Nanos

HORIZON_NS = Nanos(5 * NS_PER_S)
"""Time after a fill at which it is judged."""


def score_ubps(
    *,
    side: Side,
    mid_before: HalfTicks,
    mid_after: HalfTicks,
    time_to_fill_ns: int,
    horizon_ns: int = HORIZON_NS,
    venue_bps: int = BPS_ONE,
) -> int:
    """Return a fill's toxicity, millionths of a basis point of mid; negative when it did us good.

    Parameters
    ----------
    side : of our order
    mid_before : at the fill, half ticks, > 0
    mid_after : a horizon later, half ticks, > 0
    time_to_fill_ns : from placing to filling; anything below the horizon counts as the horizon
    horizon_ns : h, > 0
    venue_bps : the venue's coefficient, basis points of one, >= 0
    """
    if mid_before <= 0 or horizon_ns <= 0:
        raise UsageFault(
            f"a markout needs a mid and a horizon above 0, got {mid_before} half ticks and "
            f"{horizon_ns} ns"
        )
    adverse = -side.sign * (mid_after - mid_before)
    floored_ns = max(time_to_fill_ns, horizon_ns)
    return floor_div(adverse * UBPS_ONE * horizon_ns * venue_bps, mid_before * floored_ns * BPS_ONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToxicityRules:
    """When flow is toxic and what follows.

    `sustained` scores in a row above `threshold_ubps` widen δ by `tau_bps` of itself for `cycles`
    refresh cycles.
    """

    threshold_ubps: int
    tau_bps: int
    cycles: int
    sustained: int = 3

    def __post_init__(self) -> None:
        if self.sustained < 1 or self.cycles < 0 or self.tau_bps < 0:
            raise UsageFault(
                "toxicity needs sustained >= 1, cycles >= 0 and tau_bps >= 0, got "
                f"{self.sustained}, {self.cycles} and {self.tau_bps}"
            )


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class ToxicityState:
    """How near the desk is to widening, and for how many cycles it still does; integers only."""

    toxic_run: int = 0
    cycles_left: int = 0


COOL = ToxicityState()


def after_score(state: ToxicityState, score: int, *, rules: ToxicityRules) -> ToxicityState:
    """Return the state after one fill's score, in millionths of a basis point.

    A run that goes on while the desk is already wide starts its cycles afresh.
    """
    if score <= rules.threshold_ubps:
        return ToxicityState(toxic_run=0, cycles_left=state.cycles_left)
    run = min(state.toxic_run + 1, rules.sustained)
    is_sustained = run >= rules.sustained
    return ToxicityState(
        toxic_run=run, cycles_left=rules.cycles if is_sustained else state.cycles_left
    )

"""Toxic flow: markouts of our fills, and the widening that a toxic run of them sets off.

The score of a fill is its adverse move over a fixed horizon in millionths of a basis point, times
the venue's coefficient, times h / max(time to fill, h): a slow fill counts for less and an instant
one in full. A write-up divides the move by the time to fill itself, which is nought for an instant
fill; a floor on that time makes the score finite and bounded by the move.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from dmm.market.health import UBPS_ONE
from dmm.market.instrument import Side
from dmm.units.amount import BPS_ONE, HalfTicks, floor_div
from dmm.units.errors import UsageFault
from dmm.units.ids import Json
from dmm.units.time import NS_PER_S, Nanos

HORIZON_NS = Nanos(5 * NS_PER_S)
PENDING_MAX = 1_024
"""Fills that wait for their markout; beyond it the oldest is judged at once."""


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
class PendingMarkout:
    """A fill that waits for its horizon to pass; `mid` in half ticks."""

    side: Side
    mid: HalfTicks
    filled_at_ns: Nanos
    time_to_fill_ns: int


class Markouts:
    """Fills in order of time, each judged once its horizon has passed."""

    def __init__(
        self,
        *,
        horizon_ns: int = HORIZON_NS,
        venue_bps: int = BPS_ONE,
        pending_max: int = PENDING_MAX,
    ) -> None:
        """Start without fills.

        Parameters
        ----------
        horizon_ns : > 0
        venue_bps : the venue's coefficient, basis points of one, >= 0
        pending_max : fills that wait at once, > 0
        """
        self._horizon_ns = horizon_ns
        self._venue_bps = venue_bps
        self._pending_max = pending_max
        self._pending: deque[PendingMarkout] = deque()

    def take_fill(self, pending: PendingMarkout) -> None:
        """Take a fill; an order's fills come in the order of their time."""
        self._pending.append(pending)

    def due(self, now_ns: Nanos, mid: HalfTicks) -> Sequence[int]:
        """Return the scores of fills whose horizon has passed, oldest first.

        Parameters
        ----------
        now_ns : ns since 1970 UTC
        mid : the present one, half ticks, > 0
        """
        scores = []
        while self._pending and (
            self._pending[0].filled_at_ns + self._horizon_ns <= now_ns
            or len(self._pending) > self._pending_max
        ):
            pending = self._pending.popleft()
            scores.append(
                score_ubps(
                    side=pending.side,
                    mid_before=pending.mid,
                    mid_after=mid,
                    time_to_fill_ns=pending.time_to_fill_ns,
                    horizon_ns=self._horizon_ns,
                    venue_bps=self._venue_bps,
                )
            )
        return scores


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ToxicityState:
    """How near the desk is to widening, and for how many cycles it still does; integers only."""

    toxic_run: int = 0
    cycles_left: int = 0

    def to_json(self) -> dict[str, Json]:
        """Return the state as canonical JSON values."""
        return {"toxic_run": self.toxic_run, "cycles_left": self.cycles_left}

    @classmethod
    def from_json(cls, body: dict[str, Json]) -> ToxicityState:
        """Read what `to_json` wrote."""
        return cls(toxic_run=int(str(body["toxic_run"])), cycles_left=int(str(body["cycles_left"])))


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


def after_cycle(state: ToxicityState) -> ToxicityState:
    """Return the state after one refresh cycle was quoted."""
    return ToxicityState(toxic_run=state.toxic_run, cycles_left=max(0, state.cycles_left - 1))


def widening_bps(state: ToxicityState, *, rules: ToxicityRules) -> int:
    """Return τ for the coming quote: δ becomes δ·(1 + τ/10_000)."""
    return rules.tau_bps if state.cycles_left else 0

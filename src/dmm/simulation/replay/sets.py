"""Parameter sets by policy: the functions that make them.

Any sets may stand together in one replay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dmm.market.order import TimeInForce
from dmm.simulation.replay import policies
from dmm.simulation.replay.desk_set import FAIR_VALUES, desk_set
from dmm.simulation.replay.layout import (
    CANCEL,
    PLACE,
    REPLACE,
)
from dmm.simulation.replay.parameter_set import POLICIES, ParameterSet
from dmm.simulation.replay.policies import GRID_MAX
from dmm.simulation.replay.schedule import AtTimes, Cadence, EveryInterval
from dmm.simulation.replay.set_layout import (
    FOK,
    GTC,
    IOC,
    POST_ONLY,
)
from dmm.units.errors import UsageFault
from dmm.units.time import NS_PER_MS

__all__ = (
    "FAIR_VALUES",
    "POLICIES",
    "Action",
    "Common",
    "Hedge",
    "ParameterSet",
    "desk_set",
    "glft_grid_set",
    "hummingbot_set",
    "script_set",
    "symmetric_set",
)

TIMES_IN_FORCE = {
    TimeInForce.POST_ONLY: POST_ONLY,
    TimeInForce.GTC: GTC,
    TimeInForce.IOC: IOC,
    TimeInForce.FOK: FOK,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something a script does: ``place``, ``cancel`` or ``replace`` the order with a tag.

    A replacement arrives as one message: where the original is over, nothing is placed.
    """

    at_ns: int
    kind: str
    tag: int
    side: int = 1
    price: int = 0
    size: int = 0
    time_in_force: TimeInForce = TimeInForce.POST_ONLY
    venue: int = 0


_KINDS = {"place": PLACE, "cancel": CANCEL, "replace": REPLACE}


def script_set(actions: Sequence[Action]) -> ParameterSet:
    """Return a set that does what it is told: for worked examples and for hedges.

    Raises
    ------
    UsageFault
        If there are no actions, their times fall, or one is none.
    """
    if not actions or any(a.kind not in _KINDS for a in actions):
        raise UsageFault(f"a script needs actions of the kinds {', '.join(_KINDS)}")
    times_ns = [action.at_ns for action in actions]
    if times_ns != sorted(times_ns):
        raise UsageFault("the actions of a script must stand in the order of their times")
    for action in actions:
        if action.kind != "cancel" and (action.price <= 0 or action.size <= 0):
            raise UsageFault(f"an order needs a price and a size above 0, got {action}")
    return ParameterSet(
        policy="script",
        pace=AtTimes(times_ns=tuple(sorted(set(times_ns)))),
        params={"actions": len(actions)},
        whole=(),
        real=(),
        actions=tuple(
            (
                action.at_ns,
                _KINDS[action.kind],
                action.tag,
                action.venue,
                1 if action.side > 0 else -1,
                action.price,
                action.size,
                TIMES_IN_FORCE[action.time_in_force],
            )
            for action in actions
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hedge:
    """Take the opposite of the inventory at another venue once it reaches so many lots."""

    venue: int
    lots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """What all policies but the desk's share: lots a quote, where a side stops, how often."""

    size_lots: int
    inventory_max_lots: int
    pace: Cadence = field(default_factory=lambda: EveryInterval(interval_ns=100 * NS_PER_MS))
    levels: int = 1
    hedge: Hedge | None = None

    @property
    def whole(self) -> tuple[int, ...]:
        """Return the whole parameters in their order.

        Raises
        ------
        UsageFault
            If one is not what it may be.
        """
        if self.size_lots <= 0 or self.inventory_max_lots <= 0:
            raise UsageFault("size_lots and inventory_max_lots must be above 0")
        if not 0 < self.levels <= GRID_MAX:
            raise UsageFault(f"levels must be 1 to {GRID_MAX}, got {self.levels}")
        hedge = self.hedge or Hedge(venue=0, lots=1)
        return (
            self.size_lots, self.inventory_max_lots, self.levels, hedge.venue, hedge.lots,
        )  # fmt: skip


def symmetric_set(
    common: Common,
    *,
    half_ticks: float,
    skew_ticks_per_lot: float = 0.0,
    reference_weight: float = 0.0,
) -> ParameterSet:
    """Return the fixed symmetric spread, with a skew and a second venue's mid if asked for.

    Parameters
    ----------
    half_ticks : half of the spread, > 0
    skew_ticks_per_lot : by which both quotes fall for each lot held, >= 0
    reference_weight : of the second venue's mid in the price, 0 to 1
    """
    if not (half_ticks > 0 and skew_ticks_per_lot >= 0 and 0 <= reference_weight <= 1):
        raise UsageFault("symmetric: half_ticks > 0, skew >= 0 and a weight of 0 to 1 are needed")
    params = {"half_ticks": half_ticks, "skew_ticks_per_lot": skew_ticks_per_lot}
    real = [0.0] * 8
    real[policies.R_HALF], real[policies.R_SKEW] = half_ticks, skew_ticks_per_lot
    real[policies.R_REFERENCE] = reference_weight
    return _other("symmetric", common, params, real)


def hummingbot_set(
    common: Common, *, gamma_per_tick: float, half_ticks_min: float = 0.0
) -> ParameterSet:
    """Return Hummingbot's Avellaneda–Stoikov; γ in its own unit, > 0."""
    if not (gamma_per_tick > 0 and half_ticks_min >= 0):
        raise UsageFault("hummingbot: gamma_per_tick > 0 and half_ticks_min >= 0 are needed")
    params = {"gamma_per_tick": gamma_per_tick, "half_ticks_min": half_ticks_min}
    real = [0.0] * 8
    real[policies.R_GAMMA], real[policies.R_HALF] = gamma_per_tick, half_ticks_min
    return _other("hummingbot", common, params, real)


def glft_grid_set(
    common: Common,
    *,
    gamma: float,
    delta: float = 1.0,
    adjust_half: float = 1.0,
    adjust_skew: float = 1.0,
) -> ParameterSet:
    """Return hftbacktest's GLFT grid; its tutorial's names for γ, δ, adj1 and adj2, all > 0."""
    if not (gamma > 0 and delta > 0 and adjust_half > 0 and adjust_skew >= 0):
        raise UsageFault("glft_grid: gamma, delta, adjust_half > 0 and adjust_skew >= 0 are needed")
    params = {
        "gamma": gamma,
        "delta": delta,
        "adjust_half": adjust_half,
        "adjust_skew": adjust_skew,
    }
    real = [0.0] * 8
    real[policies.R_GAMMA], real[policies.R_DELTA] = gamma, delta
    real[policies.R_ADJUST_HALF], real[policies.R_ADJUST_SKEW] = adjust_half, adjust_skew
    return _other("glft_grid", common, params, real)


def _other(
    policy: str, common: Common, params: Mapping[str, object], real: Sequence[float]
) -> ParameterSet:
    shared = {
        "size_lots": common.size_lots,
        "inventory_max_lots": common.inventory_max_lots,
        "levels": common.levels,
    }
    return ParameterSet(
        policy=policy,
        pace=common.pace,
        params={**shared, **params},
        whole=common.whole,
        real=tuple(real),
    )

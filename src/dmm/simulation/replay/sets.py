"""Parameter sets: a policy by name, its numbers, and when it decides.

A set is made by one of the functions here; any sets may stand together in one replay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from dmm.governance.policy import Policy
from dmm.market.order import TimeInForce
from dmm.quoting.kernel import MODEL_CODES, SKEW_CODES
from dmm.quoting.scale import MICRO, NORMAL, Conditions, floor_ubps, side_lots, widening_micro
from dmm.quoting.vector import QuoteArrays
from dmm.simulation.replay import desk as columns_of_desk
from dmm.simulation.replay import policies
from dmm.simulation.replay.desk import D_COLUMNS, FAIR_MICRO, FAIR_MID, G_COLUMNS
from dmm.simulation.replay.layout import (
    CANCEL,
    FOK,
    GTC,
    IOC,
    NONE,
    PLACE,
    POST_ONLY,
    REAL_MAX,
    REPLACE,
    WHOLE_MAX,
)
from dmm.simulation.replay.policies import GRID_MAX
from dmm.simulation.replay.schedule import AtTimes, Cadence, EveryInterval, EveryRefresh
from dmm.units.amount import BPS_ONE
from dmm.units.errors import UsageFault
from dmm.units.time import NS_PER_MS

POLICIES = {
    "script": policies.SCRIPT,
    "desk": policies.DESK,
    "symmetric": policies.SYMMETRIC,
    "hummingbot": policies.HUMMINGBOT,
    "glft_grid": policies.GLFT_GRID,
}
"""Policies by name."""

FAIR_VALUES = {"mid": FAIR_MID, "micro": FAIR_MICRO}
TIMES_IN_FORCE = {
    TimeInForce.POST_ONLY: POST_ONLY,
    TimeInForce.GTC: GTC,
    TimeInForce.IOC: IOC,
    TimeInForce.FOK: FOK,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterSet:
    """One set: `params` is what it was made from, for the result; the rest is for the engine."""

    policy: str
    pace: Cadence
    params: Mapping[str, object]
    whole: tuple[int, ...]
    real: tuple[float, ...]
    actions: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise UsageFault(f"no policy {self.policy!r}: choose one of {', '.join(POLICIES)}")
        if len(self.whole) > WHOLE_MAX or len(self.real) > REAL_MAX:
            raise UsageFault(f"too many parameters: {WHOLE_MAX} whole and {REAL_MAX} real ones fit")


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


def desk_set(
    policy: Policy,
    *,
    params: Mapping[str, object] | None = None,
    sigma_microticks: int | None = None,
    kappa_nano: int | None = None,
    a_bid_micro: int = 0,
    a_ask_micro: int = 0,
) -> ParameterSet:
    """Return the desk's own rule under a policy.

    Parameters
    ----------
    policy : sound; of its fair values ``mid`` and ``micro``
    params : what to call the set in the result; the preset unless given
    sigma_microticks, kappa_nano : adopted estimates; None for the online ones
    a_bid_micro, a_ask_micro : arrivals per second at the mid times 1e6; GLFT needs them

    Raises
    ------
    UsageFault
        If the fair value is one a replay has no source for.
    """
    if policy.fair_value not in FAIR_VALUES:
        raise UsageFault(
            f"a replay computes the fair values {', '.join(FAIR_VALUES)}, not {policy.fair_value}"
        )
    whole = [0] * D_COLUMNS
    for name, value in _desk_numbers(policy).items():
        whole[getattr(columns_of_desk, name)] = value
    whole[columns_of_desk.D_ADOPTED_SIGMA] = NONE if sigma_microticks is None else sigma_microticks
    whole[columns_of_desk.D_ADOPTED_KAPPA] = NONE if kappa_nano is None else kappa_nano
    whole[columns_of_desk.D_ARRIVAL_BID] = a_bid_micro
    whole[columns_of_desk.D_ARRIVAL_ASK] = a_ask_micro
    return ParameterSet(
        policy="desk",
        pace=EveryRefresh(refresh_ns=policy.refresh_ms * NS_PER_MS),
        params=params if params is not None else {"preset": policy.preset},
        whole=tuple(min(value, LARGEST) for value in whole),
        real=_desk_shares(policy),
    )


LARGEST = 2**62
"""Limits above this never bind and are written as this."""


def _desk_numbers(policy: Policy) -> dict[str, int]:
    return {
        "D_SIZE": policy.quote_size_lots,
        "D_GAMMA": policy.gamma_nano_per_bp,
        "D_KAPPA_MIN": policy.kappa_nano_per_bp_min,
        "D_KAPPA_MAX": policy.kappa_nano_per_bp_max,
        "D_SIGMA_MIN": policy.sigma_ubps_1s_min,
        "D_SIGMA_MAX": policy.sigma_ubps_1s_max,
        "D_SIGMA_CALM": policy.sigma_calm_ubps_1s,
        "D_CALM_UNTIL": policy.gamma_calm_until_bps,
        "D_FLOOR": floor_ubps(policy, NORMAL),
        "D_FLOOR_CALM": floor_ubps(policy, Conditions(is_calm=True)),
        "D_BETA": policy.skew_beta_ubps,
        "D_SOFT_LONG": policy.soft_long_lots,
        "D_SOFT_SHORT": policy.soft_short_lots,
        "D_HARD_LONG": policy.hard_long_lots,
        "D_HARD_SHORT": policy.hard_short_lots,
        "D_SIDE_SIZE": side_lots(policy, NORMAL),
        "D_TIER_MIDDLE": policy.tier_middle_bps,
        "D_TIER_OUTER": policy.tier_outer_bps,
        "D_MODEL": MODEL_CODES[policy.model],
        "D_SKEW": SKEW_CODES[policy.skew],
        "D_FAIR": FAIR_VALUES[policy.fair_value],
        "D_DRAWDOWN_MAX": policy.drawdown_atoms_max,
        "D_PAUSE_SHARE": policy.spike_pause_bps,
        "D_REPLACE_COST": policy.replace_cost_ubps,
        "D_HORIZON_S": policy.horizon_s,
    }


def _desk_shares(policy: Policy) -> tuple[float, ...]:
    """Return what `quote_prices` wants behind its market inputs, made as the desk makes it."""
    digested = QuoteArrays(
        mid=np.ones(1),
        inventory=0.0,
        sigma=1.0,
        kappa=1.0,
        gamma=1.0,
        horizon_s=1.0,
        floor=0.0,
        beta=0.0,
        soft_long=float(policy.soft_long_lots),
        soft_short=float(policy.soft_short_lots),
        hard_long=float(policy.hard_long_lots),
        hard_short=float(policy.hard_short_lots),
        lot=float(policy.quote_size_lots),
        near_from=policy.skew_near_from_bps / BPS_ONE,
        near_share=policy.skew_near_spread_bps / BPS_ONE,
        calm_share=policy.gamma_calm_bps / BPS_ONE,
        calm_until=policy.gamma_calm_until_bps / BPS_ONE,
        hard_share=policy.gamma_hard_bps / BPS_ONE,
        guard=policy.guard_bps / BPS_ONE,
    ).columns
    widening = widening_micro(policy, NORMAL) / MICRO
    real = (
        *(float(column[0]) for column in digested[-15:]),
        widening,
        widening * (policy.spike_widening_bps / BPS_ONE),
        policy.tier_step_bps / BPS_ONE,
        policy.hysteresis_bps / BPS_ONE,
    )
    if len(real) != G_COLUMNS:
        raise UsageFault("the quote's arguments changed: the replay's desk must follow")
    return real

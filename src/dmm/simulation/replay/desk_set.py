"""The parameter set of the desk's own rule under a policy."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dmm.governance.policy import Policy
from dmm.quoting.kernel import MODEL_CODES, SKEW_CODES
from dmm.quoting.refresh import refresh_ms
from dmm.quoting.scale import MICRO, NORMAL, Conditions, floor_ubps, side_lots, widening_micro
from dmm.quoting.vector import QuoteArrays
from dmm.simulation.replay import desk_layout
from dmm.simulation.replay.cadence import EveryRefresh
from dmm.simulation.replay.desk_layout import (
    D_COLUMNS,
    FAIR_MICRO,
    FAIR_MID,
    G_COLUMNS,
)
from dmm.simulation.replay.layout import (
    NONE,
)
from dmm.simulation.replay.parameter_set import ParameterSet
from dmm.units.amount import BPS_ONE
from dmm.units.errors import UsageFault
from dmm.units.time import NS_PER_MS

FAIR_VALUES = {"mid": FAIR_MID, "micro": FAIR_MICRO}

LARGEST = 2**62
"""Limits above this never bind and are written as this."""

TOXIC = Conditions(is_toxic=True)
POOR = Conditions(realised_bps=-(2**62))
"""While flow is toxic; while fills keep nothing of the spread that was promised."""


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
        whole[getattr(desk_layout, name)] = value
    whole[desk_layout.D_ADOPTED_SIGMA] = NONE if sigma_microticks is None else sigma_microticks
    whole[desk_layout.D_ADOPTED_KAPPA] = NONE if kappa_nano is None else kappa_nano
    whole[desk_layout.D_ARRIVAL_BID] = a_bid_micro
    whole[desk_layout.D_ARRIVAL_ASK] = a_ask_micro
    return ParameterSet(
        policy="desk",
        pace=EveryRefresh(refresh_ns=policy.refresh_ms * NS_PER_MS),
        params=params if params is not None else {"preset": policy.preset},
        whole=tuple(min(value, LARGEST) for value in whole),
        real=_desk_shares(policy),
    )


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
        "D_REFRESH": refresh_ms(policy, gas_ratio_bps=BPS_ONE) * NS_PER_MS,
        "D_SIDE_SIZE_CUT": side_lots(policy, POOR),
        "D_REALISED_MIN": policy.realised_spread_bps_min,
        "D_TOXIC_THRESHOLD": policy.toxicity_threshold_ubps,
        "D_TOXIC_CYCLES": policy.toxicity_cycles,
        "D_TOXIC_SUSTAINED": policy.toxicity_sustained,
        "D_TOXIC_VENUE": policy.toxicity_venue_bps,
        "D_AGE_PERCENTILE": policy.quote_age_percentile_bps,
        "D_DEVIATION_MAX": policy.fill_deviation_ubps_max,
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
    calm, toxic = (widening_micro(policy, conditions) / MICRO for conditions in (NORMAL, TOXIC))
    spike = policy.spike_widening_bps / BPS_ONE
    real = (
        *(float(column[0]) for column in digested[-15:]),
        calm,
        calm * spike,
        toxic,
        toxic * spike,
        policy.tier_step_bps / BPS_ONE,
        policy.hysteresis_bps / BPS_ONE,
    )
    if len(real) != G_COLUMNS:
        raise UsageFault("the quote's arguments changed: the replay's desk must follow")
    return real

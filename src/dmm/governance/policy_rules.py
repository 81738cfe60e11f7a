"""What may stand in a policy: the range of every field, and what may not contradict what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dmm.governance.policy import BP_UBPS, PER_BP_NANO, POLICY_BYTES_MAX, Policy
from dmm.units.amount import BPS_ONE
from dmm.units.errors import Permanent

MODELS: Final = ("as2008", "glft")
FAIR_VALUES: Final = ("mid", "micro", "stoikov", "depth", "vwap", "twap", "blend")
SKEWS: Final = ("linear", "tanh", "cubic")

_TEXTS: Final[Mapping[str, tuple[str, ...]]] = {
    "model": MODELS,
    "fair_value": FAIR_VALUES,
    "skew": SKEWS,
}
"""Fields that name something, with the names allowed; `preset` may be any name."""

LOTS_MAX = 10**18
ATOMS_MAX = 10**30
SHARE_BPS_MAX = 100 * BPS_ONE
UBPS_MAX = BPS_ONE * BP_UBPS
"""The whole of the mid."""

_SHARE = (0, BPS_ONE)
_MULTIPLE = (BPS_ONE, SHARE_BPS_MAX)
_DISTANCE = (0, UBPS_MAX)
_LOTS = (1, LOTS_MAX)
_ATOMS = (0, ATOMS_MAX)

RANGES: Final[Mapping[str, tuple[int, int]]] = {
    "gamma_nano_per_bp": (1, 1_000 * PER_BP_NANO),
    "kappa_nano_per_bp_min": (1, 1_000_000 * PER_BP_NANO),
    "kappa_nano_per_bp_max": (1, 1_000_000 * PER_BP_NANO),
    "sigma_ubps_1s_min": (1, UBPS_MAX),
    "sigma_ubps_1s_max": (1, UBPS_MAX),
    "horizon_s": (1, 86_400),
    "spread_floor_ubps": _DISTANCE,
    "skew_beta_ubps": _DISTANCE,
    "inventory_soft_lots": _LOTS,
    "inventory_hard_lots": _LOTS,
    "quote_size_lots": _LOTS,
    "refresh_ms": (1, 3_600_000),
    "hedge_threshold_lots": (0, LOTS_MAX),
    "reward_budget_atoms": _ATOMS,
    "buyback_share_bps": _SHARE,
    "buyback_budget_atoms_max": _ATOMS,
    "drawdown_atoms_max": _ATOMS,
    "inventory_soft_short_bps": (1, SHARE_BPS_MAX),
    "inventory_hard_short_bps": (1, SHARE_BPS_MAX),
    "float_lots": (0, LOTS_MAX),
    "float_soft_bps": (1, BPS_ONE),
    "float_hard_bps": (1, BPS_ONE),
    "gamma_calm_bps": (1, BPS_ONE),
    "gamma_calm_until_bps": (0, BPS_ONE - 1),
    "gamma_hard_bps": _MULTIPLE,
    "sigma_calm_ubps_1s": _DISTANCE,
    "floor_calm_cut_ubps": _DISTANCE,
    "floor_fee_ubps": _DISTANCE,
    "floor_gas_ubps": _DISTANCE,
    "floor_gas_ubps_max": _DISTANCE,
    "skew_near_from_bps": (0, BPS_ONE - 1),
    "skew_near_spread_bps": _SHARE,
    "tier_inner_bps": _SHARE,
    "tier_middle_bps": _SHARE,
    "tier_outer_bps": _SHARE,
    "tier_step_bps": (0, SHARE_BPS_MAX),
    "gas_spike_bps": _MULTIPLE,
    "gas_stretch_bps_max": _MULTIPLE,
    "gas_size_bps": _SHARE,
    "hysteresis_bps": _SHARE,
    "replace_cost_ubps": _DISTANCE,
    "toxicity_threshold_ubps": (1, UBPS_MAX),
    "toxicity_tau_bps": (0, SHARE_BPS_MAX),
    "toxicity_cycles": (0, 1_000_000),
    "toxicity_sustained": (1, 1_000),
    "toxicity_venue_bps": (0, SHARE_BPS_MAX),
    "spike_widening_bps": _MULTIPLE,
    "spike_pause_bps": (BPS_ONE + 1, SHARE_BPS_MAX),
    "fill_deviation_ubps_max": (1, UBPS_MAX),
    "venue_gap_ubps_max": (1, UBPS_MAX),
    "realised_spread_bps_min": _SHARE,
    "size_cut_bps": _SHARE,
    "quote_age_percentile_bps": (1, BPS_ONE),
    "guard_bps": (1, BPS_ONE // 2),
    "fair_levels": (1, 1_000),
    "fair_mid_bps": _SHARE,
    "fair_micro_bps": _SHARE,
    "fair_depth_bps": _SHARE,
    "fair_vwap_bps": _SHARE,
    "fair_twap_bps": _SHARE,
    "fair_reference_bps": _SHARE,
    "fair_doubt_bps": (0, SHARE_BPS_MAX),
}
"""Smallest and largest value of every integer field."""


def validated(policy: Policy) -> Policy:
    """Return the policy unchanged if every value is in its range and none contradicts another.

    Parameters
    ----------
    policy : a candidate, its values of any type

    Raises
    ------
    Permanent
        The text names the field, its value and what is allowed.
    """
    if type(policy.preset) is not str or not policy.preset:
        raise Permanent(f"preset must be a name, got {policy.preset!r}")
    for name, allowed in _TEXTS.items():
        if getattr(policy, name) not in allowed:
            raise _refused(policy, name, f"one of {', '.join(allowed)}")
    for name, (low, high) in RANGES.items():
        value = getattr(policy, name)
        # A bool or a float (NaN among them) is no integer, whatever it compares as.
        if type(value) is not int or not low <= value <= high:
            raise _refused(policy, name, f"an integer from {low} to {high}")
    for name, limit in _ORDERED:
        if getattr(policy, name) > getattr(policy, limit):
            raise _refused(policy, name, f"at most {limit} = {getattr(policy, limit)}")
    _check_sums(policy)
    _check_units(policy)
    if len(policy.canonical_bytes) > POLICY_BYTES_MAX:
        raise Permanent(
            f"a policy has {len(policy.canonical_bytes)} bytes, at most {POLICY_BYTES_MAX}: "
            "give its preset a shorter name"
        )
    return policy


_ORDERED: Final = (
    ("kappa_nano_per_bp_min", "kappa_nano_per_bp_max"),
    ("sigma_ubps_1s_min", "sigma_ubps_1s_max"),
    ("inventory_soft_lots", "inventory_hard_lots"),
    ("soft_short_lots", "hard_short_lots"),
    ("float_soft_bps", "float_hard_bps"),
    ("quote_size_lots", "inventory_hard_lots"),
    ("floor_gas_ubps", "floor_gas_ubps_max"),
)
"""Pairs of which the first may not exceed the second."""


def _check_sums(policy: Policy) -> None:
    tiers = policy.tier_inner_bps + policy.tier_middle_bps + policy.tier_outer_bps
    if tiers != BPS_ONE:
        raise Permanent(
            f"policy {policy.preset!r}: tier_inner_bps + tier_middle_bps + tier_outer_bps is "
            f"{tiers}, must be {BPS_ONE}"
        )
    parts = policy.floor_fee_ubps + policy.floor_gas_ubps
    if parts > policy.spread_floor_ubps:
        raise _refused(
            policy, "spread_floor_ubps", f"at least floor_fee_ubps + floor_gas_ubps = {parts}"
        )
    if policy.fair_value == "blend" and not sum(getattr(policy, name) for name in BLEND_WEIGHTS):
        raise Permanent(f"policy {policy.preset!r}: all weights of its blend are 0, give one")


BLEND_WEIGHTS: Final = (
    "fair_mid_bps",
    "fair_micro_bps",
    "fair_depth_bps",
    "fair_vwap_bps",
    "fair_twap_bps",
    "fair_reference_bps",
)


def _check_units(policy: Policy) -> None:
    """Refuse γ and κ that cannot be per basis point of mid.

    The half-spread γσ²T/2 + ln(1+γ/κ)/γ is at most γσ²T/2 + 1/κ, for ln(1+x) <= x. At the edge of
    the bands that bound must stay inside the guard, as it does for any set in the right unit.
    """
    risk_bps = (policy.gamma_nano_per_bp * policy.sigma_ubps_1s_max**2 * policy.horizon_s) // (
        2 * PER_BP_NANO * BP_UBPS**2
    )
    edge_bps = PER_BP_NANO // policy.kappa_nano_per_bp_min
    if risk_bps + edge_bps > policy.guard_bps:
        raise Permanent(
            f"policy {policy.preset!r}: at the edge of its bands the half-spread may reach "
            f"{risk_bps + edge_bps} bps of mid, at most guard_bps = {policy.guard_bps}: "
            "gamma_nano_per_bp and kappa_nano_per_bp are per basis point of mid, not per unit of "
            "price"
        )


def _refused(policy: Policy, name: str, allowed: str) -> Permanent:
    return Permanent(
        f"policy {policy.preset!r}: {name} is {getattr(policy, name)!r}, must be {allowed}"
    )


def policy_of(fields: Mapping[str, object]) -> Policy:
    """Return the sound policy that a body holds; every field must be there, and no other.

    Raises
    ------
    Permanent
        The text names the field and what is wrong with it.
    """
    names = set(Policy.__dataclass_fields__)
    if set(fields) != names:
        raise Permanent(f"policy fields differ: {sorted(names ^ set(fields))}")
    return validated(Policy(**fields))  # type: ignore[arg-type]

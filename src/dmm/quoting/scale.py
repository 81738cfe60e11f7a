"""Policy in ticks: the one place where basis points of mid become ticks of an instrument."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from dmm.governance.policy import Policy
from dmm.units.amount import BPS_ONE, HalfTicks, Lots

MICRO = 1_000_000
NANO = 1_000_000_000


class Estimates(Protocol):
    """Adopted estimates: `kappa_nano` per tick times 1e9, `sigma_microticks` over one second."""

    @property
    def version(self) -> int:
        """Return the number under which governance knows them, > 0; 0 means the online ones."""
        ...

    @property
    def kappa_nano(self) -> int:
        """Return κ per tick times 1e9."""
        ...

    @property
    def sigma_microticks(self) -> int:
        """Return σ over one second in 1e-6 ticks."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteInputs:
    """Everything a quote depends on, in integers, so that a journalled decision re-derives it.

    Prices and distances are in the instrument's ticks (scaled as named), inventory and sizes in
    lots. `sigma_microticks` and `kappa_nano` lie inside the policy's bands.
    """

    mid: HalfTicks
    inventory: Lots
    sigma_microticks: int
    kappa_nano: int
    gamma_nano: int
    horizon_s: int
    floor_microticks: int
    beta_microticks: int
    inventory_soft: Lots
    inventory_hard: Lots
    quote_size: Lots


def inputs_in_ticks(
    policy: Policy,
    *,
    mid: HalfTicks,
    inventory: Lots,
    sigma_microticks: int,
    kappa_nano: int,
) -> QuoteInputs:
    """Convert a policy to ticks at a mid price and put the estimates inside its bands.

    One basis point of mid is mid/10,000 ticks. Integer divisions round to the nearest unit of
    scales that are finer than any tick; γ is at least one nano.

    Parameters
    ----------
    policy : in basis points of mid
    mid : half ticks, > 0
    inventory : lots, long is positive
    sigma_microticks : σ over one second, 1e-6 ticks, >= 0
    kappa_nano : κ per tick times 1e9, >= 0
    """
    sigma_min = _ticks_of_bps(policy.sigma_ubps_1s_min, mid)
    sigma_max = _ticks_of_bps(policy.sigma_ubps_1s_max, mid)
    kappa_min = max(1, _per_tick_of_per_bp(policy.kappa_nano_per_bp_min, mid))
    kappa_max = _per_tick_of_per_bp(policy.kappa_nano_per_bp_max, mid)
    return QuoteInputs(
        mid=mid,
        inventory=inventory,
        sigma_microticks=min(max(sigma_microticks, sigma_min), sigma_max),
        kappa_nano=min(max(kappa_nano, kappa_min), max(kappa_min, kappa_max)),
        gamma_nano=max(1, _per_tick_of_per_bp(policy.gamma_nano_per_bp, mid)),
        horizon_s=policy.horizon_s,
        floor_microticks=_ticks_of_bps(policy.spread_floor_ubps, mid),
        beta_microticks=_ticks_of_bps(policy.skew_beta_ubps, mid),
        inventory_soft=Lots(policy.inventory_soft_lots),
        inventory_hard=Lots(policy.inventory_hard_lots),
        quote_size=Lots(policy.quote_size_lots),
    )


def sigma_ceiling_microticks(policy: Policy, mid: HalfTicks) -> int:
    """Return the top of the policy's σ band in 1e-6 ticks at a mid price."""
    return _ticks_of_bps(policy.sigma_ubps_1s_max, mid)


def _ticks_of_bps(ubps: int, mid: HalfTicks) -> int:
    """Return microticks: ubps/1e6 bp · mid/(2·10,000) ticks per bp · 1e6."""
    return (ubps * mid + BPS_ONE) // (2 * BPS_ONE)


def _per_tick_of_per_bp(nano_per_bp: int, mid: HalfTicks) -> int:
    """Return nano per tick: per bp divided by ticks per bp."""
    return (nano_per_bp * 2 * BPS_ONE + mid // 2) // mid

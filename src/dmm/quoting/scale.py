"""Policy in ticks: the one place where basis points of mid become ticks of an instrument."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from dmm.governance.policy import Policy
from dmm.market.fair_value import MICROTICKS_PER_HALF
from dmm.units.amount import BPS_ONE, HalfTicks, Lots
from dmm.units.fast_init import fast_init

MICRO = 1_000_000
NANO = 1_000_000_000

MIDS_MAX = 1_024
"""Mid prices for which a policy's conversion is kept: mids come back, tick by tick."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimates:
    """What the desk quotes with: σ and κ, and where a model needs them arrivals on each side.

    `version` is the number under which governance knows them, > 0; 0 means measured online.
    `kappa_nano` is κ per tick times 1e9, `sigma_microticks` σ over one second in 1e-6 ticks, `a_…`
    are arrivals per second at the mid times 1e6 on each of our sides, 0 while unknown.
    """

    version: int
    kappa_nano: int
    sigma_microticks: int
    a_bid_micro: int = 0
    a_ask_micro: int = 0


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteInputs:
    """Everything a quote depends on, in integers, so that a journalled decision re-derives it.

    Prices and distances are in the instrument's ticks (scaled as named), inventory and sizes in
    lots. `sigma_microticks` and `kappa_nano` lie inside the policy's bands. `a_bid_micro` and
    `a_ask_micro` are arrivals per second at the mid times 1e6 on each of our sides, 0 when unknown.
    `quote_size` is the unit in which the models count inventory, `side_size` what a side may show;
    `widening_micro` is the factor of the half-spread times 1e6. Shares are read from the policy.
    """

    mid: HalfTicks
    fair_microticks: int
    inventory: Lots
    sigma_microticks: int
    kappa_nano: int
    a_bid_micro: int
    a_ask_micro: int
    gamma_nano: int
    horizon_s: int
    floor_microticks: int
    beta_microticks: int
    widening_micro: int
    inventory_soft_long: Lots
    inventory_soft_short: Lots
    inventory_hard_long: Lots
    inventory_hard_short: Lots
    quote_size: Lots
    side_size: Lots
    policy: Policy

    def soft(self, sign: int) -> Lots:
        """Return the soft limit of the side with this sign: +1 long, −1 short."""
        return self.inventory_soft_long if sign > 0 else self.inventory_soft_short

    def hard(self, sign: int) -> Lots:
        """Return the hard limit of the side with this sign: +1 long, −1 short."""
        return self.inventory_hard_long if sign > 0 else self.inventory_hard_short


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What bends a quote besides market, inventory and estimates.

    `gas_ratio_bps` is the gas price over its baseline times 10_000; `is_calm` cuts the floor;
    `is_toxic` widens; `confidence_bps` is how far the fair value is confirmed; `realised_bps` is
    the realised over the theoretical spread times 10_000.
    """

    gas_ratio_bps: int = BPS_ONE
    is_calm: bool = False
    is_toxic: bool = False
    confidence_bps: int = BPS_ONE
    realised_bps: int = BPS_ONE


NORMAL = Conditions()


def inputs_in_ticks(
    policy: Policy,
    *,
    mid: HalfTicks,
    inventory: Lots,
    sigma_microticks: int,
    kappa_nano: int,
    a_bid_micro: int = 0,
    a_ask_micro: int = 0,
    fair_microticks: int | None = None,
    conditions: Conditions = NORMAL,
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
    a_bid_micro, a_ask_micro : arrivals per second times 1e6, >= 0; 0 when unknown
    fair_microticks : what the quote is centred on; the mid unless given
    conditions : gas, calm, toxicity, doubt
    """
    scaled = _scaled(policy, mid)
    return QuoteInputs(
        mid=mid,
        fair_microticks=mid * MICROTICKS_PER_HALF if fair_microticks is None else fair_microticks,
        inventory=inventory,
        sigma_microticks=min(max(sigma_microticks, scaled.sigma_min), scaled.sigma_max),
        kappa_nano=min(max(kappa_nano, scaled.kappa_min), scaled.kappa_max),
        a_bid_micro=a_bid_micro,
        a_ask_micro=a_ask_micro,
        gamma_nano=scaled.gamma_nano,
        horizon_s=policy.horizon_s,
        floor_microticks=microticks_of_ubps(floor_ubps(policy, conditions), mid),
        beta_microticks=scaled.beta_microticks,
        widening_micro=widening_micro(policy, conditions),
        inventory_soft_long=scaled.soft_long,
        inventory_soft_short=scaled.soft_short,
        inventory_hard_long=scaled.hard_long,
        inventory_hard_short=scaled.hard_short,
        quote_size=Lots(policy.quote_size_lots),
        side_size=side_lots(policy, conditions),
        policy=policy,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scaled:
    """What of a policy a mid price alone turns into ticks, and its limits; scales as above."""

    sigma_min: int
    sigma_max: int
    kappa_min: int
    kappa_max: int
    gamma_nano: int
    beta_microticks: int
    soft_long: Lots
    soft_short: Lots
    hard_long: Lots
    hard_short: Lots


@lru_cache(maxsize=MIDS_MAX)
def _scaled(policy: Policy, mid: HalfTicks) -> _Scaled:
    kappa_min = max(1, _per_tick_of_per_bp(policy.kappa_nano_per_bp_min, mid))
    return _Scaled(
        sigma_min=microticks_of_ubps(policy.sigma_ubps_1s_min, mid),
        sigma_max=microticks_of_ubps(policy.sigma_ubps_1s_max, mid),
        kappa_min=kappa_min,
        kappa_max=max(kappa_min, _per_tick_of_per_bp(policy.kappa_nano_per_bp_max, mid)),
        gamma_nano=max(1, _per_tick_of_per_bp(policy.gamma_nano_per_bp, mid)),
        beta_microticks=microticks_of_ubps(policy.skew_beta_ubps, mid),
        soft_long=Lots(policy.soft_long_lots),
        soft_short=Lots(policy.soft_short_lots),
        hard_long=Lots(policy.hard_long_lots),
        hard_short=Lots(policy.hard_short_lots),
    )


def is_gas_spike(policy: Policy, gas_ratio_bps: int) -> bool:
    """Tell whether gas is so dear that the desk moves less and shows less."""
    return gas_ratio_bps >= policy.gas_spike_bps


def is_calm(policy: Policy, *, mid: HalfTicks, inventory: Lots, sigma_microticks: int) -> bool:
    """Tell whether volatility is low and the inventory balanced: the desk may come closer.

    Parameters
    ----------
    policy : its `sigma_calm_ubps_1s`, and the share of the soft limit up to which γ is low
    mid : half ticks, > 0
    inventory : lots
    sigma_microticks : σ over one second, 1e-6 ticks
    """
    if not policy.sigma_calm_ubps_1s:
        return False
    soft = policy.soft_long_lots if inventory >= 0 else policy.soft_short_lots
    balanced = abs(inventory) * BPS_ONE <= soft * policy.gamma_calm_until_bps
    return balanced and sigma_microticks <= microticks_of_ubps(policy.sigma_calm_ubps_1s, mid)


def floor_ubps(policy: Policy, conditions: Conditions) -> int:
    """Return the floor of the full spread in 1e-6 bps: fees, gas cushion and what is left.

    Dear gas raises its cushion in proportion, up to the policy's maximum; a calm market cuts what
    is neither fees nor gas.
    """
    gas = policy.floor_gas_ubps
    margin = policy.spread_floor_ubps - policy.floor_fee_ubps - gas
    if conditions.is_calm:
        margin = max(0, margin - policy.floor_calm_cut_ubps)
    if conditions.gas_ratio_bps > BPS_ONE:
        dear = gas * conditions.gas_ratio_bps // BPS_ONE
        gas = max(gas, min(dear, policy.floor_gas_ubps_max))
    return policy.floor_fee_ubps + gas + margin


def widening_micro(policy: Policy, conditions: Conditions) -> int:
    """Return (1 + τ)·(1 + doubt·(1 − confidence)) times 1e6, rounded up; τ while flow is toxic."""
    factor = MICRO
    if conditions.is_toxic:
        factor += MICRO * policy.toxicity_tau_bps // BPS_ONE
    doubt_bps = BPS_ONE - conditions.confidence_bps
    if doubt_bps > 0 and policy.fair_doubt_bps:
        factor = -(-factor * (BPS_ONE**2 + policy.fair_doubt_bps * doubt_bps) // BPS_ONE**2)
    return factor


def side_lots(policy: Policy, conditions: Conditions) -> Lots:
    """Return what a side may show, in lots: less while gas is dear or the spread is not realised.

    One lot at the least, so that the desk stays at the top of the book.
    """
    size = policy.quote_size_lots
    if is_gas_spike(policy, conditions.gas_ratio_bps):
        size = size * policy.gas_size_bps // BPS_ONE
    if conditions.realised_bps < policy.realised_spread_bps_min:
        size = size * policy.size_cut_bps // BPS_ONE
    return Lots(max(1, size))


def sigma_ceiling_microticks(policy: Policy, mid: HalfTicks) -> int:
    """Return the top of the policy's σ band in 1e-6 ticks at a mid price."""
    return microticks_of_ubps(policy.sigma_ubps_1s_max, mid)


def microticks_of_ubps(ubps: int, mid: HalfTicks) -> int:
    """Return a distance in 1e-6 bps of a mid in 1e-6 ticks, to the nearest.

    ubps/1e6 bp · mid/(2·10,000) ticks per bp · 1e6.
    """
    return (ubps * mid + BPS_ONE) // (2 * BPS_ONE)


def _per_tick_of_per_bp(nano_per_bp: int, mid: HalfTicks) -> int:
    """Return nano per tick: per bp divided by ticks per bp."""
    return (nano_per_bp * 2 * BPS_ONE + mid // 2) // mid

"""Default policies: what a preset wants times what a venue asks, scaled to an instrument.

A preset moves the reward budget, the spread floor and the hedge threshold together, and with them γ
and the limits; a venue sets fees, gas, cadence and how far out its trades reach.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dmm.governance.policy import BP_UBPS, PER_BP_NANO, Policy
from dmm.governance.policy_rules import validated
from dmm.market.instrument import Instrument
from dmm.market.tape import DepthUpdate
from dmm.units.amount import BPS_ONE, HalfTicks, Lots, Ticks
from dmm.units.errors import UsageFault

TYPICAL_LEVELS = 20
"""Levels per side whose median size is the typical displayed size."""

QUOTE_LOTS_MIN = 4
"""Smallest size that fills all three tiers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstrumentScale:
    """What a preset must know of a market: its mid in half ticks and a typical displayed size."""

    mid: HalfTicks
    typical_size: Lots


def scale_of(snapshot: DepthUpdate) -> InstrumentScale:
    """Return the scale of a market from a snapshot of its book.

    Parameters
    ----------
    snapshot : a whole book with both sides, best price first or in any order

    Raises
    ------
    UsageFault
        If a side is empty.
    """
    bids = sorted((level for level in snapshot.bids if level[1] > 0), reverse=True)
    asks = sorted(level for level in snapshot.asks if level[1] > 0)
    if not bids or not asks:
        raise UsageFault("the book's snapshot has an empty side: start from one that has both")
    sizes = [size for _, size in bids[:TYPICAL_LEVELS] + asks[:TYPICAL_LEVELS]]
    return InstrumentScale(
        mid=HalfTicks(bids[0][0] + asks[0][0]),
        typical_size=Lots(max(1, statistics.median_low(sizes))),
    )


class Preset(StrEnum):
    """How bold the desk is."""

    BOOTSTRAP = "bootstrap"
    """A young market: twice the rewards, tighter, more inventory before it hedges."""
    STEADY = "steady"
    DEFENSIVE = "defensive"
    """A market to be careful in: half the rewards, wider, less inventory, hedged early."""


class VenueKind(StrEnum):
    """What kind of venue the orders rest on."""

    PAPER_CEX = "paper-cex"
    TON_DEX = "ton-dex"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stance:
    """What a preset sets; shares in basis points of one, multiples of the quote size."""

    reward_bps: int
    margin_bps: int
    gamma_bps: int
    hedge_quotes: int
    soft_quotes: int
    hard_quotes: int


_STANCES: Final = {
    Preset.BOOTSTRAP: _Stance(
        reward_bps=20_000,
        margin_bps=7_500,
        gamma_bps=5_000,
        hedge_quotes=3,
        soft_quotes=6,
        hard_quotes=12,
    ),
    Preset.STEADY: _Stance(
        reward_bps=10_000,
        margin_bps=10_000,
        gamma_bps=10_000,
        hedge_quotes=2,
        soft_quotes=5,
        hard_quotes=10,
    ),
    Preset.DEFENSIVE: _Stance(
        reward_bps=5_000,
        margin_bps=20_000,
        gamma_bps=20_000,
        hedge_quotes=1,
        soft_quotes=3,
        hard_quotes=6,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Terms:
    """What a venue sets; distances in 1e-6 bps, shares in basis points of one."""

    gamma_nano_per_bp: int
    kappa_nano_per_bp_min: int
    kappa_nano_per_bp_max: int
    gamma_calm_bps: int
    gamma_hard_bps: int
    near_spread_bps: int
    margin_ubps: int
    gas_ubps: int
    gas_ubps_max: int
    calm_cut_ubps: int
    beta_ubps: int
    refresh_ms: int
    gas_stretch_bps_max: int
    gas_size_bps: int
    replace_cost_ubps: int
    toxicity_venue_bps: int
    toxicity_threshold_ubps: int


_TERMS: Final = {
    VenueKind.PAPER_CEX: _Terms(
        # Chosen on recordings, confirmed on others (docs/trading-quality.md): at a fifteenth of it
        # inventory varies about twice as much for the same volume, and profit is no better.
        gamma_nano_per_bp=3_000_000,
        kappa_nano_per_bp_min=1 * PER_BP_NANO,
        kappa_nano_per_bp_max=50 * PER_BP_NANO,
        gamma_calm_bps=BPS_ONE,
        gamma_hard_bps=BPS_ONE,
        near_spread_bps=3_000,
        margin_ubps=BP_UBPS // 5,
        gas_ubps=0,
        gas_ubps_max=0,
        calm_cut_ubps=0,
        beta_ubps=BP_UBPS // 5,
        refresh_ms=500,
        gas_stretch_bps_max=BPS_ONE,
        gas_size_bps=BPS_ONE,
        replace_cost_ubps=0,
        toxicity_venue_bps=BPS_ONE,
        toxicity_threshold_ubps=3 * BP_UBPS,
    ),
    VenueKind.TON_DEX: _Terms(
        gamma_nano_per_bp=2_000_000,
        kappa_nano_per_bp_min=PER_BP_NANO // 50,
        kappa_nano_per_bp_max=5 * PER_BP_NANO,
        gamma_calm_bps=BPS_ONE // 2,
        gamma_hard_bps=2 * BPS_ONE,
        near_spread_bps=4_000,
        margin_ubps=3 * BP_UBPS,
        gas_ubps=2 * BP_UBPS,
        gas_ubps_max=5 * BP_UBPS,
        calm_cut_ubps=BP_UBPS,
        beta_ubps=2 * BP_UBPS,
        refresh_ms=1_000,
        gas_stretch_bps_max=3 * BPS_ONE,
        gas_size_bps=BPS_ONE // 2,
        replace_cost_ubps=BP_UBPS // 2,
        toxicity_venue_bps=BPS_ONE * 3 // 2,
        toxicity_threshold_ubps=10 * BP_UBPS,
    ),
}


def preset_policy(
    preset: Preset,
    venue: VenueKind,
    instrument: Instrument,
    scale: InstrumentScale,
    *,
    reward_budget_atoms: int,
    buyback_budget_atoms_max: int,
    fee_ubps: int = 0,
    float_lots: int = 0,
) -> Policy:
    """Return the default policy of a preset on a kind of venue.

    The floor of the full spread is the fees of both legs, the margin (0.2 bps on a central
    exchange, 3 bps on TON, times the preset's share) and the gas cushion (2 bps on TON, up to 5
    when gas is dear). σ stays within 5 to 120 bps per √120 s. Limits are multiples of a typical
    displayed size, and where a float is given never above 4 % and 6 % of it; the drawdown that
    halts the desk is 2 % of the value of the hard limit. Near the soft limit both quotes shift by
    up to 30 % (TON: 40 %) of the spread beyond β. On a central exchange γ is 0.003 per bp: at σ of
    1.3 bps over a second each quote held shifts both quotes by γσ²T, 0.6 bps, and its half widens
    the half-spread; κ is at least 1 per bp, so that the rest of it is never more than about 1 bp:
    on a calm tape hardly a trade goes deeper. There γ has no ladder; on TON it is halved while the
    inventory is balanced and doubled at the hard limit.

    Parameters
    ----------
    preset, venue : which
    instrument : for the value of the limits
    scale : of its market
    reward_budget_atoms : per epoch at the steady preset, atoms of the treasury's asset, >= 0
    buyback_budget_atoms_max : per epoch, atoms of the treasury's asset, >= 0
    fee_ubps : of one leg, millionths of a basis point; a negative one, a rebate, lowers no floor
    float_lots : circulating float, lots; 0 where none is governed
    """
    stance, terms = _STANCES[preset], _TERMS[venue]
    quote_size = max(QUOTE_LOTS_MIN, scale.typical_size)
    inventory_hard = stance.hard_quotes * quote_size
    hard_atoms = instrument.cash_atoms(
        price=Ticks(max(1, scale.mid // 2)), size=Lots(inventory_hard), rounded_up=True
    )
    fees = 2 * max(0, fee_ubps)
    margin = terms.margin_ubps * stance.margin_bps // BPS_ONE
    return validated(
        Policy(
            preset=f"{preset.value}/{venue.value}",
            gamma_nano_per_bp=terms.gamma_nano_per_bp * stance.gamma_bps // BPS_ONE,
            kappa_nano_per_bp_min=terms.kappa_nano_per_bp_min,
            kappa_nano_per_bp_max=terms.kappa_nano_per_bp_max,
            sigma_ubps_1s_min=456_435,
            sigma_ubps_1s_max=10_954_451,
            horizon_s=120,
            spread_floor_ubps=fees + margin + terms.gas_ubps,
            skew_beta_ubps=terms.beta_ubps,
            inventory_soft_lots=stance.soft_quotes * quote_size,
            inventory_hard_lots=inventory_hard,
            quote_size_lots=quote_size,
            refresh_ms=terms.refresh_ms,
            hedge_threshold_lots=stance.hedge_quotes * quote_size,
            reward_budget_atoms=reward_budget_atoms * stance.reward_bps // BPS_ONE,
            buyback_share_bps=2_000,
            buyback_budget_atoms_max=buyback_budget_atoms_max,
            drawdown_atoms_max=max(1, hard_atoms * 200 // BPS_ONE),
            float_lots=float_lots,
            gamma_calm_bps=terms.gamma_calm_bps,
            gamma_hard_bps=terms.gamma_hard_bps,
            sigma_calm_ubps_1s=1_369_306,
            floor_calm_cut_ubps=terms.calm_cut_ubps,
            floor_fee_ubps=fees,
            floor_gas_ubps=terms.gas_ubps,
            floor_gas_ubps_max=terms.gas_ubps_max,
            skew_near_spread_bps=terms.near_spread_bps,
            gas_stretch_bps_max=terms.gas_stretch_bps_max,
            gas_size_bps=terms.gas_size_bps,
            replace_cost_ubps=terms.replace_cost_ubps,
            toxicity_threshold_ubps=terms.toxicity_threshold_ubps,
            toxicity_tau_bps=5_000,
            toxicity_cycles=10,
            toxicity_venue_bps=terms.toxicity_venue_bps,
            spike_pause_bps=3 * BPS_ONE,
            fill_deviation_ubps_max=100 * BP_UBPS,
            venue_gap_ubps_max=100 * BP_UBPS,
            fair_doubt_bps=BPS_ONE,
        )
    )


def paper_cex_policy(
    instrument: Instrument,
    scale: InstrumentScale,
    *,
    reward_budget_atoms: int,
    buyback_budget_atoms_max: int,
    maker_fee_ubps: int = 0,
) -> Policy:
    """Return the steady preset for paper trading on a central exchange.

    Parameters
    ----------
    instrument, scale, reward_budget_atoms, buyback_budget_atoms_max : as in `preset_policy`
    maker_fee_ubps : millionths of a basis point; negative for a rebate, which lowers no floor
    """
    return preset_policy(
        Preset.STEADY,
        VenueKind.PAPER_CEX,
        instrument,
        scale,
        reward_budget_atoms=reward_budget_atoms,
        buyback_budget_atoms_max=buyback_budget_atoms_max,
        fee_ubps=maker_fee_ubps,
    )

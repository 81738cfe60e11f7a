"""Default policies, scaled to the instrument they are for."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from dmm.governance.policy import Policy
from dmm.market.instrument import Instrument
from dmm.market.tape import DepthUpdate
from dmm.units.amount import BPS_ONE, HalfTicks, Lots, Ticks
from dmm.units.errors import UsageFault

BP_UBPS = 1_000_000
PER_BP_NANO = 1_000_000_000

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


def paper_cex_policy(
    instrument: Instrument,
    scale: InstrumentScale,
    *,
    reward_budget_atoms: int,
    buyback_budget_atoms_max: int,
    maker_fee_ubps: int = 0,
) -> Policy:
    """Return the default policy for paper trading on a central exchange.

    The spread floor is both fees plus 0.2 bps. γ is so small that the half-spread is about 1/κ: at
    σ = 14 bps per √120 s the term γσ²T/2 is 0.02 bps. κ stays within 1 to 50 per bp, so that the
    quote is never further than about 1 bp out: on a calm tape hardly a trade goes deeper. The σ
    band is 5 to 120 bps per √120 s. Limits are multiples of a typical displayed size, and the
    drawdown that halts the desk is 2 % of the value of the hard inventory limit.

    Parameters
    ----------
    instrument : for the value of the limits
    scale : of its market
    reward_budget_atoms, buyback_budget_atoms_max : per epoch, atoms of the treasury's asset, >= 0
    maker_fee_ubps : millionths of a basis point; negative for a rebate, which lowers no floor
    """
    quote_size = max(QUOTE_LOTS_MIN, scale.typical_size)
    inventory_hard = 10 * quote_size
    hard_atoms = instrument.cash_atoms(
        price=Ticks(max(1, scale.mid // 2)), size=Lots(inventory_hard), rounded_up=True
    )
    return Policy(
        preset="paper-cex",
        gamma_nano_per_bp=200_000,
        kappa_nano_per_bp_min=1 * PER_BP_NANO,
        kappa_nano_per_bp_max=50 * PER_BP_NANO,
        sigma_ubps_1s_min=456_435,
        sigma_ubps_1s_max=10_954_451,
        horizon_s=120,
        spread_floor_ubps=2 * max(0, maker_fee_ubps) + BP_UBPS // 5,
        skew_beta_ubps=BP_UBPS // 5,
        inventory_soft_lots=5 * quote_size,
        inventory_hard_lots=inventory_hard,
        quote_size_lots=quote_size,
        refresh_ms=500,
        hedge_threshold_lots=2 * quote_size,
        reward_budget_atoms=reward_budget_atoms,
        buyback_share_bps=2_000,
        buyback_budget_atoms_max=buyback_budget_atoms_max,
        drawdown_atoms_max=max(1, hard_atoms * 200 // BPS_ONE),
    )

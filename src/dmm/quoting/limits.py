"""What a policy sets for gate, breakers and toxicity."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from dmm.governance.policy import Policy
from dmm.market.instrument import Instrument
from dmm.risk.inventory import Bands
from dmm.risk.limits import Limits
from dmm.risk.signals import Thresholds
from dmm.risk.toxicity import ToxicityRules
from dmm.units.amount import Lots

POLICIES_MAX = 64
"""Policies for which what follows from them alone is kept."""

CEILINGS_MAX = 1_024
"""Ceilings of σ, which move with the mid, for which thresholds are kept."""

OUTSTANDING_QUOTES_MAX = 3
"""Full quotes outstanding per side: one resting, one replacing it, one being cancelled."""

PRICE_BAND_BPS = 1_000
"""An order further than this from the mid is a mistake, not a price."""


@lru_cache(maxsize=POLICIES_MAX)
def limits_of(policy: Policy) -> Limits:
    """Return the limits a policy sets, each side's own."""
    long, short = policy.hard_long_lots, policy.hard_short_lots
    return Limits(
        inventory_hard=Lots(max(long, short)),
        inventory_hard_long=Lots(long),
        inventory_hard_short=Lots(short),
        order_size_max=Lots(policy.quote_size_lots),
        outstanding_lots_max=Lots(OUTSTANDING_QUOTES_MAX * policy.quote_size_lots),
        price_band_bps=PRICE_BAND_BPS,
        drawdown_atoms_max=policy.drawdown_atoms_max,
    )


def bands_of(policy: Policy, instrument: Instrument) -> Bands:
    """Return a policy's inventory limits in atoms of the position asset."""
    per_lot = instrument.position_atoms_per_lot
    return Bands(
        soft_long=policy.soft_long_lots * per_lot,
        hard_long=policy.hard_long_lots * per_lot,
        soft_short=policy.soft_short_lots * per_lot,
        hard_short=policy.hard_short_lots * per_lot,
    )


def hedge_limits_of(policy: Policy, *, position: Lots) -> Limits:
    """Return the limits of a hedge: as large as what it takes away, else a quote's.

    A hedge may be larger than any quote, and larger than the hard limits where a tighter policy
    came while more was held. At its own venue nothing else of ours is open.

    Parameters
    ----------
    position : what is to be hedged, lots, signed
    """
    size = Lots(max(policy.hard_long_lots, policy.hard_short_lots, abs(position)))
    return replace(limits_of(policy), order_size_max=size, outstanding_lots_max=size)


@lru_cache(maxsize=CEILINGS_MAX)
def thresholds_of(policy: Policy, sigma_microticks_max: int) -> Thresholds:
    """Return where the breakers trip under a policy.

    Parameters
    ----------
    policy : in basis points of mid
    sigma_microticks_max : the top of its σ band at the present mid, 1e-6 ticks over one second
    """
    return Thresholds(
        sigma_microticks_max=sigma_microticks_max,
        drawdown_atoms_max=policy.drawdown_atoms_max,
        hard_long=Lots(policy.hard_long_lots),
        hard_short=Lots(policy.hard_short_lots),
        fill_deviation_ubps_max=policy.fill_deviation_ubps_max,
        venue_gap_ubps_max=policy.venue_gap_ubps_max,
        sigma_extreme_share_bps=policy.spike_pause_bps,
    )


@lru_cache(maxsize=POLICIES_MAX)
def toxicity_rules_of(policy: Policy) -> ToxicityRules:
    """Return when flow is toxic under a policy; fills are scored with its `toxicity_venue_bps`."""
    return ToxicityRules(
        threshold_ubps=policy.toxicity_threshold_ubps,
        tau_bps=policy.toxicity_tau_bps,
        cycles=policy.toxicity_cycles,
        sustained=policy.toxicity_sustained,
    )

"""The limits a policy sets for the gate."""

from __future__ import annotations

from dmm.governance.policy import Policy
from dmm.risk.limits import Limits
from dmm.units.amount import Lots

OUTSTANDING_QUOTES_MAX = 3
"""Full quotes outstanding per side: one resting, one replacing it, one being cancelled."""

PRICE_BAND_BPS = 1_000
"""An order further than this from the mid is a mistake, not a price."""


def limits_of(policy: Policy) -> Limits:
    """Return the limits a policy sets."""
    return Limits(
        inventory_hard=Lots(policy.inventory_hard_lots),
        order_size_max=Lots(policy.quote_size_lots),
        outstanding_lots_max=Lots(OUTSTANDING_QUOTES_MAX * policy.quote_size_lots),
        price_band_bps=PRICE_BAND_BPS,
        drawdown_atoms_max=policy.drawdown_atoms_max,
    )

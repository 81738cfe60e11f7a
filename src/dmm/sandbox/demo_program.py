"""DEMO: the desk's programs on the local chain: who provides liquidity, and the budgets."""

from __future__ import annotations

from collections.abc import Mapping

from dmm.governance.policy import Policy
from dmm.market.instrument import Instrument
from dmm.market.tape import DepthUpdate
from dmm.ports import Deployment
from dmm.quoting.presets import paper_cex_policy, scale_of
from dmm.sandbox.evm.deploy import DCT
from dmm.units.ids import Json

LP_SHARES = (50, 30, 20)
"""Shares of the liquidity providers in the desk's vault."""

REWARD_BUDGET_DCT = 1_000
"""Reward budget of an epoch, in whole DCT."""

BUYBACK_CASH_MAX = 1_000
"""What a buyback may spend in an epoch at most, in whole units of the cash asset."""


def demo_policy(instrument: Instrument, snapshot: DepthUpdate) -> Policy:
    """Return the preset a session begins with, scaled to its market.

    Parameters
    ----------
    snapshot : a whole book of the instrument
    """
    return paper_cex_policy(
        instrument,
        scale_of(snapshot),
        reward_budget_atoms=REWARD_BUDGET_DCT * 10**DCT.decimals,
        buyback_budget_atoms_max=BUYBACK_CASH_MAX * 10**instrument.cash.decimals,
    )


def lp_shares(deployments: Mapping[str, Deployment]) -> dict[str, Json]:
    """Return the liquidity providers' shares by address; none where no DEMO providers are known."""
    known = [(deployments.get(f"actor:lp-{index}"), n) for index, n in enumerate(LP_SHARES)]
    return {provider.address: shares for provider, shares in known if provider is not None}

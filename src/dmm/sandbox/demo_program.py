"""DEMO: the desk's programs on the local chains: who provides liquidity, and the budgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dmm.governance.policy import Policy
from dmm.market.instrument import Instrument
from dmm.market.tape import DepthUpdate
from dmm.ports import Deployment, DeploymentStore
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


def program_spec(store: DeploymentStore, chains: Sequence[str]) -> dict[str, Json]:
    """Return what a run's spec says of its chains: their names, and the LP shares on each."""
    deployed = {name: store.deployments(name) for name in chains}
    return {"chains": list(chains), "lp_shares": lp_shares(deployed)}


def lp_shares(deployed: Mapping[str, Mapping[str, Deployment]]) -> dict[str, Json]:
    """Return the liquidity providers' shares by chain and address; none where none are known.

    Every provider is on one chain: they go round the chains in their order, so that with as many
    providers as chains each chain pays one.

    Parameters
    ----------
    deployed : by chain, in the order of the chains
    """
    tables: dict[str, dict[str, Json]] = {name: {} for name in deployed}
    names = list(deployed)
    for index, shares in enumerate(LP_SHARES):
        home = names[index % len(names)]
        provider = deployed[home].get(f"actor:lp-{index}")
        if provider is not None:
            tables[home][provider.address] = shares
    return {name: dict(table) for name, table in tables.items()}

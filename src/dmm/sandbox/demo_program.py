"""DEMO: the desk's programs on the local chains: who provides liquidity, and the budgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TypeVar, cast

import numpy as np

from dmm.adapters.feeds.tape import open_tape
from dmm.governance.policy import Policy
from dmm.market.instrument import Instrument
from dmm.market.tape import DepthUpdate
from dmm.ports import Deployment, DeploymentStore, Feed, Run
from dmm.quoting.presets import Preset, VenueKind, preset_policy, scale_of
from dmm.sandbox.evm.deploy import DCT
from dmm.sandbox.market import SimulatedMarket
from dmm.units.errors import TapeFault, UsageFault
from dmm.units.ids import Json

LP_SHARES = (50, 30, 20)
"""Shares of the liquidity providers in the desk's vault."""

REWARD_BUDGET_DCT = 1_000
"""Reward budget of an epoch, in whole DCT."""

BUYBACK_CASH_MAX = 1_000
"""What a buyback may spend in an epoch at most, in whole units of the cash asset."""


Named = TypeVar("Named", bound=StrEnum)


def preset_of(name: str) -> Preset:
    """Return the preset of a name; `UsageFault` names those there are."""
    return _one_of("preset", name, Preset)


def venue_of(name: str) -> VenueKind:
    """Return the kind of venue of a name; `UsageFault` names those there are."""
    return _one_of("venue", name, VenueKind)


def venue_in_force(policy: Policy) -> VenueKind:
    """Return the kind of venue a policy was made for; a central exchange where it names none."""
    _, _, venue = policy.preset.partition("/")
    return VenueKind(venue) if venue in list(VenueKind) else VenueKind.PAPER_CEX


def demo_policy(
    instrument: Instrument,
    snapshot: DepthUpdate,
    *,
    preset: Preset = Preset.STEADY,
    venue: VenueKind = VenueKind.PAPER_CEX,
) -> Policy:
    """Return a preset with the DEMO budgets, scaled to a market.

    Parameters
    ----------
    snapshot : a whole book of the instrument
    preset, venue : which; a session begins with the steady one on a central exchange

    Raises
    ------
    UsageFault
        If the book has an empty side.
    Permanent
        If the market is of a size at which the preset is no sound policy.
    """
    return preset_policy(
        preset,
        venue,
        instrument,
        scale_of(snapshot),
        reward_budget_atoms=REWARD_BUDGET_DCT * 10**DCT.decimals,
        buyback_budget_atoms_max=BUYBACK_CASH_MAX * 10**instrument.cash.decimals,
    )


def opening_book(feed: Feed) -> DepthUpdate:
    """Return the first whole book of a feed: what a session's policy is scaled to.

    Raises
    ------
    TapeFault
        If there is none.
    """
    for event in feed.events():
        if isinstance(event, DepthUpdate) and event.is_snapshot:
            return event
    raise TapeFault(f"the market of {feed.instrument.symbol} holds no snapshot of the book")


def market_of(run: Run) -> Feed:
    """Return the market a run quotes, from its beginning: its tape, else the simulated one.

    Raises
    ------
    UsageFault
        If a file of its tape is gone.
    """
    paths = cast("list[str]", run.spec["tape"])
    if paths:
        # What is wrong with it was judged when the run began.
        return open_tape([Path(path) for path in paths], allow_gaps=True)
    seed = cast("int", run.spec["seed"])
    return SimulatedMarket(np.random.default_rng(seed), duration_s=None)


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


def _one_of(what: str, name: str, names: type[Named]) -> Named:
    if name not in [one.value for one in names]:
        known = ", ".join(one.value for one in names)
        raise UsageFault(f"no {what} is named {name!r}: there are {known}")
    return names(name)

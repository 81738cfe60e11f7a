"""Puts our contracts and DEMO jettons on the local chain, funds everybody, says where they are."""

from __future__ import annotations

from pathlib import Path

from dmm.adapters.ton.node import Node
from dmm.market.instrument import Asset
from dmm.ports import Deployment
from dmm.sandbox.deployed import recorded, save
from dmm.sandbox.ton.actors import Actors
from dmm.sandbox.ton.node import GLOBAL_ID, TonNode
from dmm.sandbox.ton.site import DCT, Funding, Site
from dmm.units.ids import ZERO_HASH, Hash32


def deploy(
    *,
    node: TonNode,
    build_dir: Path,
    actors: Actors,
    position: Asset,
    cash: Asset,
    genesis_head: Hash32 = ZERO_HASH,
    funding: Funding | None = None,
) -> list[Deployment]:
    """Deploy and fund everything, or return what was deployed on this chain before.

    Returns with nothing under way. Every height is at or above that of the last funding transfer
    for the names ``vault:…`` and ``actor:…``.

    Parameters
    ----------
    build_dir : folder of the compiled contracts
    position, cash : the instrument's assets; DCT comes along when it is neither
    genesis_head : what the order log's first order stands on

    Raises
    ------
    ServiceFault
        If the chain refuses something, or lost what was deployed.
    """
    server = Node(node.config, 0, global_id=GLOBAL_ID)
    try:
        return _deployed(
            node,
            server,
            build_dir=build_dir,
            actors=actors,
            position=position,
            cash=cash,
            genesis_head=genesis_head,
            money=funding or Funding(),
        )
    finally:
        server.close()


def _deployed(
    node: TonNode,
    server: Node,
    *,
    build_dir: Path,
    actors: Actors,
    position: Asset,
    cash: Asset,
    genesis_head: Hash32,
    money: Funding,
) -> list[Deployment]:
    known = recorded(
        node.folder,
        position=position,
        cash=cash,
        contracts=("settlement", "treasury", "governor", "distributor"),
        is_there=lambda made: server.state(made.address, server.head()).data is not None,
    )
    if known is not None:
        return known
    tokens = {asset.symbol: asset for asset in (DCT, position, cash)}
    site = Site(node=node, server=server, build_dir=build_dir, actors=actors)
    first = node.status()["seqno"]
    site.give_native(money.native)
    site.create(tokens, genesis_head)
    # Owners and makers do not wait for each other: what they send goes together, round by round.
    orders = site.orders(tokens, money)
    site.mint(tokens, money)
    site.propose(orders)
    site.settle()
    site.deposit(tokens, money)
    site.approve(orders)
    site.settle()
    site.execute(orders)
    site.settle()
    last = node.status()["seqno"]
    site.require_done(tokens, money)
    deployments = site.record(tokens, first=first, last=last)
    save(node.folder, deployments)
    return deployments

"""What was deployed on a local chain, in a file beside the chain's own journal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from dmm.market.instrument import Asset
from dmm.ports import Deployment
from dmm.sandbox.solana.node import SolanaNode
from dmm.units.errors import ServiceFault

RECORD_FILE = "deployments.json"


def recorded(
    node: SolanaNode, folder: Path, *, position: Asset, cash: Asset
) -> list[Deployment] | None:
    """Return what was deployed in a chain's folder; None when nothing was.

    Raises
    ------
    ServiceFault
        If the record is unreadable, is of other assets, or the chain lost what it names.
    """
    path = folder / RECORD_FILE
    try:
        deployments = [Deployment(**item) for item in json.loads(path.read_bytes())]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise ServiceFault(f"{path} is unreadable: start on an empty state folder") from error
    found = {deployed.name: deployed for deployed in deployments}
    for asset in (position, cash):
        token = found.get(f"token:{asset.symbol}")
        if token is None or token.decimals != asset.decimals:
            raise ServiceFault(
                f"{path} has no token {asset.symbol} with {asset.decimals} decimals: "
                "start on an empty state folder"
            )
    config = {"encoding": "base64", "commitment": "processed"}
    for name in ("settlement", "treasury", "governor", "distributor"):
        if node.call("getAccountInfo", found[name].address, config)["value"] is None:
            raise ServiceFault(
                f"the local Solana chain lost {name}: start on an empty state folder"
            )
    return deployments


def save(folder: Path, deployments: Sequence[Deployment]) -> None:
    """Record what was deployed, whole or not at all."""
    draft = folder / f"{RECORD_FILE}.tmp"
    draft.write_text(json.dumps([asdict(item) for item in deployments], indent=1), encoding="utf-8")
    draft.replace(folder / RECORD_FILE)

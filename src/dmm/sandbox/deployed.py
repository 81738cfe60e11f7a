"""What was deployed on a local chain, in a file beside the chain's own journal."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from dmm.market.instrument import Asset
from dmm.ports import Deployment
from dmm.units.errors import ServiceFault

RECORD_FILE = "deployments.json"


def recorded(
    folder: Path,
    *,
    position: Asset,
    cash: Asset,
    contracts: Sequence[str],
    is_there: Callable[[Deployment], bool],
) -> list[Deployment] | None:
    """Return what was deployed in a chain's folder; None when nothing was.

    Parameters
    ----------
    position, cash : the assets it must be of
    contracts : names of what the chain must still have
    is_there : asks the chain

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
    for name in contracts:
        if not is_there(found[name]):
            raise ServiceFault(
                f"the local chain lost contract {name}: start on an empty state folder"
            )
    return deployments


def save(folder: Path, deployments: Sequence[Deployment]) -> None:
    """Record what was deployed, whole or not at all."""
    draft = folder / f"{RECORD_FILE}.tmp"
    draft.write_text(json.dumps([asdict(item) for item in deployments], indent=1), encoding="utf-8")
    draft.replace(folder / RECORD_FILE)

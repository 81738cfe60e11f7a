"""The DEMO signers of the local EVM chain: whose keys they hold, and what they may sign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from dmm.adapters.signers.policy import SignerPolicy
from dmm.ports import Deployment
from dmm.sandbox import signers
from dmm.sandbox.evm.actors import Actors
from dmm.sandbox.evm.deploy import CHAIN
from dmm.sandbox.evm.node import CHAIN_ID

FEE_WEI_MAX = 200 * 10**9
GAS_MAX = 1_200_000
"""Room for a net of 32 quotes at the driver's limit."""

ROLES = signers.ROLES
KEYS = {"settlement": "operator", "quote": "quote-signer"}
"""Whose key each signer holds."""


def signer_command(
    role: str,
    *,
    folder: Path,
    socket: Path,
    actors: Actors,
    deployments: Sequence[Deployment],
    database_url: str | None = None,
    latch: Path | None = None,
) -> list[str]:
    """Write a signer's files and return its command; see `dmm.sandbox.signers.signer_command`."""
    if role not in ROLES:
        raise ValueError(f"role must be one of {ROLES}, got {role!r}")
    return signers.signer_command(
        role,
        folder=folder,
        socket=socket,
        secret=actors.secret(KEYS[role]),
        policy=demo_policy({deployed.name: deployed for deployed in deployments}),
        database_url=database_url,
        latch=latch,
    )


def demo_policy(deployments: Mapping[str, Deployment]) -> SignerPolicy:
    """Return the DEMO signers' allow-list and caps."""
    return signers.demo_policy(
        deployments,
        chain=CHAIN,
        chain_id=CHAIN_ID,
        unit_fee_max=FEE_WEI_MAX,
        gas_max=GAS_MAX,
    )

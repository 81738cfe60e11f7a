"""The two signer processes of a local chain: their DEMO keystores, policies and command lines."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from dmm.adapters.signers.policy import Cap, SignerPolicy, format_policy
from dmm.ports import Deployment
from dmm.sandbox.evm.actors import Actors, write_private
from dmm.sandbox.evm.deploy import CHAIN
from dmm.sandbox.evm.node import CHAIN_ID

EACH_WHOLE_MAX = 1_000_000
"""DEMO cap of one signature, whole tokens."""

DAY_WHOLE_MAX = 10_000_000
"""DEMO cap of a day of signatures, whole tokens."""

FEE_WEI_MAX = 200 * 10**9
GAS_MAX = 400_000
QUOTE_TTL_S_MAX = 60
QUOTE_SETTLE_S_MAX = 2 * 86_400 - 3_600
"""Within what the settlement contract takes, with room for a chain whose clock is behind."""

ROLES = ("settlement", "quote")


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
    """Write a signer's files and return the command that runs it.

    The signer listens on `socket` and is ready when that exists and answers.

    Parameters
    ----------
    role : ``settlement`` or ``quote``
    folder : this signer's own; made when missing, with mode 0700
    database_url : where the kill switch is; at least one of this and `latch` is needed
    latch : a file whose presence stops signing
    """
    if role not in ROLES:
        raise ValueError(f"role must be one of {ROLES}, got {role!r}")
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    key = actors.operator if role == "settlement" else actors.quote_signer
    files = {name: folder / name for name in ("keystore.json", "password", "policy.toml")}
    if not files["keystore.json"].exists():
        password = secrets.token_hex(32)
        write_private(files["password"], password.encode())
        write_private(files["keystore.json"], json.dumps(key.keystore(password)).encode())
    by_name = {deployed.name: deployed for deployed in deployments}
    write_private(files["policy.toml"], format_policy(demo_policy(by_name)).encode())
    options = {
        "--socket": socket,
        "--keystore": files["keystore.json"],
        "--password-file": files["password"],
        "--policy": files["policy.toml"],
        "--folder": folder,
    }
    if database_url is not None:
        write_private(folder / "database-url", database_url.encode())
        options["--database-url-file"] = folder / "database-url"
    if latch is not None:
        options["--latch"] = latch
    flat = [str(word) for option in options.items() for word in option]
    return [sys.executable, "-m", "dmm.entrypoints.signer", role, *flat]


def demo_policy(deployments: Mapping[str, Deployment]) -> SignerPolicy:
    """Return the DEMO signers' allow-list and caps."""
    contracts = {
        name: deployed.address
        for name, deployed in deployments.items()
        if name in ("settlement", "treasury") or name.startswith("token:")
    }
    caps = {
        name.removeprefix("token:"): Cap(
            each_atoms=EACH_WHOLE_MAX * 10**deployed.decimals,
            day_atoms=DAY_WHOLE_MAX * 10**deployed.decimals,
        )
        for name, deployed in deployments.items()
        if name.startswith("token:")
    }
    return SignerPolicy(
        chain=CHAIN,
        chain_id=CHAIN_ID,
        maker=deployments["vault:desk"].address,
        contracts=contracts,
        caps=caps,
        unit_fee_max=FEE_WEI_MAX,
        gas_max=GAS_MAX,
        ttl_s_max=QUOTE_TTL_S_MAX,
        settle_s_max=QUOTE_SETTLE_S_MAX,
    )

"""The two signer processes of a local chain: their DEMO keystores, policies and command lines."""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from dmm.adapters.signers.keystore import DEMO_WORK, Curve, lock
from dmm.adapters.signers.numeraire import Numeraire, Rate
from dmm.adapters.signers.policy import Cap, SignerPolicy, format_policy
from dmm.ports import Deployment

ROLES = ("settlement", "quote")

EACH_WHOLE_MAX = 1_000_000
"""DEMO cap of one signature, whole tokens."""

DAY_WHOLE_MAX = 10_000_000
"""DEMO cap of a day of signatures, whole tokens."""

GOVERNING = ("governor", "multisig")
"""Contracts that no signer has any business with."""

ASSETS = 3
"""DEMO caps over all assets leave room for each of them at its own cap."""

QUOTE_TTL_S_MAX = 60
QUOTE_SETTLE_S_MAX = 2 * 86_400 - 3_600
"""Within what the settlement contracts take, with room for a chain whose clock is behind."""


def signer_command(
    role: str,
    *,
    folder: Path,
    socket: Path,
    secret: bytes,
    policy: SignerPolicy,
    database_url: str | None = None,
    latch: Path | None = None,
) -> list[str]:
    """Write a signer's files and return the command that runs it.

    The signer listens on `socket` and is ready when that exists and answers.

    Parameters
    ----------
    role : ``settlement`` or ``quote``
    folder : this signer's own; made when missing, with mode 0700
    secret : 32 bytes, of which the chain's adapter makes the key
    policy : allow-list and caps; it names the chain
    database_url : where the kill switch is; at least one of this and `latch` is needed
    latch : a file whose presence stops signing
    """
    if role not in ROLES:
        raise ValueError(f"role must be one of {ROLES}, got {role!r}")
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    files = {name: folder / name for name in ("keystore.json", "password", "policy.toml")}
    if not files["keystore.json"].exists():
        password = secrets.token_hex(32)
        body = lock(secret, password, curve=curve_of(policy.chain), work=DEMO_WORK)
        _write(files["password"], password)
        _write(files["keystore.json"], json.dumps(body))
    _write(files["policy.toml"], format_policy(policy))
    options = {
        "--socket": socket,
        "--keystore": files["keystore.json"],
        "--password-file": files["password"],
        "--policy": files["policy.toml"],
        "--folder": folder,
    }
    if database_url is not None:
        _write(folder / "database-url", database_url)
        options["--database-url-file"] = folder / "database-url"
    if latch is not None:
        options["--latch"] = latch
    flat = [str(word) for option in options.items() for word in option]
    return [sys.executable, "-m", "dmm.entrypoints.signer", role, *flat]


def curve_of(chain: str) -> Curve:
    """Return the curve of a local chain's keys."""
    return Curve.SECP256K1 if chain == "evm" else Curve.ED25519


def demo_policy(
    deployments: Mapping[str, Deployment],
    *,
    chain: str,
    chain_id: int,
    unit_fee_max: int,
    gas_max: int,
) -> SignerPolicy:
    """Return the DEMO signers' allow-list and caps; one whole token counts for one unit.

    Parameters
    ----------
    chain_id : the network's own number, as the chain's book takes it
    unit_fee_max, gas_max : see `dmm.ports.SignRequest`
    """
    tokens = {
        name.removeprefix("token:"): 10**deployed.decimals
        for name, deployed in deployments.items()
        if name.startswith("token:")
    }
    contracts = {
        name: deployed.address
        for name, deployed in deployments.items()
        if not name.startswith(("actor:", "signer:")) and name not in GOVERNING
    }
    caps = {
        asset: Cap(each_atoms=EACH_WHOLE_MAX * whole, day_atoms=DAY_WHOLE_MAX * whole)
        for asset, whole in tokens.items()
    }
    return SignerPolicy(
        chain=chain,
        chain_id=chain_id,
        maker=deployments["vault:desk"].address,
        contracts=contracts,
        caps=caps,
        unit_fee_max=unit_fee_max,
        gas_max=gas_max,
        ttl_s_max=QUOTE_TTL_S_MAX,
        settle_s_max=QUOTE_SETTLE_S_MAX,
        numeraire=Numeraire(
            name="token",
            each_max=ASSETS * EACH_WHOLE_MAX,
            day_max=ASSETS * DAY_WHOLE_MAX,
            recipient_day_max=ASSETS * DAY_WHOLE_MAX,
            rates={asset: Rate(atoms=whole, worth=1) for asset, whole in tokens.items()},
        ),
    )


def _write(path: Path, content: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
        file.write(content)

"""What a signer may sign at the most: read from a file of its own, once, at its start."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dmm.adapters.signers.numeraire import Numeraire, Rate
from dmm.units.errors import ServiceFault

TOML_MAX = 2**63 - 1
"""Largest integer of TOML; what is larger is written as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """Atoms of one asset in one signature, and in one day of signatures."""

    each_atoms: int
    day_atoms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerPolicy:
    """One signer's allow-list and caps.

    `contracts` holds the deployments the signer may name, by name. An asset without a cap is
    refused. `settle_s_max` and `ttl_s_max` bound how far ahead a quote may reach. `chain_id` is
    the network's own number: negative on TON, the genesis hash as an integer on Solana. `numeraire`
    bounds all assets together; a settlement signer does not start without it. `wallet` says which
    contract carries the key's messages, where a chain has several: on TON ``highload-v3``, which an
    empty text stands for, or ``v5``.
    """

    chain: str
    chain_id: int
    maker: str
    contracts: Mapping[str, str]
    caps: Mapping[str, Cap]
    unit_fee_max: int
    gas_max: int
    ttl_s_max: int
    settle_s_max: int
    numeraire: Numeraire | None = None
    wallet: str = ""


def read_policy(path: Path) -> SignerPolicy:
    """Read a policy.

    ::

        chain = "evm"
        chain_id = 31337
        maker = "0x…"               # owner of the inventory that quotes give
        unit_fee_max = 200000000000
        gas_max = 400000
        ttl_s_max = 60
        settle_s_max = 86400
        [contracts]
        settlement = "0x…"
        "token:DCT" = "0x…"
        [caps.DCT]
        each_atoms = "1000000000000"  # text, because TOML integers end at 2^63
        day_atoms = "5000000000000"
        [numeraire]                 # over all assets together
        name = "cent"
        each_max = "10000000"
        day_max = "50000000"
        recipient_day_max = "20000000"
        give_bps_max = 300          # may be left out: no bound on what a quote gives away
        [numeraire.rates.DCT]       # so many atoms count for so much
        atoms = "1000000000"
        worth = "12"

    Raises
    ------
    ServiceFault
        If the file is missing, or anything in it is missing, unknown or of another kind.
    """
    try:
        body = tomllib.loads(path.read_text(encoding="utf-8"))
        unknown = set(body) - set(SignerPolicy.__dataclass_fields__)
        if unknown:
            raise ServiceFault(f"signer policy {path} holds unknown {sorted(unknown)}")
        return _policy(body)
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ServiceFault(f"signer policy {path} is missing or unreadable: {error!r}") from error


def format_policy(policy: SignerPolicy) -> str:
    """Return a policy as the text that `read_policy` reads."""
    lines = [f'chain = "{policy.chain}"', f'maker = "{policy.maker}"']
    if policy.wallet:
        lines += [f'wallet = "{policy.wallet}"']
    lines += [f"{name} = {_number(getattr(policy, name))}" for name in _NUMBERS]
    lines += ["[contracts]"]
    lines += [f'"{name}" = "{address}"' for name, address in sorted(policy.contracts.items())]
    for asset, cap in sorted(policy.caps.items()):
        lines += [
            f'[caps."{asset}"]',
            f'each_atoms = "{cap.each_atoms}"',
            f'day_atoms = "{cap.day_atoms}"',
        ]
    if policy.numeraire is not None:
        lines += _numeraire_lines(policy.numeraire)
    return "\n".join(lines) + "\n"


def _number(value: int) -> str:
    return str(value) if abs(value) <= TOML_MAX else f'"{value}"'


def _numeraire_lines(numeraire: Numeraire) -> list[str]:
    lines = ["[numeraire]", f'name = "{numeraire.name}"']
    lines += [f'{name} = "{getattr(numeraire, name)}"' for name in _BOUNDS]
    if numeraire.give_bps_max is not None:
        lines += [f"give_bps_max = {numeraire.give_bps_max}"]
    for asset, rate in sorted(numeraire.rates.items()):
        lines += [
            f'[numeraire.rates."{asset}"]',
            f'atoms = "{rate.atoms}"',
            f'worth = "{rate.worth}"',
        ]
    return lines


_BOUNDS = ("each_max", "day_max", "recipient_day_max")
_NUMBERS = ("chain_id", "unit_fee_max", "gas_max", "ttl_s_max", "settle_s_max")


def _policy(body: dict[str, Any]) -> SignerPolicy:
    return SignerPolicy(
        chain=str(body["chain"]),
        chain_id=_integer(body["chain_id"]),
        maker=str(body["maker"]),
        contracts={name: str(address) for name, address in body["contracts"].items()},
        caps={
            asset: Cap(each_atoms=_whole(cap["each_atoms"]), day_atoms=_whole(cap["day_atoms"]))
            for asset, cap in body["caps"].items()
        },
        unit_fee_max=_whole(body["unit_fee_max"]),
        gas_max=_whole(body["gas_max"]),
        ttl_s_max=_whole(body["ttl_s_max"]),
        settle_s_max=_whole(body["settle_s_max"]),
        numeraire=_numeraire(body["numeraire"]) if "numeraire" in body else None,
        wallet=str(body.get("wallet", "")),
    )


def _numeraire(body: dict[str, Any]) -> Numeraire:
    unknown = set(body) - set(Numeraire.__dataclass_fields__)
    if unknown:
        raise ValueError(f"[numeraire] holds unknown {sorted(unknown)}")
    give_bps = body.get("give_bps_max")
    return Numeraire(
        name=str(body["name"]),
        each_max=_whole(body["each_max"]),
        day_max=_whole(body["day_max"]),
        recipient_day_max=_whole(body["recipient_day_max"]),
        rates={asset: _rate(rate) for asset, rate in body["rates"].items()},
        give_bps_max=None if give_bps is None else _whole(give_bps),
    )


def _rate(body: dict[str, Any]) -> Rate:
    rate = Rate(atoms=_whole(body["atoms"]), worth=_whole(body["worth"]))
    # A worth of nothing would lift every cap of that asset.
    if rate.atoms == 0 or rate.worth == 0:
        raise ValueError("a rate's atoms and worth must be > 0")
    return rate


def _whole(value: Any) -> int:
    number = _integer(value)
    if number < 0:
        raise ValueError(f"expected a whole number >= 0, got {value!r}")
    return number


def _integer(value: Any) -> int:
    number = int(value) if isinstance(value, str) else value
    if not isinstance(number, int) or isinstance(number, bool):
        raise TypeError(f"expected a whole number, got {value!r}")
    return number

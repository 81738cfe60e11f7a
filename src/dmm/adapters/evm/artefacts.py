"""Compiled contracts as committed: bytecode and ABI by contract name."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak

from dmm.units.errors import ServiceFault


@dataclass(frozen=True, slots=True, kw_only=True)
class Artefact:
    """One compiled contract."""

    contract: str
    abi: list[dict[str, Any]]
    bytecode: bytes

    def event(self, name: str) -> tuple[str, list[str]]:
        """Return an event's topic as hex, and the types of its data, in order."""
        entry = self._entry("event", name)
        unindexed = [_type(item) for item in entry["inputs"] if not item["indexed"]]
        return "0x" + keccak(text=signature_of(entry)).hex(), unindexed

    def errors(self) -> dict[str, str]:
        """Return signatures of the contract's errors by selector, as hex."""
        found = [signature_of(entry) for entry in self.abi if entry["type"] == "error"]
        return {"0x" + keccak(text=text)[:4].hex(): text for text in found}

    def _entry(self, kind: str, name: str) -> dict[str, Any]:
        for entry in self.abi:
            if entry["type"] == kind and entry.get("name") == name:
                return entry
        raise ServiceFault(f"contract {self.contract} has no {kind} {name}: build it again")


def load(artefact_dir: Path, contract: str) -> Artefact:
    """Return a contract's artefact.

    Raises
    ------
    ServiceFault
        If it is missing or unreadable.
    """
    path = artefact_dir / f"{contract}.json"
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        return Artefact(
            contract=body["contract"],
            abi=body["abi"],
            bytecode=bytes.fromhex(body["bytecode"].removeprefix("0x")),
        )
    except (OSError, ValueError, KeyError) as error:
        raise ServiceFault(
            f"{path} is missing or unreadable: run from a complete checkout"
        ) from error


def signature_of(entry: dict[str, Any]) -> str:
    """Return the canonical signature of an ABI entry."""
    return f"{entry['name']}({','.join(_type(item) for item in entry['inputs'])})"


def _type(item: dict[str, Any]) -> str:
    kind: str = item["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_type(part) for part in item['components'])}){kind.removeprefix('tuple')}"

"""The program's interface as its IDL states it: instructions, accounts, events, errors.

Values are plain: integers, booleans, ``Pubkey`` for keys, ``bytes`` for hashes, dictionaries for
structures. Field names are those of the IDL in snake case. The encoding is Borsh.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from dmm.units.errors import ServiceFault, UsageFault

ERROR_BASE = 6_000
"""Anchor's clients look for a program's own errors from here on."""

EVENT_LOG = "Program data: "
_NUMBERS = {"u8": "<B", "u16": "<H", "u32": "<I", "u64": "<Q", "i64": "<q"}
_BREAK = re.compile(r"(?<!^)(?=[A-Z])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event of the program: its name and its fields."""

    name: str
    fields: dict[str, Any]


def discriminator(kind: str, name: str) -> bytes:
    """Return Anchor's eight bytes for an instruction (``global``), ``account`` or ``event``."""
    return hashlib.sha256(f"{kind}:{name}".encode()).digest()[:8]


def snake(name: str) -> str:
    """Return a camel-case name of the IDL in snake case."""
    return _BREAK.sub("_", name).lower()


class Abi:
    """What a legacy IDL says; reads and writes the program's bytes."""

    def __init__(self, idl: Mapping[str, Any]) -> None:
        """Take the parsed IDL."""
        self._instructions = {snake(item["name"]): item for item in idl["instructions"]}
        self._types = {item["name"]: item["type"]["fields"] for item in idl["types"]}
        self._accounts = {item["name"]: item["type"]["fields"] for item in idl["accounts"]}
        self._events = {discriminator("event", item["name"]): item for item in idl["events"]}
        self.errors: dict[int, str] = {item["code"]: item["name"] for item in idl["errors"]}

    @classmethod
    def load(cls, path: Path) -> Abi:
        """Read an IDL.

        Raises
        ------
        ServiceFault
            If the file is missing or is no legacy IDL.
        """
        try:
            return cls(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ServiceFault(f"{path} is no readable IDL: {error}") from error

    @property
    def instructions(self) -> list[str]:
        """Return the instructions' names."""
        return list(self._instructions)

    def account_names(self, instruction: str) -> list[str]:
        """Return the names of an instruction's accounts, in order."""
        return [snake(item["name"]) for item in self._instructions[instruction]["accounts"]]

    def instruction(
        self,
        program: Pubkey,
        name: str,
        accounts: Mapping[str, Pubkey],
        rest: Sequence[AccountMeta] = (),
        **arguments: object,
    ) -> Instruction:
        """Build a call.

        Parameters
        ----------
        accounts : every account the IDL names
        rest : accounts behind them
        arguments : every argument the IDL names

        Raises
        ------
        UsageFault
            If an account or argument is missing, unknown, or does not fit its type.
        """
        item = self._instructions[name]
        metas = [
            AccountMeta(_named(accounts, snake(meta["name"])), meta["isSigner"], meta["isMut"])
            for meta in item["accounts"]
        ]
        data = discriminator("global", name) + self._fields(item["args"], arguments)
        return Instruction(program, data, [*metas, *rest])

    def account(self, name: str, data: bytes) -> dict[str, Any]:
        """Read a state account.

        Raises
        ------
        UsageFault
            If the bytes are no account of that kind.
        """
        if data[:8] != discriminator("account", name):
            raise UsageFault(f"{len(data)} bytes are no account of kind {name}")
        fields, rest = self._read_fields(self._accounts[name], data[8:])
        if rest:
            raise UsageFault(f"an account of kind {name} has {len(rest)} bytes too many")
        return fields

    def account_bytes(self, name: str) -> int:
        """Return how long accounts of a kind are."""
        return 8 + sum(self._width(field["type"]) for field in self._accounts[name])

    def events(self, logs: Iterable[str]) -> list[Event]:
        """Return the program's events in a transaction's log, in order; other lines are skipped."""
        found = []
        for line in logs:
            if not line.startswith(EVENT_LOG):
                continue
            data = base64.b64decode(line.removeprefix(EVENT_LOG))
            item = self._events.get(data[:8])
            if item is not None:
                fields, _ = self._read_fields(item["fields"], data[8:])
                found.append(Event(name=item["name"], fields=fields))
        return found

    def _fields(self, fields: Sequence[Mapping[str, Any]], values: Mapping[str, Any]) -> bytes:
        names = [snake(field["name"]) for field in fields]
        if set(names) != set(values):
            raise UsageFault(f"arguments are {sorted(names)}, not {sorted(values)}")
        return b"".join(
            self._encode(field["type"], values[name])
            for field, name in zip(fields, names, strict=True)
        )

    def _encode(self, kind: Any, value: Any) -> bytes:
        try:
            if kind in ("bool", "publicKey"):
                return bytes(value) if kind == "publicKey" else bytes([bool(value)])
            if isinstance(kind, str):
                return struct.pack(_NUMBERS[kind], value)
        except (struct.error, KeyError) as error:
            raise UsageFault(f"{value!r} is no {kind}: {error}") from error
        if "defined" in kind:
            return self._fields(self._types[kind["defined"]], value)
        if "vec" in kind:
            items = b"".join(self._encode(kind["vec"], item) for item in value)
            return struct.pack("<I", len(value)) + items
        length = kind["array"][1]
        if len(value) != length:
            raise UsageFault(f"{len(value)} items where {length} belong")
        return bytes(value)

    def _read_fields(
        self, fields: Sequence[Mapping[str, Any]], data: bytes
    ) -> tuple[dict[str, Any], bytes]:
        values = {}
        for field in fields:
            width = self._width(field["type"])
            if len(data) < width:
                raise UsageFault(f"{len(data)} bytes left where {field['name']} needs {width}")
            values[snake(field["name"])] = self._decode(field["type"], data[:width])
            data = data[width:]
        return values, data

    def _width(self, kind: Any) -> int:
        if kind in ("bool", "publicKey"):
            return 32 if kind == "publicKey" else 1
        if isinstance(kind, str):
            return struct.calcsize(_NUMBERS[kind])
        if "defined" in kind:
            return sum(self._width(field["type"]) for field in self._types[kind["defined"]])
        item, length = kind["array"]
        return self._width(item) * int(length)

    def _decode(self, kind: Any, data: bytes) -> Any:
        if kind == "publicKey":
            return Pubkey(data)
        if kind == "bool":
            return data == b"\x01"
        if isinstance(kind, str):
            return struct.unpack(_NUMBERS[kind], data)[0]
        if "defined" in kind:
            return self._read_fields(self._types[kind["defined"]], data)[0]
        item, length = kind["array"]
        if item == "u8":
            return data
        width = self._width(item)
        return [self._decode(item, data[i * width : (i + 1) * width]) for i in range(length)]


def _named(accounts: Mapping[str, Pubkey], name: str) -> Pubkey:
    if name not in accounts:
        raise UsageFault(f"account {name} is missing")
    return accounts[name]

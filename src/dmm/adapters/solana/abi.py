"""The program's interface as its IDL states it: instructions, accounts, events, errors.

Values are plain: integers, booleans, ``Pubkey`` for keys, ``bytes`` for hashes, lists, dictionaries
for structures. Field names are those of the IDL in snake case. The encoding is Borsh.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from dmm.units.errors import ServiceFault, UsageFault

ERROR_BASE = 6_000
"""Anchor's clients look for a program's own errors from here on."""

EVENT_LOG = "Program data: "
TRUNCATED_LOG = "Log truncated"
ITEMS_MAX = 1_024
"""Items of a list in one instruction; a transaction of 1,232 bytes holds far fewer."""

_NUMBERS = {"u8": "<B", "u16": "<H", "u32": "<I", "u64": "<Q", "i64": "<q"}
_BREAK = re.compile(r"(?<!^)(?=[A-Z])")
_INVOKED = re.compile(r"^Program (\w+) invoke \[\d+\]$")
_ENDED = re.compile(r"^Program (\w+) (success|failed)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event of the program: its name and its fields."""

    name: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramCall:
    """One call of the program: named accounts, the accounts behind them, arguments."""

    name: str
    accounts: dict[str, Pubkey]
    rest: tuple[Pubkey, ...]
    arguments: dict[str, Any]


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
        self._by_bytes = {discriminator("global", name): name for name in self._instructions}
        self._types = {item["name"]: item["type"]["fields"] for item in idl["types"]}
        self._accounts = {item["name"]: item["type"]["fields"] for item in idl["accounts"]}
        self._events = {discriminator("event", item["name"]): item for item in idl["events"]}
        self.errors: dict[int, str] = {item["code"]: item["name"] for item in idl["errors"]}
        self.error_texts: dict[int, str] = {
            item["code"]: item.get("msg", item["name"]) for item in idl["errors"]
        }

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

    def call(self, data: bytes, accounts: Sequence[Pubkey]) -> ProgramCall | None:
        """Read a call back; None for bytes that are no instruction of this interface.

        Raises
        ------
        UsageFault
            If it is one of its instructions and does not fit the interface.
        """
        name = self._by_bytes.get(data[:8])
        if name is None:
            return None
        names = self.account_names(name)
        if len(accounts) < len(names):
            raise UsageFault(f"{name} names {len(names)} accounts, the call has {len(accounts)}")
        reader = _Reader(data[8:])
        arguments = self._read_fields(self._instructions[name]["args"], reader)
        reader.require_end(name)
        return ProgramCall(
            name=name,
            accounts=dict(zip(names, accounts, strict=False)),
            rest=tuple(accounts[len(names) :]),
            arguments=arguments,
        )

    def account(self, name: str, data: bytes) -> dict[str, Any]:
        """Read a state account.

        Raises
        ------
        UsageFault
            If the bytes are no account of that kind.
        """
        if data[:8] != discriminator("account", name):
            raise UsageFault(f"{len(data)} bytes are no account of kind {name}")
        reader = _Reader(data[8:])
        fields = self._read_fields(self._accounts[name], reader)
        reader.require_end(f"an account of kind {name}")
        return fields

    def account_bytes(self, name: str) -> int:
        """Return how long accounts of a kind are."""
        return 8 + sum(self._width(field["type"]) for field in self._accounts[name])

    def events(self, logs: Iterable[str], *, program: Pubkey | None = None) -> list[Event]:
        """Return the program's events in a transaction's log, in order; other lines are skipped.

        Parameters
        ----------
        program : only what this program wrote itself counts; None takes everybody's lines
        """
        return [event for data in _data_lines(logs, program) if (event := self._event(data))]

    def _event(self, data: bytes) -> Event | None:
        item = self._events.get(data[:8])
        if item is None:
            return None
        return Event(name=item["name"], fields=self._read_fields(item["fields"], _Reader(data[8:])))

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

    def _width(self, kind: Any) -> int:
        if kind in ("bool", "publicKey"):
            return 32 if kind == "publicKey" else 1
        if isinstance(kind, str):
            return struct.calcsize(_NUMBERS[kind])
        if "defined" in kind:
            return sum(self._width(field["type"]) for field in self._types[kind["defined"]])
        item, length = kind["array"]
        return self._width(item) * int(length)

    def _read_fields(self, fields: Sequence[Mapping[str, Any]], reader: _Reader) -> dict[str, Any]:
        return {snake(field["name"]): self._read(field["type"], reader) for field in fields}

    def _read(self, kind: Any, reader: _Reader) -> Any:
        if kind == "publicKey":
            return Pubkey(reader.take(32))
        if kind == "bool":
            return reader.take(1) == b"\x01"
        if isinstance(kind, str):
            form = _NUMBERS[kind]
            return struct.unpack(form, reader.take(struct.calcsize(form)))[0]
        if "defined" in kind:
            return self._read_fields(self._types[kind["defined"]], reader)
        if "vec" in kind:
            item, length = kind["vec"], int.from_bytes(reader.take(4), "little")
            if length > ITEMS_MAX:
                raise UsageFault(f"a list of {length} items, at most {ITEMS_MAX}")
        else:
            item, length = kind["array"]
            if item == "u8":
                return reader.take(length)
        return [self._read(item, reader) for _ in range(length)]


class _Reader:
    """Bytes read from the front; `UsageFault` when they end too soon."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, length: int) -> bytes:
        piece = self._data[self._at : self._at + length]
        if len(piece) < length:
            raise UsageFault(f"{len(piece)} bytes left where {length} are needed")
        self._at += length
        return piece

    def require_end(self, what: str) -> None:
        left = len(self._data) - self._at
        if left:
            raise UsageFault(f"{what} has {left} bytes too many")


def _data_lines(logs: Iterable[str], program: Pubkey | None) -> Iterator[bytes]:
    """Yield what a program wrote, by the stack of calls that the log tells; None: everybody's."""
    wanted = None if program is None else str(program)
    stack: list[str] = []
    for line in logs:
        if (called := _INVOKED.match(line)) is not None:
            stack.append(called[1])
        elif _ENDED.match(line) is not None and stack:
            stack.pop()
        elif line.startswith(EVENT_LOG) and (wanted is None or stack[-1:] == [wanted]):
            try:
                yield base64.b64decode(line.removeprefix(EVENT_LOG), validate=True)
            except ValueError:
                # Several pieces in one line are another program's way; ours writes one.
                continue


def is_truncated(logs: Iterable[str]) -> bool:
    """Tell whether the node cut a transaction's log: events may be missing from it."""
    return any(line == TRUNCATED_LOG for line in logs)


def _named(accounts: Mapping[str, Pubkey], name: str) -> Pubkey:
    if name not in accounts:
        raise UsageFault(f"account {name} is missing")
    return accounts[name]


_PACKAGED_IDL = Path(__file__).with_name("idl.json")
IDL_PATH = (
    _PACKAGED_IDL
    if _PACKAGED_IDL.exists()
    else Path(__file__).resolve().parents[4] / "contracts" / "solana" / "idl.json"
)
"""The program's interface: inside an installed wheel, else in the checkout."""


@functools.cache
def program_abi() -> Abi:
    """Return the interface of the committed program."""
    return Abi.load(IDL_PATH)

"""The signers' protocol: one JSON object a line, answered by one JSON object a line.

An answer is ``{"ok": …}``, ``{"refused": text}`` for a request that will never pass, or
``{"later": text}`` for one that may pass later. Nothing was signed unless ``ok`` is there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dmm.ports import SignedTx, SignRequest
from dmm.settlement.intent import Intent, IntentKind, Purpose
from dmm.units.amount import Atoms
from dmm.units.errors import Permanent
from dmm.units.ids import Hash32, Json
from dmm.units.json_text import parse_json

LINE_BYTES_MAX = 65_536
"""Longest line either side reads; a buyback with its quote takes about 2,000."""

DEPTH_MAX = 16
"""A request nests five deep: line, request, intent, inputs, quote."""

_INTENT_FIELDS = tuple(name for name in Intent.__dataclass_fields__)
_REQUEST_FIELDS = tuple(name for name in SignRequest.__dataclass_fields__)


def pack(body: Mapping[str, Json]) -> bytes:
    """Return one line.

    Raises
    ------
    Permanent
        If it is longer than the other side reads.
    """
    line = json.dumps(body, separators=(",", ":")).encode() + b"\n"
    if len(line) > LINE_BYTES_MAX:
        raise Permanent(
            f"a signer's line holds {LINE_BYTES_MAX} bytes at most, this has {len(line)}"
        )
    return line


def unpack(line: bytes) -> dict[str, Json]:
    """Read one line; `Permanent` when it is no JSON object."""
    try:
        body = parse_json(line, depth_max=DEPTH_MAX, parse_float=_no_float)
    except ValueError as error:
        raise Permanent(f"unreadable line: {error}") from error
    if not isinstance(body, dict):
        raise Permanent(f"a line holds one object, got {type(body).__name__}")
    return body


def request_to_json(request: SignRequest) -> dict[str, Json]:
    """Return a request as JSON values."""
    body: dict[str, Json] = {name: getattr(request, name) for name in _REQUEST_FIELDS[1:]}
    return body | {"intent": intent_to_json(request.intent), "purpose": request.purpose.value}


def intent_to_json(intent: Intent) -> dict[str, Json]:
    """Return an intent as JSON values."""
    body: dict[str, Json] = {name: getattr(intent, name) for name in _INTENT_FIELDS}
    body["kind"] = intent.kind.value
    body["supersedes"] = intent.supersedes.hex() if intent.supersedes is not None else None
    return body


def request_from_json(body: Json) -> SignRequest:
    """Read a request; `Permanent` names what is missing, unknown or of another type."""
    fields = _fields(body, _REQUEST_FIELDS, what="request")
    intent = intent_from_json(fields.pop("intent"))
    for name, value in fields.items():
        _require_type(value, str if name in ("purpose", "anchor") else int, what=name)
    try:
        fields["purpose"] = Purpose(fields["purpose"])
    except ValueError as error:
        raise Permanent(f"unreadable request: {error}") from error
    return SignRequest(intent=intent, **fields)


def intent_from_json(body: Json) -> Intent:
    """Read an intent; `Permanent` names what is missing, unknown or of another type."""
    given = _fields(body, _INTENT_FIELDS, what="intent")
    supersedes = given.pop("supersedes")
    inputs = given.pop("inputs")
    if not isinstance(inputs, dict):
        raise Permanent("intent.inputs must be an object")
    texts = ("kind", "chain", "contract", "vault", "scope", "asset", "recipient")
    for name, value in given.items():
        _require_type(value, str if name in texts else int, what=f"intent.{name}")
    try:
        return Intent(
            **(given | {"kind": IntentKind(given["kind"])}),
            inputs=inputs,
            supersedes=Hash32(bytes.fromhex(supersedes)) if supersedes is not None else None,
        )
    except (ValueError, TypeError) as error:
        raise Permanent(f"unreadable intent: {error}") from error


def signed_to_json(signed: SignedTx) -> dict[str, Json]:
    """Return a signed transaction as JSON values."""
    return {
        "tx_id": signed.tx_id,
        "raw": signed.raw.hex(),
        "signer": signed.signer,
        "fee_atoms_max": signed.fee_atoms_max,
    }


def signed_from_json(body: Json) -> SignedTx:
    """Read a signed transaction; `Permanent` when it is none."""
    fields = _fields(body, tuple(SignedTx.__dataclass_fields__), what="signed transaction")
    _require_type(fields["fee_atoms_max"], int, what="fee_atoms_max")
    return SignedTx(
        tx_id=str(fields["tx_id"]),
        raw=bytes_of(fields["raw"]),
        signer=str(fields["signer"]),
        fee_atoms_max=Atoms(fields["fee_atoms_max"]),
    )


def bytes_of(value: Json) -> bytes:
    """Read bytes in hex; `Permanent` when they are none."""
    try:
        return bytes.fromhex(value.removeprefix("0x")) if isinstance(value, str) else b""
    except ValueError as error:
        raise Permanent(f"unreadable bytes: {error}") from error


def _fields(body: Json, names: tuple[str, ...], *, what: str) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise Permanent(f"a {what} is an object, got {type(body).__name__}")
    if set(body) != set(names):
        raise Permanent(f"{what} fields differ: {sorted(set(body) ^ set(names))}")
    return dict(body)


def _require_type(value: object, kind: type, *, what: str) -> None:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise Permanent(f"{what} must be {kind.__name__}, got {value!r}")


def _no_float(text: str) -> int:
    raise ValueError(f"no fractions here: {text}")

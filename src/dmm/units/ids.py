"""Ids derived from what a thing is for, so that a repeat is the same act."""

from __future__ import annotations

import hashlib
import json
from typing import NewType, TypeAlias

Hash32 = NewType("Hash32", bytes)
"""Exactly 32 bytes."""

Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"
"""What canonical JSON may hold: no floats, so that bytes never depend on a printer."""

ZERO_HASH = Hash32(bytes(32))


def content_id(tag: str, *parts: str | int | bytes) -> Hash32:
    """Return SHA-256 over the length-prefixed tag and parts.

    Each part is prefixed by a type byte and its length (8 bytes, big endian), so no two different
    lists of parts share their bytes.

    Parameters
    ----------
    tag : names kind and version of the id, for example ``"dmm/intent/v1"``
    parts : text, integers of any size and sign, or bytes
    """
    digest = hashlib.sha256()
    for part in (tag, *parts):
        if isinstance(part, bytes):
            kind, body = b"b", part
        elif isinstance(part, int):
            kind, body = b"i", str(int(part)).encode()
        else:
            kind, body = b"s", part.encode()
        digest.update(kind + len(body).to_bytes(8, "big") + body)
    return Hash32(digest.digest())


def canonical_json(value: Json) -> bytes:
    """Return the one byte form of a JSON value: sorted keys, no spaces, UTF-8, no floats.

    Raises
    ------
    TypeError
        If the value holds a float or anything JSON cannot hold.
    """
    _refuse_floats(value)
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def _refuse_floats(value: object) -> None:
    if isinstance(value, float):
        raise TypeError(f"canonical JSON holds no floats, got {value!r}: scale it to an integer")
    if isinstance(value, dict):
        for item in value.values():
            _refuse_floats(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_floats(item)


def hash_link(previous: bytes, body: bytes) -> Hash32:
    """Return the next hash of a chain: SHA-256 over the previous hash and the body's hash.

    Parameters
    ----------
    previous : 32 bytes, ``ZERO_HASH`` for the first link
    body : the canonical bytes of this link
    """
    return Hash32(hashlib.sha256(previous + hashlib.sha256(body).digest()).digest())

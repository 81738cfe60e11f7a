"""The shape of Binance's messages: decoded without trust, shown in faults."""

from __future__ import annotations

from typing import Any, TypeAlias

import orjson

Message: TypeAlias = dict[str, Any]
"""A decoded JSON object; its shape is checked by using it."""

STAMP_NS = {19: 1, 16: 1_000}
"""Digits of a received time, and the nanoseconds in its unit."""

SHOWN_BYTES_MAX = 80


def split_line(line: bytes) -> tuple[int, Message]:
    """Return received time (ns) and message of a line ``<received> <json>``.

    Raises
    ------
    ValueError
        If it is not such a line.
    """
    cut = line.index(b" ")
    stamp = line[:cut]
    if cut not in STAMP_NS or not stamp.isdigit():
        raise ValueError("no received time")
    message = orjson.loads(line[cut + 1 :])
    if not isinstance(message, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 — one fault for every cut line
    return int(stamp) * STAMP_NS[cut], message


def whole(value: object) -> int:
    """Return a field that must be an integer.

    Raises
    ------
    TypeError
        If it is anything else.
    """
    if type(value) is not int:
        raise TypeError(f"{value!r} is no integer")
    return value


def shown(text: bytes) -> str:
    """Return the beginning of a text for a fault, on one line."""
    cut = text[:SHOWN_BYTES_MAX].decode("utf-8", errors="replace")
    return repr(cut) + ("…" if len(text) > SHOWN_BYTES_MAX else "")

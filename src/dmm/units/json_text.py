"""JSON from outside: refused before it is parsed when it nests too deep.

Python's parser descends on the C stack, and a library that lifts Python's recursion limit lets a
line of brackets end the process that reads it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

DEPTH_MAX = 32
"""Deepest nesting read; nothing of ours nests half as deep."""

_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_NO_BRACKET = re.compile(rb"[^\[\]{}]+")


def parse_json(
    text: bytes | str,
    *,
    depth_max: int = DEPTH_MAX,
    pairs: Callable[[list[tuple[str, Any]]], Any] | None = None,
    parse_float: Callable[[str], Any] | None = None,
) -> Any:
    """Return the value of a JSON text.

    Parameters
    ----------
    text : whole
    depth_max : deepest nesting allowed, >= 0; a scalar is 0 deep
    pairs : makes an object from its pairs in order; None makes a dict
    parse_float : reads numbers with a fraction or exponent, and NaN and infinities

    Raises
    ------
    ValueError
        If it nests deeper, or is no JSON.
    """
    raw = text.encode() if isinstance(text, str) else text
    if raw.count(b"[") + raw.count(b"{") > depth_max and nesting(raw) > depth_max:
        raise ValueError(f"nested deeper than {depth_max}")
    return json.loads(
        raw, object_pairs_hook=pairs, parse_float=parse_float, parse_constant=parse_float
    )


def nesting(raw: bytes) -> int:
    """Return how deep a text nests at the most, as far as a parser would get."""
    depth = deepest = 0
    # Texts go first: a bracket in one opens and closes nothing.
    for bracket in _NO_BRACKET.sub(b"", _TEXT.sub(b"", raw)):
        if bracket in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        else:
            depth -= 1
    return deepest

"""The option ``--inputs``: a JSON object on the command line, in a file, or on stdin."""

from __future__ import annotations

import sys
from pathlib import Path

from dmm.quoting.models.inputs import shown
from dmm.units.errors import UsageFault
from dmm.units.json_text import parse_json

INPUT_CHARS_MAX = 65_536
"""Longest text taken."""


def read_inputs(argument: str) -> dict[str, object]:
    """Return the object that ``--inputs`` names: JSON, ``@FILE``, or ``-`` for stdin.

    Raises
    ------
    UsageFault
        If it cannot be read, is no JSON object, or names a value twice.
    """
    text = _input_text(argument)
    if len(text) > INPUT_CHARS_MAX:
        raise UsageFault(f"--inputs is longer than {INPUT_CHARS_MAX:,} characters")
    try:
        given = parse_json(text, pairs=_once)
    except ValueError as error:
        raise UsageFault(f"--inputs is not JSON: {error}") from None
    if not isinstance(given, dict):
        raise UsageFault(f"--inputs must be a JSON object of names and numbers, got {shown(given)}")
    return given


def _input_text(argument: str) -> str:
    if argument == "-":
        return sys.stdin.read(INPUT_CHARS_MAX + 1)
    if not argument.startswith("@"):
        return argument
    path = Path(argument[1:])
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(INPUT_CHARS_MAX + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        raise UsageFault(f"--inputs @{path}: {reason}") from None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Refuse a name given twice: JSON would silently keep the last."""
    given = dict(pairs)
    if len(given) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise UsageFault(f"--inputs names {shown(twice)} twice")
    return given

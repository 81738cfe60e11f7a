"""Integer time: nanoseconds since 1970 UTC, and epochs without calendar arithmetic."""

from __future__ import annotations

from typing import NewType

Nanos = NewType("Nanos", int)
"""Nanoseconds, either since 1970-01-01 UTC (`…_at_ns`) or a length (`…_ns`)."""

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000

WEEK_OFFSET_NS = Nanos(4 * 86_400 * NS_PER_S)
"""The first Monday 00:00 UTC after 1970-01-01, which was a Thursday."""


def epoch_of(at_ns: int, *, length_ns: int, offset_ns: int = 0) -> int:
    """Return the number of the epoch that holds an instant.

    Parameters
    ----------
    at_ns : nanoseconds since 1970 UTC
    length_ns : length of an epoch, > 0
    offset_ns : start of epoch 0

    Raises
    ------
    ValueError
        If the length is not positive.
    """
    if length_ns <= 0:
        raise ValueError(f"length_ns must be positive, got {length_ns}")
    return (at_ns - offset_ns) // length_ns

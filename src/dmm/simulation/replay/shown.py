"""What a tape displays at each price, put together level by level.

A book that is kept message by message costs something for every row of the tape, though almost all
of them speak of prices where nobody quotes. Here the sizes of one level stand one after the other,
each with the message that brought it, so that a level is looked up only when an order joins it,
meets a trade there or takes from it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from numba import njit

from dmm.simulation.replay.layout import (
    L_COLUMNS,
    L_HEAD,
    L_LOW_AT,
    L_NEXT,
    L_TAIL,
    L_UNTIL,
    NEVER_NS,
    NONE,
    SHOWN_COLUMNS,
    SHOWN_MESSAGE,
    SNAPSHOT,
    UPDATE,
    Longs,
)


def shown_by_level(
    kind: Longs, span: Longs, begin: Longs, end: Longs, level: Longs, size: Longs, levels: int
) -> tuple[Longs, Longs]:
    """Return what each level shows in the order of the messages, and the levels before the first.

    A level's last row is a message that never comes. A snapshot tells of the levels it names and of
    those that it empties.

    Parameters
    ----------
    kind : of each message played, in that order
    span : first and last level of each message's venue
    begin, end : rows of each message
    level, size : of each row; lots
    levels : how many there are
    """
    counts = np.zeros(levels, dtype=np.int64)
    nothing = np.zeros((0, SHOWN_COLUMNS), dtype=np.int64)
    walk = walk_pass()
    walk(kind, span, begin, end, level, size, counts, nothing)
    ends = np.cumsum(counts + 1)
    first = ends - counts - 1
    shown = np.zeros((int(ends[-1]), SHOWN_COLUMNS), dtype=np.int64)
    shown[ends - 1, SHOWN_MESSAGE] = NEVER_NS
    before = np.zeros((levels, L_COLUMNS), dtype=np.int64)
    before[:, [L_HEAD, L_TAIL, L_LOW_AT]] = NONE
    before[:, L_NEXT] = first
    walk(kind, span, begin, end, level, size, first, shown)
    before[:, L_UNTIL] = shown[before[:, L_NEXT], SHOWN_MESSAGE]
    return shown, before


def _walk(
    kind: Longs, span: Longs, begin: Longs, end: Longs, level: Longs, size: Longs, at: Longs,
    shown: Longs,
) -> None:  # fmt: skip
    """Put each size shown where its level's next one goes; without room, only count them."""
    displayed = np.zeros(at.size, dtype=np.int64)
    fresh = np.zeros(at.size, dtype=np.int64)
    named_by = np.full(at.size, -1, dtype=np.int64)
    is_kept = shown.shape[0] > 0
    for message in range(kind.size):
        if kind[message] == UPDATE:
            for row in range(begin[message], end[message]):
                one = level[row]
                displayed[one] = size[row]
                if is_kept:
                    shown[at[one], 0] = message
                    shown[at[one], 1] = size[row]
                at[one] += 1
        elif kind[message] == SNAPSHOT:
            for row in range(begin[message], end[message]):
                fresh[level[row]] = size[row]
                named_by[level[row]] = message
            for one in range(span[message, 0], span[message, 1]):
                is_named = named_by[one] == message
                if is_named or displayed[one] != 0:
                    displayed[one] = fresh[one] if is_named else 0
                    if is_kept:
                        shown[at[one], 0] = message
                        shown[at[one], 1] = displayed[one]
                    at[one] += 1


_LONGS, _TABLE = "int64[::1]", "int64[:, ::1]"


@functools.cache
def walk_pass() -> Callable[[Longs, Longs, Longs, Longs, Longs, Longs, Longs, Longs], None]:
    """Return `_walk`, compiled."""
    signature = f"void({_LONGS}, {_TABLE}, {', '.join([_LONGS] * 5)}, {_TABLE})"
    ready: Callable[[Longs, Longs, Longs, Longs, Longs, Longs, Longs, Longs], None] = njit(
        signature, cache=True
    )(_walk)
    return ready

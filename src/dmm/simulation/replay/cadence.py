"""How often a policy decides, how long its messages take, and the desk's own cadence on a tape."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import njit

from dmm.market.health import FEED_AGE_NS_MAX, FRESH_TICKS_MIN
from dmm.simulation.replay.latency import INSTANT, Latency
from dmm.simulation.replay.layout import (
    Longs,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EveryRefresh:
    """As the desk: with the first message heard `refresh_ns` after the last decision.

    After `stale_ns` of silence everything is cancelled; `fresh_ticks` messages later it goes on.
    """

    refresh_ns: int
    stale_ns: int = FEED_AGE_NS_MAX
    fresh_ticks: int = FRESH_TICKS_MIN


@dataclass(frozen=True, slots=True, kw_only=True)
class EveryInterval:
    """By a timer: `interval_ns` after its start, and so on to the end of the tape.

    It starts at `start_ns`, or with the first message heard.
    """

    interval_ns: int
    start_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AtTimes:
    """At given instants, rising."""

    times_ns: tuple[int, ...]


Cadence = EveryRefresh | EveryInterval | AtTimes


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLatency:
    """How long an order or cancel takes to a venue, and its answer back."""

    entry: Latency = INSTANT
    response: Latency = INSTANT


def _event_schedule(local_ns: Longs, refresh_ns: int, stale_ns: int, fresh_ticks: int) -> Longs:
    """Return (time, message after which, only cancels, feed is trusted) of the desk's decisions."""
    size = 0
    table = np.empty((2 * local_ns.size + 2, 4), dtype=np.int64)
    needed, refresh_at_ns = fresh_ticks, local_ns[0]
    for message in range(local_ns.size):
        now_ns = local_ns[message]
        if message and now_ns - local_ns[message - 1] > stale_ns:
            table[size, 0] = local_ns[message - 1] + stale_ns
            table[size, 1] = message - 1
            table[size, 2] = 1
            table[size, 3] = 0
            size += 1
            needed = fresh_ticks
        if needed:
            needed -= 1
            if not needed:
                refresh_at_ns = now_ns
        if now_ns >= refresh_at_ns:
            refresh_at_ns = now_ns + refresh_ns
            table[size, 0] = now_ns
            table[size, 1] = message
            table[size, 2] = 0
            table[size, 3] = 0 if needed else 1
            size += 1
    return table[:size].copy()


@functools.cache
def event_schedule() -> Callable[[Longs, int, int, int], Longs]:
    """Return `_event_schedule`, compiled."""
    signature = "int64[:, ::1](int64[::1], int64, int64, int64)"
    ready: Callable[[Longs, int, int, int], Longs] = njit(signature, cache=True)(_event_schedule)
    return ready

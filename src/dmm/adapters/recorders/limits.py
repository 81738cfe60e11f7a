"""Every bound of a recorder, and when it tries again."""

from __future__ import annotations

import random
from dataclasses import dataclass

FRAME_BYTES_MAX = 15 << 20
"""Longest message taken; a book of Coinbase has several MiB, and our readers stop at 16."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of a recorder; the defaults fit the venues' published limits.

    A recorder that is killed loses at most what came in `flush_s` + `write_every_s` and in the time
    the disk takes to write that.
    """

    flush_s: float = 1.0
    write_every_s: float = 0.1
    buffer_bytes_max: int = 32 << 20
    """Lines waiting for the disk; above it the venue has to wait, and each wait is counted."""
    connect_s_max: float = 10.0
    answer_s_max: float = 10.0
    """Longest wait for one answer over HTTP."""
    ping_every_s: float = 20.0
    pong_s_max: float = 20.0
    delay_s_min: float = 1.0
    """Before a second connection; doubled for each further one, up to `delay_s_max`. Even the
    shortest keeps below Binance's 300 connections in five minutes."""
    delay_s_max: float = 30.0
    healthy_s: float = 60.0
    """A connection that lasted longer starts the delays over."""
    first_attempts_max: int = 3
    """Tries in a row as long as nothing ever came: then an address is wrong, or the network off."""
    attempts_max: int = 12
    """Connections in a row without one message until the recorder gives up, about five minutes."""
    snapshot_tries_max: int = 12
    unusable_in_a_row_max: int = 100
    """Messages that are none of the venue's; then the connection is given up."""
    rollover_s: float = 23 * 3_600.0
    """Age at which a connection is replaced, before a venue ends it at 24 hours."""
    overlap_s: float = 10.0
    """How long the old connection is kept beside the new one."""
    close_s_max: float = 2.0


class BackOff:
    """How long to wait before the next try: doubling, bounded, never in step with others.

    Parameters
    ----------
    limits : `delay_s_min`, `delay_s_max`, `healthy_s`
    rng : spreads each delay over its upper half
    """

    def __init__(self, limits: Limits, rng: random.Random) -> None:
        self._limits = limits
        self._rng = rng
        self._failures = 0

    def next_s(self, *, lived_s: float = 0.0) -> float:
        """Return the next delay.

        Parameters
        ----------
        lived_s : how long the last try lasted, >= 0; a healthy one starts over
        """
        limits = self._limits
        if lived_s >= limits.healthy_s:
            self._failures = 0
        # Beyond 2^30 the bound has long taken over.
        longest_s = min(limits.delay_s_max, limits.delay_s_min * 2 ** min(self._failures, 30))
        self._failures += 1
        return max(limits.delay_s_min, self._rng.uniform(longest_s / 2, longest_s))

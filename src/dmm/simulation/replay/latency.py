"""How long things take: the feed to the desk, orders to the venue, answers back.

A latency is constant or drawn from measured ones. A draw depends on the seed and on the instant
alone, so that every parameter set meets the same latencies, and a grid column is a single run.
Connections keep their order: nothing overtakes what was sent before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dmm.market.tape_columns import TapeColumns
from dmm.simulation.replay.layout import (
    Longs,
)
from dmm.units.errors import UsageFault


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """A delay in ns, >= 0: `constant_ns`, or one of `samples_ns` where there are any."""

    constant_ns: int = 0
    samples_ns: tuple[int, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if self.constant_ns < 0 or any(sample < 0 for sample in self.samples_ns):
            raise UsageFault("a latency must not be negative: nothing arrives before it is sent")

    def at(self, times_ns: Longs) -> Longs:
        """Return the delay of what is sent at each of these times."""
        if not self.samples_ns:
            return np.full(len(times_ns), self.constant_ns, dtype=np.int64)
        samples = np.array(self.samples_ns, dtype=np.int64)
        draws = _mixed(times_ns.astype(np.uint64) ^ np.uint64(self.seed % 2**64))
        return samples[(draws % np.uint64(len(samples))).astype(np.int64)]

    def arrivals(self, times_ns: Longs) -> Longs:
        """Return when what is sent at these times arrives; times must not fall."""
        return np.maximum.accumulate(times_ns + self.at(times_ns))


INSTANT = Latency()


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedFromTape:
    """The desk hears a message when the recorder did, its clock shifted by `shift_ns`."""

    shift_ns: int = 0


def clock_shift(columns: TapeColumns, *, least_ns: int) -> int:
    """Return by how much a recorder's clock must go forward so that no message precedes its event.

    Parameters
    ----------
    columns : a tape
    least_ns : the least latency to leave, >= 0; 0 is returned where the tape leaves as much
    """
    if not columns.messages:
        return 0
    shortest_ns = int((columns.received_at_ns - columns.exchange_at_ns).min())
    return max(0, least_ns - shortest_ns) if shortest_ns < 0 else 0


def _mixed(
    words: np.ndarray[tuple[int], np.dtype[np.uint64]],
) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """Return the words with their bits mixed (Steele, Lea & Flood 2014, SplitMix64's finaliser)."""
    with np.errstate(over="ignore"):
        words = words + np.uint64(0x9E3779B97F4A7C15)
        words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return words ^ (words >> np.uint64(31))

"""What is recorded by the interval and not by the message: bars, funding, pool minutes, polls.

None of these is a book: nothing can be filled against them. Bars and polls feed models only, which
work in floats; funding and pool minutes move money and are integers.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dmm.units.amount import Atoms
from dmm.units.time import Nanos

Longs = NDArray[np.int64]
Floats = NDArray[np.float64]

RATE_ONE = 10**18
"""A funding rate of 1; published rates have up to 18 decimals."""


@dataclass(slots=True, kw_only=True)
class SeriesReport:
    """What reading a series counted and found."""

    rows: int = 0
    missing: int = 0
    """Intervals between the first and the last row for which there is none."""
    empty: int = 0
    """Rows without a value, left out or marked by NaN."""
    off_schedule: int = 0
    """Rows that lie beside the interval's grid; kept at their own time."""
    contradictions: int = 0
    """Rows that contradict themselves (a close above the high); kept as they are."""
    shifted_ns: int = 0
    """What was taken from the recorded times to make them UTC."""
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bars:
    """Prices by the interval, for estimators; quote per base, `volume` in `volume_unit`.

    `at_ns` is the start of the bar. `open` is None where the source has none. When the source has
    no times, they count from 0 and `is_dated` is False.
    """

    symbol: str
    interval_ns: int
    at_ns: Longs
    open: Floats | None
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    volume_unit: str
    is_dated: bool
    report: SeriesReport


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FundingHistory:
    """Funding rates of a perpetual at the instants they were due, UTC.

    Positive: longs pay shorts. A rate is for one interval, in 1/`RATE_ONE` of the notional at mark.
    """

    symbol: str
    venue: str
    interval_ns: int
    at_ns: Longs
    rate_e18: Longs
    report: SeriesReport

    def between(self, *, after_ns: int, until_ns: int) -> range:
        """Return the indices due in (after, until]: only who holds at an instant pays then.

        Parameters
        ----------
        after_ns, until_ns : nanoseconds since 1970 UTC
        """
        first, last = np.searchsorted(self.at_ns, (after_ns, until_ns), side="right")
        return range(int(first), int(last))


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolMinute:
    """What one minute did to a concentrated-liquidity pool.

    Ticks are the pool's: token 1 per token 0 in atoms is 1.0001^tick. Amounts are atoms as the pool
    sees them: net is what it gained (negative: gave), `in_…` what traders paid in, fee included.
    `liquidity` is L in the active range at the minute's end.
    """

    at_ns: Nanos
    open_tick: int
    close_tick: int
    lowest_tick: int
    highest_tick: int
    liquidity: int
    net_amount0: Atoms
    net_amount1: Atoms
    in_amount0: Atoms
    in_amount1: Atoms


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Polls:
    """A piece of polled quotes of many markets, in the file's order; NaN where a side was empty.

    `market` indexes `slugs`, the piece's own markets.
    """

    slugs: tuple[str, ...]
    market: Longs
    at_ns: Longs
    bid: Floats
    ask: Floats

"""An instrument through time: which version of its metadata held when, and what a change does.

A price in ticks means nothing without the tick of its time. A venue that changes its tick or lot
therefore ends every resting quote: prices and sizes are rounded anew, always against us in price
terms (bid down, ask up) and never to more than we had (size down).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from dmm.market.instrument import Instrument, Side
from dmm.units.amount import Lots, Ticks, ceil_div, floor_div
from dmm.units.errors import UsageFault
from dmm.units.ids import Json

VERSIONS_MAX = 10_000
"""Versions of one instrument; a venue changes a tick a few times a year."""

SAME = ("symbol", "venue", "kind", "position", "cash")
"""What no version may change: positions and cash are booked in these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstrumentHistory:
    """Versions of one instrument, the earliest first; each holds until the next begins."""

    versions: tuple[Instrument, ...]

    def __post_init__(self) -> None:
        if not 0 < len(self.versions) <= VERSIONS_MAX:
            raise UsageFault(
                f"an instrument has 1 to {VERSIONS_MAX} versions, got {len(self.versions)}"
            )
        for before, after in pairwise(self.versions):
            _require_successor(before, after)

    def at(self, at_ns: int) -> Instrument:
        """Return the version that holds at an instant.

        Parameters
        ----------
        at_ns : nanoseconds since 1970 UTC

        Raises
        ------
        UsageFault
            If it lies before the first version.
        """
        index = bisect_right(self.versions, at_ns, key=_valid_from_ns)
        if not index:
            first = self.versions[0]
            raise UsageFault(
                f"{first.symbol} has no metadata at {at_ns}: its first version is valid from "
                f"{first.valid_from_ns}; add the version that held before"
            )
        return self.versions[index - 1]

    def changes(self, *, after_ns: int, until_ns: int) -> tuple[Instrument, ...]:
        """Return the versions that began after one instant and not after another.

        Parameters
        ----------
        after_ns, until_ns : nanoseconds since 1970 UTC; the interval is (after, until]
        """
        return tuple(
            version for version in self.versions if after_ns < version.valid_from_ns <= until_ns
        )

    def extended(self, version: Instrument) -> InstrumentHistory:
        """Return the history with one more version.

        Raises
        ------
        UsageFault
            If it does not begin after the last one, or is of another instrument.
        """
        return InstrumentHistory(versions=(*self.versions, version))

    def to_json(self) -> list[Json]:
        """Return the versions as canonical JSON values."""
        return [version.to_json() for version in self.versions]

    @classmethod
    def from_json(cls, bodies: Sequence[dict[str, Json]]) -> InstrumentHistory:
        """Read what `to_json` wrote."""
        return cls(versions=tuple(Instrument.from_json(body) for body in bodies))


def reprice(price: int, *, side: Side, before: Instrument, after: Instrument) -> Ticks:
    """Return a quote's price in the ticks of a later version: a bid rounded down, an ask up.

    Parameters
    ----------
    price : ticks of `before`
    side : of our quote: BUY is a bid
    """
    ratio = Fraction(before.tick_size) / Fraction(after.tick_size)
    divide = floor_div if side is Side.BUY else ceil_div
    return Ticks(divide(price * ratio.numerator, ratio.denominator))


def resize(size: int, *, before: Instrument, after: Instrument) -> Lots:
    """Return a size in the lots of a later version, rounded down: never more than it was.

    Parameters
    ----------
    size : lots of `before`, >= 0
    """
    old = Fraction(before.lot_size) * Fraction(before.contract_size)
    ratio = old / (Fraction(after.lot_size) * Fraction(after.contract_size))
    return Lots(floor_div(size * ratio.numerator, ratio.denominator))


def _valid_from_ns(version: Instrument) -> int:
    return version.valid_from_ns


def _require_successor(before: Instrument, after: Instrument) -> None:
    if after.valid_from_ns == before.valid_from_ns:
        raise UsageFault(
            f"two versions of {before.symbol} are valid from {after.valid_from_ns}: keep one"
        )
    if after.valid_from_ns < before.valid_from_ns:
        raise UsageFault(
            f"versions of {before.symbol} are reversed: {after.valid_from_ns} follows "
            f"{before.valid_from_ns}; name the earliest first"
        )
    for name in SAME:
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            raise UsageFault(
                f"{name} of {before.symbol} changes from {old} to {new} at {after.valid_from_ns}: "
                "that is another instrument, give it a history of its own"
            )

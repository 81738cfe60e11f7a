"""Which venue hedges: the cheapest reliable one, by fee, impact and latency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dmm.market.instrument import Side
from dmm.market.tape import Level
from dmm.units.amount import Lots, Ticks, ceil_div

UBPS_ONE = 10_000_000_000
"""Millionths of a basis point in one."""

RELIABILITY_BPS_MIN = 9_500
"""A venue that answered fewer of its orders than this share ranks behind all others."""

LATENCY_UBPS_PER_MS = 1_000
"""What a millisecond of latency is taken to cost: 0.001 bps, σ√t at 60 % a year over 1 ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HedgeVenue:
    """A venue we may hedge at, with its book as last seen, best level first.

    `reliability_bps` is the share of orders it answered, in basis points; `taker_fee_ubps` its
    taker fee in millionths of a basis point.
    """

    name: str
    taker_fee_ubps: int
    latency_ms: int
    reliability_bps: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """What an IOC order takes from a book: (price, lots) per level, and where it stopped."""

    taken: tuple[Level, ...]
    limit: Ticks
    filled: Lots


def walk_book(levels: Sequence[Level], *, side: Side, size: Lots, slippage_ubps_max: int) -> Walk:
    """Walk a book as an IOC order whose limit lies a bounded slippage behind the touch.

    Parameters
    ----------
    levels : the side we take from, best first, sizes > 0
    side : our side
    size : lots, >= 0
    slippage_ubps_max : furthest price from the best one, in millionths of a basis point

    Raises
    ------
    ValueError
        If size or slippage is negative.
    """
    if size < 0 or slippage_ubps_max < 0:
        raise ValueError(f"size {size} and slippage {slippage_ubps_max} must not be negative")
    if not levels:
        return Walk(taken=(), limit=Ticks(0), filled=Lots(0))
    # Rounded towards the touch: the bound is never exceeded by a part of a tick.
    limit = Ticks(levels[0][0] + side.sign * (levels[0][0] * slippage_ubps_max // UBPS_ONE))
    taken: list[Level] = []
    left = size
    for price, displayed in levels:
        if left == 0 or (price - limit) * side.sign > 0:
            break
        lots = Lots(min(left, displayed))
        if lots > 0:
            taken.append((price, lots))
            left = Lots(left - lots)
    return Walk(taken=tuple(taken), limit=limit, filled=Lots(size - left))


def rank(
    venues: Sequence[HedgeVenue], *, side: Side, size: Lots, slippage_ubps_max: int
) -> list[HedgeVenue]:
    """Return the venues from first to last choice.

    Reliable ones first, then those that fill more of the size, then the cheaper ones by fee, mean
    impact and latency, ties by name.
    """

    def key(venue: HedgeVenue) -> tuple[bool, int, int, str]:
        levels = venue.asks if side is Side.BUY else venue.bids
        walk = walk_book(levels, side=side, size=size, slippage_ubps_max=slippage_ubps_max)
        cost_ubps = (
            venue.taker_fee_ubps
            + impact_ubps(walk, side=side)
            + venue.latency_ms * LATENCY_UBPS_PER_MS
        )
        return (venue.reliability_bps < RELIABILITY_BPS_MIN, -walk.filled, cost_ubps, venue.name)

    return sorted(venues, key=key)


def impact_ubps(walk: Walk, *, side: Side) -> int:
    """Return how far the mean price taken lies behind the touch, rounded up; 0 without fills."""
    if walk.filled == 0:
        return 0
    best = walk.taken[0][0]
    worse = sum((price - best) * side.sign * lots for price, lots in walk.taken)
    return ceil_div(worse * UBPS_ONE, best * walk.filled)

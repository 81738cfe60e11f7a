"""The batch hedge: when the position is too large, how much of it goes, and what that fills."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dmm.hedging.venue_rank import UBPS_ONE, HedgeVenue, Walk, rank, walk_book
from dmm.market.instrument import Instrument, Side
from dmm.market.order import Fill
from dmm.units.amount import Atoms, HalfTicks, Lots, Ticks, ceil_div
from dmm.units.ids import Hash32, content_id
from dmm.units.time import Nanos

SLIPPAGE_UBPS_MAX = 5_000_000
"""Furthest a hedge's price may lie from the touch: 5 bps."""

LEVELS_MAX = 1_000
"""Book levels one hedge may take; each is a fill."""

ORDINAL_BASE = 1_000_000_000
"""Hedge fills count from here, beyond any ordinal of the worker's own fills in a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HedgeFill:
    """One level a hedge took: of `size` lots still wanted it had `filled`; fee in cash atoms."""

    price: Ticks
    size: Lots
    filled: Lots
    fee_atoms: Atoms


@dataclass(frozen=True, slots=True, kw_only=True)
class Hedge:
    """An IOC order at one venue and what it fills against the book as last seen."""

    venue: str
    side: Side
    size: Lots
    limit: Ticks
    fills: tuple[HedgeFill, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoHedge:
    """Nothing is sent, and why."""

    reason: str


def plan_batch(
    *,
    position: Lots,
    target: Lots,
    threshold: Lots,
    venues: Sequence[HedgeVenue],
    instrument: Instrument,
) -> Hedge | NoHedge:
    """Plan an epoch's hedge: |position − target| > threshold sends the whole excess to target.

    The order goes to the venue that ranks first, as far as its book fills it within
    `SLIPPAGE_UBPS_MAX`; what is left over waits for the next epoch.

    Parameters
    ----------
    position, target : lots, signed, long is positive
    threshold : lots, >= 0
    venues : candidates with their books
    """
    excess = position - target
    if abs(excess) <= threshold:
        return NoHedge(
            reason=f"position {position} lots is within {threshold} of its target {target}"
        )
    side = Side.SELL if excess > 0 else Side.BUY
    size = Lots(abs(excess))
    for venue in rank(venues, side=side, size=size, slippage_ubps_max=SLIPPAGE_UBPS_MAX):
        levels = (venue.asks if side is Side.BUY else venue.bids)[:LEVELS_MAX]
        walk = walk_book(levels, side=side, size=size, slippage_ubps_max=SLIPPAGE_UBPS_MAX)
        if walk.filled > 0:
            return Hedge(
                venue=venue.name,
                side=side,
                size=size,
                limit=walk.limit,
                fills=_fills(walk, size=size, venue=venue, instrument=instrument),
                reason=_reason(position, threshold, walk, size),
            )
    return NoHedge(reason=f"position {position} lots should be hedged, but no venue has depth")


def _fills(
    walk: Walk, *, size: Lots, venue: HedgeVenue, instrument: Instrument
) -> tuple[HedgeFill, ...]:
    fills: list[HedgeFill] = []
    left = int(size)
    for price, lots in walk.taken:
        cash = instrument.cash_atoms(price=price, size=lots, rounded_up=True)
        fee = Atoms(ceil_div(cash * venue.taker_fee_ubps, UBPS_ONE))
        fills.append(HedgeFill(price=price, size=Lots(left), filled=lots, fee_atoms=fee))
        left -= lots
    return tuple(fills)


def _reason(position: Lots, threshold: Lots, walk: Walk, size: Lots) -> str:
    text = f"position {position} lots is beyond {threshold}"
    if walk.filled < size:
        text += f"; depth within the slippage bound filled {walk.filled} of {size}"
    return text


def hedge_fill_id(*, run_id: str, epoch: int, index: int) -> Hash32:
    """Return the id of a hedge's fill: the same epoch hedges under the same ids."""
    return content_id("dmm/fill/v1", run_id, "hedge", epoch, index)


def booked_fill(
    fill: HedgeFill,
    *,
    run_id: str,
    epoch: int,
    index: int,
    venue: str,
    symbol: str,
    side: Side,
    mid: HalfTicks,
    filled_at_ns: Nanos,
) -> Fill:
    """Return the fill as the ledger books it.

    Parameters
    ----------
    index : rank of the level within the hedge, in [0, `LEVELS_MAX`)
    mid : mid at the end of the slice, half ticks
    """
    return Fill(
        fill_id=hedge_fill_id(run_id=run_id, epoch=epoch, index=index),
        run_id=run_id,
        epoch=epoch,
        ordinal=ORDINAL_BASE + epoch * LEVELS_MAX + index,
        venue=venue,
        symbol=symbol,
        client_id=f"hedge-{epoch}",
        side=side,
        price=fill.price,
        size=fill.filled,
        mid=mid,
        fee_atoms=fill.fee_atoms,
        filled_at_ns=filled_at_ns,
        is_hedge=True,
    )

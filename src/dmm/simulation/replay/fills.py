"""Filling orders: what a fill is worth, its record, and the report to the desk; compiled."""

from __future__ import annotations

from dmm.simulation.replay.layout import (
    F_AT,
    F_FEE,
    F_IS_MAKER,
    F_MID,
    F_PRICE,
    F_SIDE,
    F_SIZE,
    F_TAG,
    F_VENUE,
    TIER_MAKER,
    TIER_TAKER,
    V_TIER,
    Floats,
    Longs,
    compiled,
    woven,
)
from dmm.simulation.replay.money import cash_atoms, cash_flow, fee_atoms, marked_atoms
from dmm.simulation.replay.reports import tell
from dmm.simulation.replay.set_layout import (
    A_CASH,
    A_CHANGED_AT,
    A_COLUMNS,
    A_FEES,
    A_FILLS,
    A_INVENTORY,
    A_MARKOUT_1S,
    A_MARKOUT_5S,
    A_MARKOUT_30S,
    A_TURNOVER,
    A_VOLUME,
    ENDED,
    O_LEFT,
    O_SET,
    O_SIDE,
    O_STATE,
    O_TAG,
    O_VENUE,
    S_ACCOUNTS,
    S_FILLS,
    S_NUMBER,
    X_COLUMNS,
    X_HELD,
    X_HELD_SQUARED,
    X_VENUE_COLUMNS,
)


@compiled
def execute(
    m: Longs,
    f: Floats,
    venues: Longs,
    tiers: Longs,
    fills: Longs,
    order: int,
    price: int,
    size: int,
    at_ns: int,
    heard_ns: int,
    mids: tuple[int, int, int, int],
    is_maker: int,
    told: tuple[int, int, int],
) -> None:
    """Fill lots of an order: money, markouts, the fill's record, and the report to the desk.

    Parameters
    ----------
    mids : half ticks, now and 1, 5, 30 s later
    told : as in `tell`
    """
    base, venue, side = m[order + O_SET], m[order + O_VENUE], m[order + O_SIDE]
    flow = cash_flow(venues, venue, side, price, size)
    tier = venues[venue, V_TIER]
    rate = tiers[tier, TIER_MAKER] if is_maker else tiers[tier, TIER_TAKER]
    # A fee is on the value rounded against us, as the paper venue has it.
    paid = fee_atoms(cash_atoms(venues, venue, price, size, 1 if rate > 0 else 0), rate)
    hold(m, f, base, venue, at_ns)
    account = base + S_ACCOUNTS + venue * A_COLUMNS
    m[account + A_INVENTORY] += side * size
    m[account + A_CASH] += flow - paid
    m[account + A_FEES] += paid
    m[account + A_VOLUME] += size
    m[account + A_TURNOVER] += abs(flow)
    m[account + A_MARKOUT_1S] += _markout(venues, venue, side * size, flow, mids[1])
    m[account + A_MARKOUT_5S] += _markout(venues, venue, side * size, flow, mids[2])
    m[account + A_MARKOUT_30S] += _markout(venues, venue, side * size, flow, mids[3])
    m[account + A_FILLS] += 1
    _record(m, fills, order, price, size, at_ns, paid, mids[0], is_maker)
    left = m[order + O_LEFT] - size
    m[order + O_LEFT] = left
    if left == 0:
        m[order + O_STATE] = ENDED
    tell(
        m, venues, order, heard_ns, side * size, flow - paid, 1 if left == 0 else 0, at_ns, price,
        told,
    )  # fmt: skip


@woven
def _markout(venues: Longs, venue: int, lots: int, flow: int, mid: int) -> int:
    """Return what an execution is worth at a later mid over what it cost; 0 without a mid."""
    return flow + marked_atoms(venues, venue, lots, mid) if mid > 0 else 0


@woven
def hold(m: Longs, f: Floats, base: int, venue: int, at_ns: int) -> None:
    """Add the inventory held up to now to its moments over time."""
    account = base + S_ACCOUNTS + venue * A_COLUMNS
    inventory = float(m[account + A_INVENTORY])
    # What arrives after the tape's end is noted at its end.
    held_ns = float(max(0, at_ns - m[account + A_CHANGED_AT]))
    at = m[base + S_NUMBER] * X_COLUMNS + venue * X_VENUE_COLUMNS
    f[at + X_HELD] += inventory * held_ns
    f[at + X_HELD_SQUARED] += inventory * inventory * held_ns
    m[account + A_CHANGED_AT] = at_ns


@woven
def _record(
    m: Longs,
    fills: Longs,
    order: int,
    price: int,
    size: int,
    at_ns: int,
    paid: int,
    mid: int,
    is_maker: int,
) -> None:
    base = m[order + O_SET]
    number = m[base + S_FILLS]
    m[base + S_FILLS] = number + 1
    if number >= fills.shape[1]:
        return
    fill = fills[m[base + S_NUMBER], number]
    fill[F_AT] = at_ns
    fill[F_VENUE] = m[order + O_VENUE]
    fill[F_SIDE] = m[order + O_SIDE]
    fill[F_PRICE] = price
    fill[F_SIZE] = size
    fill[F_FEE] = paid
    fill[F_MID] = mid
    fill[F_IS_MAKER] = is_maker
    fill[F_TAG] = m[order + O_TAG]


@woven
def end(m: Longs, venues: Longs, order: int, heard_ns: int) -> None:
    """End an order unfilled, or what is left of it; the desk will hear."""
    m[order + O_STATE] = ENDED
    tell(m, venues, order, heard_ns, 0, 0, 1, 0, 0, (0, 0, 0))

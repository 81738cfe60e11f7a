"""A set's orders, what it hears of them, and what their fills are worth; compiled.

`m` holds the sets, `base` is where a set begins in it, `order` where an order does. An order keeps
its place until the desk has heard of its end.
"""

from __future__ import annotations

from dmm.simulation.replay.layout import (
    A_CASH,
    A_CHANGED_AT,
    A_COLUMNS,
    A_FEES,
    A_FILLS,
    A_INVENTORY,
    A_KNOWN_CASH,
    A_KNOWN_INVENTORY,
    A_MARKOUT_1S,
    A_MARKOUT_5S,
    A_MARKOUT_30S,
    A_TURNOVER,
    A_VOLUME,
    ENDED,
    F_AT,
    F_FEE,
    F_IS_MAKER,
    F_MID,
    F_PRICE,
    F_SIDE,
    F_SIZE,
    F_TAG,
    F_VENUE,
    FREE,
    NONE,
    O_AHEAD,
    O_CANCEL_ENTRY,
    O_CUT,
    O_CUT_AT,
    O_ENTRY,
    O_KNOWN_LEFT,
    O_LEAVING,
    O_LEFT,
    O_PRICE,
    O_REPLACES,
    O_SET,
    O_SIDE,
    O_SIZE,
    O_STATE,
    O_TAG,
    O_TIF,
    O_VENUE,
    ORDERS_MAX,
    R_CASH,
    R_COLUMNS,
    R_ENDED,
    R_HEARD_AT,
    R_LOTS,
    R_ORDER,
    REPORTS_MAX,
    S_ACCOUNTS,
    S_COUNT,
    S_FILLS,
    S_FREE,
    S_HEARD_AT,
    S_LAST_MID,
    S_LINE,
    S_NEXT_AT,
    S_NUMBER,
    S_PENDING,
    S_QUIET,
    S_REFUSED,
    S_REPORT_COUNT,
    S_REPORT_FIRST,
    S_REPORTS,
    S_REPORTS_LOST,
    S_SENT,
    SENT,
    TIER_MAKER,
    TIER_TAKER,
    V_TIER,
    X_COLUMNS,
    X_HELD,
    X_HELD_SQUARED,
    X_VENUE_COLUMNS,
    Floats,
    Longs,
    compiled,
)
from dmm.simulation.replay.money import cash_atoms, cash_flow, fee_atoms, marked_atoms

# -- sending ------------------------------------------------------------------------------------


@compiled
def send(
    m: Longs,
    base: int,
    entry: int,
    venue: int,
    side: int,
    price: int,
    size: int,
    tif: int,
    tag: int,
) -> int:
    """Send an order; return where it is, or `NONE` when the set has no place left for it."""
    count = m[base + S_COUNT]
    if count == ORDERS_MAX:
        m[base + S_REFUSED] += 1
        return NONE
    order = m[base + S_FREE + ORDERS_MAX - 1 - count]
    m[base + S_LINE + count] = order
    m[base + S_COUNT] = count + 1
    m[order + O_STATE] = SENT
    m[order + O_AHEAD] = m[order + O_CUT] = m[order + O_CUT_AT] = m[order + O_LEAVING] = 0
    m[order + O_SIDE] = side
    m[order + O_PRICE] = price
    m[order + O_SIZE] = m[order + O_LEFT] = m[order + O_KNOWN_LEFT] = size
    m[order + O_TIF] = tif
    m[order + O_ENTRY] = entry
    m[order + O_CANCEL_ENTRY] = NONE
    m[order + O_VENUE] = venue
    m[order + O_TAG] = tag
    m[order + O_REPLACES] = NONE
    m[order + O_SET] = base
    m[base + S_PENDING] += 1
    m[base + S_SENT] += 1
    return int(order)


@compiled
def cancel(m: Longs, base: int, order: int, entry: int) -> None:
    """Send a cancel for an order; one that is leaving already leaves as it was told."""
    if not m[order + O_LEAVING]:
        m[order + O_LEAVING] = 1
        m[order + O_CANCEL_ENTRY] = entry
        m[base + S_PENDING] += 1


@compiled
def cancel_all(m: Longs, base: int, entry: int) -> None:
    """Send cancels for every order of a set."""
    for place in range(m[base + S_COUNT]):
        cancel(m, base, m[base + S_LINE + place], entry)


# -- hearing ------------------------------------------------------------------------------------


@compiled
def tell(m: Longs, order: int, heard_ns: int, lots: int, cash: int, ended: int) -> None:
    """Report to a set: what its next decision will know is noted at once, the rest waits.

    Parameters
    ----------
    heard_ns : when the desk hears it; never before an earlier report
    lots : signed lots filled
    cash : signed cash after fees, atoms
    ended : 1 when the order is over
    """
    base = m[order + O_SET]
    heard_ns = max(heard_ns, m[base + S_HEARD_AT])
    m[base + S_HEARD_AT] = heard_ns
    if heard_ns <= m[base + S_NEXT_AT]:
        _note(m, order, lots, cash, ended)
        return
    count = m[base + S_REPORT_COUNT]
    if count == REPORTS_MAX:
        m[base + S_REPORTS_LOST] += 1
        return
    at = (m[base + S_REPORT_FIRST] + count) % REPORTS_MAX
    report = base + S_REPORTS + at * R_COLUMNS
    m[report + R_HEARD_AT] = heard_ns
    m[report + R_ORDER] = order
    m[report + R_LOTS] = lots
    m[report + R_CASH] = cash
    m[report + R_ENDED] = ended
    m[base + S_REPORT_COUNT] = count + 1


@compiled
def hear(m: Longs, base: int, now_ns: int) -> None:
    """Note every report that has reached the desk by now."""
    while m[base + S_REPORT_COUNT]:
        first = m[base + S_REPORT_FIRST]
        report = base + S_REPORTS + first * R_COLUMNS
        if m[report + R_HEARD_AT] > now_ns:
            return
        m[base + S_REPORT_FIRST] = (first + 1) % REPORTS_MAX
        m[base + S_REPORT_COUNT] -= 1
        _note(m, m[report + R_ORDER], m[report + R_LOTS], m[report + R_CASH], m[report + R_ENDED])


@compiled
def _note(m: Longs, order: int, lots: int, cash: int, ended: int) -> None:
    base = m[order + O_SET]
    m[base + S_QUIET] = 0
    account = base + S_ACCOUNTS + m[order + O_VENUE] * A_COLUMNS
    m[account + A_KNOWN_INVENTORY] += lots
    m[account + A_KNOWN_CASH] += cash
    m[order + O_KNOWN_LEFT] -= abs(lots)
    if not ended:
        return
    m[order + O_STATE] = FREE
    count = m[base + S_COUNT] - 1
    place = base + S_LINE
    while m[place] != order:
        place += 1
    for later in range(place, base + S_LINE + count):
        m[later] = m[later + 1]
    m[base + S_COUNT] = count
    m[base + S_FREE + ORDERS_MAX - 1 - count] = order


# -- executing ----------------------------------------------------------------------------------


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
) -> None:
    """Fill lots of an order: money, markouts, the fill's record, and the report to the desk.

    Parameters
    ----------
    mids : half ticks, now and 1, 5, 30 s later
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
    if venue == 0 and mids[0] > 0:
        m[base + S_LAST_MID] = mids[0]
    left = m[order + O_LEFT] - size
    m[order + O_LEFT] = left
    if left == 0:
        m[order + O_STATE] = ENDED
    tell(m, order, heard_ns, side * size, flow - paid, 1 if left == 0 else 0)


@compiled
def _markout(venues: Longs, venue: int, lots: int, flow: int, mid: int) -> int:
    """Return what an execution is worth at a later mid over what it cost; 0 without a mid."""
    return flow + marked_atoms(venues, venue, lots, mid) if mid > 0 else 0


@compiled
def hold(m: Longs, f: Floats, base: int, venue: int, at_ns: int) -> None:
    """Add the inventory held up to now to its moments over time."""
    account = base + S_ACCOUNTS + venue * A_COLUMNS
    inventory = float(m[account + A_INVENTORY])
    held_ns = float(at_ns - m[account + A_CHANGED_AT])
    at = m[base + S_NUMBER] * X_COLUMNS + venue * X_VENUE_COLUMNS
    f[at + X_HELD] += inventory * held_ns
    f[at + X_HELD_SQUARED] += inventory * inventory * held_ns
    m[account + A_CHANGED_AT] = at_ns


@compiled
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


@compiled
def end(m: Longs, order: int, heard_ns: int) -> None:
    """End an order unfilled, or what is left of it; the desk will hear."""
    m[order + O_STATE] = ENDED
    tell(m, order, heard_ns, 0, 0, 1)

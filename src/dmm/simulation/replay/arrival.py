"""What the desk sent reaches a venue: cancels, new orders, and those that take; compiled.

Cancels sent with new orders arrive with them and are taken first. An order that takes gets what is
displayed between the best price and its limit; the tape goes on as if it had not (no self-impact),
but a set never takes the same displayed lots twice.
"""

from __future__ import annotations

from dmm.simulation.replay.fills import end, execute
from dmm.simulation.replay.layout import (
    L_SIZE,
    NONE,
    TAKEN_MAX,
    V_FIRST,
    V_LAST,
    V_VIEW_FIRST,
    V_VIEW_LAST,
    Floats,
    Ints,
    Longs,
    compiled,
)
from dmm.simulation.replay.levels import join, leave, number_of
from dmm.simulation.replay.set_layout import (
    A_COLUMNS,
    A_PLACED,
    ENDED,
    FOK,
    IOC,
    LIVE,
    O_CANCEL_ENTRY,
    O_ENTRY,
    O_LEFT,
    O_PRICE,
    O_REPLACES,
    O_SET,
    O_SIDE,
    O_SIZE,
    O_STATE,
    O_TIF,
    O_VENUE,
    POST_ONLY,
    S_ACCOUNTS,
    S_COUNT,
    S_LINE,
    S_PENDING,
    S_REJECTED,
    S_TAKEN,
    SENT,
    T_COLUMNS,
    T_LEVEL,
    T_SIZE,
    T_TAKEN,
)

NS_PER_S = 1_000_000_000


@compiled
def arrive(
    m: Longs,
    f: Floats,
    levels: Longs,
    venues: Longs,
    tiers: Longs,
    prices: Longs,
    rank: Ints,
    views: Longs,
    fills: Longs,
    base: int,
    entry: int,
    venue: int,
    at_ns: int,
    heard_ns: int,
    bid: int,
    ask: int,
) -> None:
    """Let everything a set sent to a venue with one decision arrive there."""
    place = 0
    while place < m[base + S_COUNT]:
        order, count = m[base + S_LINE + place], m[base + S_COUNT]
        if m[order + O_CANCEL_ENTRY] == entry and m[order + O_VENUE] == venue:
            _withdraw(m, levels, venues, order, heard_ns)
        if m[base + S_COUNT] == count:
            place += 1
    place = 0
    while place < m[base + S_COUNT]:
        order, count = m[base + S_LINE + place], m[base + S_COUNT]
        is_due = m[order + O_ENTRY] == entry and m[order + O_STATE] == SENT
        if is_due and m[order + O_VENUE] == venue:
            m[base + S_PENDING] -= 1
            if _is_refused(m, levels, venues, order, heard_ns, bid, ask):
                m[base + S_REJECTED] += 1
                end(m, venues, order, heard_ns)
            else:
                _admit(
                    m, f, levels, venues, tiers, prices, rank, views, fills, order, at_ns,
                    heard_ns, bid, ask,
                )  # fmt: skip
        if m[base + S_COUNT] == count:
            place += 1


@compiled
def _withdraw(m: Longs, levels: Longs, venues: Longs, order: int, heard_ns: int) -> None:
    base = m[order + O_SET]
    m[base + S_PENDING] -= 1
    m[order + O_CANCEL_ENTRY] = NONE
    if m[order + O_STATE] == LIVE:
        leave(m, levels, order)
    elif m[order + O_STATE] == SENT:
        m[base + S_PENDING] -= 1
    if m[order + O_STATE] != ENDED:
        end(m, venues, order, heard_ns)


@compiled
def _is_refused(
    m: Longs, levels: Longs, venues: Longs, order: int, heard_ns: int, bid: int, ask: int
) -> int:
    """Return 1 for a post-only order that would take, and for one whose original is over."""
    old = m[order + O_REPLACES]
    if old != NONE:
        if m[old + O_STATE] != LIVE:
            return 1
        leave(m, levels, old)
        end(m, venues, old, heard_ns)
    if m[order + O_TIF] != POST_ONLY:
        return 0
    return _crosses(m, order, bid, ask)


@compiled
def _crosses(m: Longs, order: int, bid: int, ask: int) -> int:
    price = m[order + O_PRICE]
    if m[order + O_SIDE] > 0:
        return 1 if 0 < ask <= price else 0
    return 1 if price <= bid else 0


@compiled
def _admit(
    m: Longs,
    f: Floats,
    levels: Longs,
    venues: Longs,
    tiers: Longs,
    prices: Longs,
    rank: Ints,
    views: Longs,
    fills: Longs,
    order: int,
    at_ns: int,
    heard_ns: int,
    bid: int,
    ask: int,
) -> None:
    venue, tif = m[order + O_VENUE], m[order + O_TIF]
    m[m[order + O_SET] + S_ACCOUNTS + venue * A_COLUMNS + A_PLACED] += m[order + O_SIZE]
    if _crosses(m, order, bid, ask):
        best = ask if m[order + O_SIDE] > 0 else bid
        touch = number_of(venues, prices, rank, venue, best)
        lots = _reach(m, levels, venues, prices, order, touch)
        if tif != FOK or lots == m[order + O_SIZE]:
            _take(
                m, f, levels, venues, tiers, prices, views, fills, order, touch, lots, at_ns,
                heard_ns,
            )  # fmt: skip
    if m[order + O_STATE] != SENT:
        return
    if tif in (IOC, FOK):
        end(m, venues, order, heard_ns)
        return
    m[order + O_STATE] = LIVE
    join(m, levels, venues, prices, rank, order)


# -- taking -------------------------------------------------------------------------------------


@compiled
def _note_of(m: Longs, levels: Longs, base: int, level: int) -> int:
    """Return where a set notes what it takes of a level, or `NONE` when all places are in use.

    A level that stands differently from when we took has been refilled or emptied since: what we
    took of it is past.
    """
    free = NONE
    for at in range(TAKEN_MAX):
        note = base + S_TAKEN + at * T_COLUMNS
        if m[note + T_TAKEN] and levels[m[note + T_LEVEL], L_SIZE] != m[note + T_SIZE]:
            m[note + T_TAKEN] = 0
        if m[note + T_TAKEN] and m[note + T_LEVEL] == level:
            return note
        if not m[note + T_TAKEN] and free == NONE:
            free = note
    return free


@compiled
def _may_take_at(m: Longs, venues: Longs, prices: Longs, order: int, number: int) -> int:
    venue = m[order + O_VENUE]
    if m[order + O_SIDE] > 0:
        inside = number < venues[venue, V_LAST] - 1 and prices[number] <= m[order + O_PRICE]
    else:
        inside = number >= venues[venue, V_FIRST] and prices[number] >= m[order + O_PRICE]
    return 1 if inside else 0


@compiled
def _reach(m: Longs, levels: Longs, venues: Longs, prices: Longs, order: int, touch: int) -> int:
    """Return how many lots an order can take at once, at most what is left of it."""
    base, side, reach, number = m[order + O_SET], m[order + O_SIDE], 0, touch
    places = 0
    for at in range(TAKEN_MAX):
        note = base + S_TAKEN + at * T_COLUMNS
        is_past = levels[m[note + T_LEVEL], L_SIZE] != m[note + T_SIZE]
        if not m[note + T_TAKEN] or is_past:
            places += 1
    while reach < m[order + O_LEFT] and _may_take_at(m, venues, prices, order, number):
        level = 2 * number + (1 if side > 0 else 0)
        if levels[level, L_SIZE] > 0:
            note = _note_of(m, levels, base, level)
            is_known = note != NONE and m[note + T_TAKEN] and m[note + T_LEVEL] == level
            if not is_known:
                if places == 0:
                    return reach
                places -= 1
            taken = m[note + T_TAKEN] if is_known else 0
            reach += min(m[order + O_LEFT] - reach, levels[level, L_SIZE] - taken)
        number += side
    return reach


@compiled
def _take(
    m: Longs,
    f: Floats,
    levels: Longs,
    venues: Longs,
    tiers: Longs,
    prices: Longs,
    views: Longs,
    fills: Longs,
    order: int,
    touch: int,
    lots: int,
    at_ns: int,
    heard_ns: int,
) -> None:
    """Take displayed lots from the touch up to the limit, each level at its own price."""
    base, venue, side = m[order + O_SET], m[order + O_VENUE], m[order + O_SIDE]
    mids = (
        mid_at(venues, views, venue, at_ns),
        mid_at(venues, views, venue, at_ns + NS_PER_S),
        mid_at(venues, views, venue, at_ns + 5 * NS_PER_S),
        mid_at(venues, views, venue, at_ns + 30 * NS_PER_S),
    )
    number = touch
    while lots > 0:
        level = 2 * number + (1 if side > 0 else 0)
        size = levels[level, L_SIZE]
        if size > 0:
            note = _note_of(m, levels, base, level)
            if not m[note + T_TAKEN]:
                m[note + T_LEVEL] = level
                m[note + T_SIZE] = size
            part = min(lots, size - m[note + T_TAKEN])
            if part > 0:
                m[note + T_TAKEN] += part
                lots -= part
                execute(
                    m, f, venues, tiers, fills, order, prices[number], part, at_ns, heard_ns,
                    mids, 0, (0, 0, 0),
                )  # fmt: skip
        number += side


@compiled
def mid_at(venues: Longs, views: Longs, venue: int, at_ns: int) -> int:
    """Return a venue's last mid at an instant, in half ticks, 0 before the first."""
    begin = venues[venue, V_VIEW_FIRST]
    first, last = begin, venues[venue, V_VIEW_LAST]
    while first < last:
        middle = (first + last) // 2
        if views[middle, 0] <= at_ns:
            first = middle + 1
        else:
            last = middle
    return int(views[first - 1, 1]) if first > begin else 0

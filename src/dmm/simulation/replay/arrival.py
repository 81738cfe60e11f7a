"""What the desk sent reaches a venue: cancels, new orders, and those that take; compiled.

Cancels sent with new orders arrive with them and are taken first. An order that takes gets what is
displayed between the best price and its limit; the tape goes on as if it had not (no self-impact),
but a set never takes the same displayed lots twice.
"""

from __future__ import annotations

from dmm.simulation.replay.fills import end, execute
from dmm.simulation.replay.layout import (
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
    woven,
)
from dmm.simulation.replay.levels import join, leave, look_up, number_of
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


@woven
def arrive(
    m: Longs, f: Floats, levels: Longs, venues: Longs, tiers: Longs, prices: Longs, rank: Ints,
    views: Longs, fills: Longs, messages: Longs, shown: Longs, powers: Floats, base: int,
    entry: int, venue: int, at_ns: int, heard_ns: int, bid: int, ask: int,
) -> None:  # fmt: skip
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
                    m, f, levels, venues, tiers, prices, rank, views, fills, messages,
                    shown, powers, order, at_ns, heard_ns, bid, ask,
                )  # fmt: skip
        if m[base + S_COUNT] == count:
            place += 1


@woven
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


@woven
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


@woven
def _crosses(m: Longs, order: int, bid: int, ask: int) -> int:
    price = m[order + O_PRICE]
    if m[order + O_SIDE] > 0:
        return 1 if 0 < ask <= price else 0
    return 1 if price <= bid else 0


@woven
def _admit(
    m: Longs, f: Floats, levels: Longs, venues: Longs, tiers: Longs, prices: Longs, rank: Ints,
    views: Longs, fills: Longs, messages: Longs, shown: Longs, powers: Floats, order: int,
    at_ns: int, heard_ns: int, bid: int, ask: int,
) -> None:  # fmt: skip
    venue, tif = m[order + O_VENUE], m[order + O_TIF]
    m[m[order + O_SET] + S_ACCOUNTS + venue * A_COLUMNS + A_PLACED] += m[order + O_SIZE]
    if _crosses(m, order, bid, ask):
        best = ask if m[order + O_SIDE] > 0 else bid
        touch = number_of(venues, prices, rank, venue, best)
        lots = _reach(m, levels, venues, prices, messages, shown, powers, order, touch)
        if tif != FOK or lots == m[order + O_SIZE]:
            _take(
                m, f, levels, venues, tiers, prices, views, fills, messages, shown, powers, order,
                touch, lots, at_ns, heard_ns,
            )  # fmt: skip
    if m[order + O_STATE] != SENT:
        return
    if tif in (IOC, FOK):
        end(m, venues, order, heard_ns)
        return
    m[order + O_STATE] = LIVE
    join(m, levels, venues, prices, rank, messages, shown, powers, order)


# -- taking -------------------------------------------------------------------------------------


@compiled
def _note_of(
    m: Longs, levels: Longs, venues: Longs, messages: Longs, shown: Longs, powers: Floats,
    base: int, level: int,
) -> int:  # fmt: skip
    """Return where a set notes what it takes of a level, or `NONE` when all places are in use.

    A level that stands differently from when we took has been refilled or emptied since: what we
    took of it is past.
    """
    free = NONE
    for at in range(TAKEN_MAX):
        note = base + S_TAKEN + at * T_COLUMNS
        if m[note + T_TAKEN]:
            size = look_up(m, levels, venues, messages, shown, powers, m[note + T_LEVEL])
            if size != m[note + T_SIZE]:
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
def _reach(
    m: Longs, levels: Longs, venues: Longs, prices: Longs, messages: Longs, shown: Longs,
    powers: Floats, order: int, touch: int,
) -> int:  # fmt: skip
    """Return how many lots an order can take at once, at most what is left of it."""
    base, side, reach, number = m[order + O_SET], m[order + O_SIDE], 0, touch
    places = 0
    for at in range(TAKEN_MAX):
        note = base + S_TAKEN + at * T_COLUMNS
        size = look_up(m, levels, venues, messages, shown, powers, m[note + T_LEVEL])
        if not m[note + T_TAKEN] or size != m[note + T_SIZE]:
            places += 1
    while reach < m[order + O_LEFT] and _may_take_at(m, venues, prices, order, number):
        level = 2 * number + (1 if side > 0 else 0)
        size = look_up(m, levels, venues, messages, shown, powers, level)
        if size > 0:
            note = _note_of(m, levels, venues, messages, shown, powers, base, level)
            is_known = note != NONE and m[note + T_TAKEN] and m[note + T_LEVEL] == level
            if not is_known:
                if places == 0:
                    return reach
                places -= 1
            taken = m[note + T_TAKEN] if is_known else 0
            reach += min(m[order + O_LEFT] - reach, size - taken)
        number += side
    return reach


@compiled
def _take(
    m: Longs, f: Floats, levels: Longs, venues: Longs, tiers: Longs, prices: Longs, views: Longs,
    fills: Longs, messages: Longs, shown: Longs, powers: Floats, order: int, touch: int, lots: int,
    at_ns: int, heard_ns: int,
) -> None:  # fmt: skip
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
        size = look_up(m, levels, venues, messages, shown, powers, level)
        if size > 0:
            note = _note_of(m, levels, venues, messages, shown, powers, base, level)
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

"""The queue at a price: joining it, leaving it, and how it moves; compiled.

Orders of all sets at one price hang on that level in the order they came. Under the risk-averse
model a queue is capped by the least size displayed since the level was last looked at, which is
noted once a level and applied when a trade comes: the same as capping every order at once. What a
level displays is looked up when it matters: nothing between two looks depends on it.
"""

from __future__ import annotations

import math

from dmm.simulation.replay.layout import (
    L_HEAD,
    L_LOW,
    L_LOW_AT,
    L_NEXT,
    L_SIZE,
    L_TAIL,
    L_UNTIL,
    M_STAMP,
    M_VENUE,
    NONE,
    POWER,
    QUEUE_MICRO,
    SHOWN_MESSAGE,
    SHOWN_SIZE,
    V_BEST_ASK,
    V_BEST_BID,
    V_FIRST,
    V_LAST,
    V_NOW,
    V_QUEUE,
    V_RANK_FIRST,
    V_RANK_FROM,
    V_RANK_LAST,
    Floats,
    Ints,
    Longs,
    compiled,
    woven,
)
from dmm.simulation.replay.set_layout import (
    O_AHEAD,
    O_CUT,
    O_CUT_AT,
    O_LEVEL,
    O_NEXT,
    O_PREVIOUS,
    O_PRICE,
    O_SIDE,
    O_VENUE,
)


@woven
def number_of(venues: Longs, prices: Longs, rank: Ints, venue: int, price: int) -> int:
    """Return the number of the lowest price of the tape at or above a price."""
    offset = price - venues[venue, V_RANK_FROM]
    begin, end = venues[venue, V_RANK_FIRST], venues[venue, V_RANK_LAST]
    if 0 <= offset < end - begin:
        return int(rank[begin + offset])
    first, last = venues[venue, V_FIRST], venues[venue, V_LAST] - 1
    while first < last:
        middle = (first + last) // 2
        if prices[middle] < price:
            first = middle + 1
        else:
            last = middle
    return int(first)


@woven
def look_up(
    m: Longs, levels: Longs, venues: Longs, messages: Longs, shown: Longs, powers: Floats,
    level: int,
) -> int:  # fmt: skip
    """Return what a level displays before the next message; its queues move as it changed."""
    now, order, size = venues[0, V_NOW], levels[level, L_HEAD], levels[level, L_SIZE]
    if levels[level, L_UNTIL] >= now:
        return int(size)
    at = levels[level, L_NEXT]
    venue = messages[shown[at, SHOWN_MESSAGE], M_VENUE]
    is_power = venues[venue, V_QUEUE] == POWER
    low, low_at = levels[level, L_LOW], NONE
    while shown[at, SHOWN_MESSAGE] < now:
        before, size = size, shown[at, SHOWN_SIZE]
        if order != NONE and is_power:
            thin(m, order, before, size, powers[venue])
        elif size < low:
            low, low_at = size, at
        at += 1
    if low_at != NONE and order != NONE:
        levels[level, L_LOW] = low
        levels[level, L_LOW_AT] = messages[shown[low_at, SHOWN_MESSAGE], M_STAMP]
    levels[level, L_NEXT], levels[level, L_UNTIL] = at, shown[at, SHOWN_MESSAGE]
    levels[level, L_SIZE] = size
    return int(size)


@woven
def join(
    m: Longs, levels: Longs, venues: Longs, prices: Longs, rank: Ints, messages: Longs,
    shown: Longs, powers: Floats, order: int,
) -> None:  # fmt: skip
    """Put an order at the end of the queue at its price; what is displayed there is ahead."""
    venue, side, price = m[order + O_VENUE], m[order + O_SIDE], m[order + O_PRICE]
    number = number_of(venues, prices, rank, venue, price)
    level = 2 * number + (0 if side > 0 else 1)
    size = look_up(m, levels, venues, messages, shown, powers, level)
    displayed = size if prices[number] == price else 0
    if venues[venue, V_QUEUE] == POWER:
        m[order + O_AHEAD] = displayed * QUEUE_MICRO
    else:
        cap(m, levels, level)
        levels[level, L_LOW] = size
        m[order + O_AHEAD] = displayed
    m[order + O_LEVEL] = level
    # Prices the tape never names share the level of the next one above: best first, then oldest.
    before = levels[level, L_TAIL]
    while before != NONE and (m[before + O_PRICE] - price) * side < 0:
        before = m[before + O_PREVIOUS]
    after = levels[level, L_HEAD] if before == NONE else m[before + O_NEXT]
    m[order + O_PREVIOUS] = before
    m[order + O_NEXT] = after
    if before == NONE:
        levels[level, L_HEAD] = order
    else:
        m[before + O_NEXT] = order
    if after == NONE:
        levels[level, L_TAIL] = order
    else:
        m[after + O_PREVIOUS] = order
    if side > 0:
        venues[venue, V_BEST_BID] = max(venues[venue, V_BEST_BID], number)
    else:
        venues[venue, V_BEST_ASK] = min(venues[venue, V_BEST_ASK], number)


@woven
def leave(m: Longs, levels: Longs, order: int) -> None:
    """Take an order out of the queue at its price."""
    before, after, level = m[order + O_PREVIOUS], m[order + O_NEXT], m[order + O_LEVEL]
    if before == NONE:
        levels[level, L_HEAD] = after
    else:
        m[before + O_NEXT] = after
    if after == NONE:
        levels[level, L_TAIL] = before
    else:
        m[after + O_PREVIOUS] = before


@woven
def cap(m: Longs, levels: Longs, level: int) -> None:
    """Cap the queues at a level by the least size displayed, remembering what was cut and when."""
    low, at_ns, order = levels[level, L_LOW], levels[level, L_LOW_AT], levels[level, L_HEAD]
    if at_ns == NONE:
        return
    levels[level, L_LOW_AT] = NONE
    while order != NONE:
        if low < m[order + O_AHEAD]:
            m[order + O_CUT] += m[order + O_AHEAD] - low
            m[order + O_CUT_AT] = at_ns
            m[order + O_AHEAD] = low
        order = m[order + O_NEXT]


@compiled
def thin(m: Longs, order: int, before: int, after: int, power: float) -> None:
    """Move the queues from an order on as the probabilistic model has it; sizes in lots.

    What left the level beyond the trades already counted came from ahead of us or from behind:
    f(back)/(f(back) + f(front)) is the share from behind, f(x) = xⁿ.
    """
    while order != NONE:
        change = (before - after) * QUEUE_MICRO - m[order + O_CUT]
        m[order + O_CUT] = 0
        front, top = m[order + O_AHEAD], after * QUEUE_MICRO
        if change >= 0:
            back = max(0, before * QUEUE_MICRO - front)
            ahead, behind = math.pow(float(front), power), math.pow(float(back), power)
            share = behind / (behind + ahead) if behind + ahead > 0.0 else 1.0
            moved = float(front) - (1.0 - share) * float(change)
            moved += min(float(back) - share * float(change), 0.0)
            front = max(0, math.floor(moved))
        m[order + O_AHEAD] = min(front, top)
        order = m[order + O_NEXT]

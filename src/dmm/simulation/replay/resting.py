"""Orders that rest: their queue, and what the tape's messages do to them; compiled.

The rules are those of `dmm.simulation.fill_model`. Orders of all sets at one price hang on that
level in the order they came, so that a message costs only what it touches. Under the risk-averse
model a queue is capped by the least size displayed since the level was last looked at, which is
noted once a level and applied when a trade comes: the same as capping every order at once.
"""

from __future__ import annotations

import math

from dmm.simulation.replay.layout import (
    BUY_TRADE,
    L_EARLIER,
    L_FELL,
    L_HEAD,
    L_LOW,
    L_LOW_AT,
    L_SIZE,
    L_TAIL,
    M_AT,
    M_BEGIN,
    M_END,
    M_HEARD,
    M_KIND,
    M_LATER_1S,
    M_LATER_5S,
    M_LATER_30S,
    M_MID,
    M_STAMP,
    M_VENUE,
    NONE,
    O_AHEAD,
    O_CUT,
    O_CUT_AT,
    O_LEFT,
    O_LEVEL,
    O_NEXT,
    O_PREVIOUS,
    O_PRICE,
    O_SET,
    O_SIDE,
    O_VENUE,
    POWER,
    QUEUE_MICRO,
    ROW_LEVEL,
    ROW_SIZE,
    S_LEFT,
    S_LEFT_OF,
    V_BEST_ASK,
    V_BEST_BID,
    V_FIRST,
    V_LAST,
    V_QUEUE,
    V_RANK_FIRST,
    V_RANK_FROM,
    V_RANK_LAST,
    Floats,
    Ints,
    Longs,
    compiled,
)
from dmm.simulation.replay.orders import execute

# -- levels -------------------------------------------------------------------------------------


@compiled
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


@compiled
def join(m: Longs, levels: Longs, venues: Longs, prices: Longs, rank: Ints, order: int) -> None:
    """Put an order at the end of the queue at its price; what is displayed there is ahead."""
    venue, side, price = m[order + O_VENUE], m[order + O_SIDE], m[order + O_PRICE]
    number = number_of(venues, prices, rank, venue, price)
    level = 2 * number + (0 if side > 0 else 1)
    displayed = levels[level, L_SIZE] if prices[number] == price else 0
    if venues[venue, V_QUEUE] == POWER:
        m[order + O_AHEAD] = displayed * QUEUE_MICRO
    else:
        _cap(m, levels, level)
        levels[level, L_LOW] = levels[level, L_SIZE]
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


@compiled
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


@compiled
def _cap(m: Longs, levels: Longs, level: int) -> None:
    """Cap the queues at a level by the least size displayed, remembering what was cut and when."""
    if not levels[level, L_FELL]:
        return
    levels[level, L_FELL] = 0
    low, at_ns, order = levels[level, L_LOW], levels[level, L_LOW_AT], levels[level, L_HEAD]
    while order != NONE:
        if low < m[order + O_AHEAD]:
            m[order + O_CUT] += m[order + O_AHEAD] - low
            m[order + O_CUT_AT] = at_ns
            m[order + O_AHEAD] = low
        order = m[order + O_NEXT]


@compiled
def _thin(m: Longs, order: int, before: int, after: int, power: float) -> None:
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


# -- messages -----------------------------------------------------------------------------------


@compiled
def apply_depth(
    m: Longs,
    levels: Longs,
    venues: Longs,
    messages: Longs,
    rows: Longs,
    powers: Floats,
    message: int,
) -> None:
    """Apply a depth message to the sizes displayed and to the queues behind them."""
    venue, stamp_ns = messages[message, M_VENUE], messages[message, M_STAMP]
    for at in range(messages[message, M_BEGIN], messages[message, M_END]):
        level, size = rows[at, ROW_LEVEL], rows[at, ROW_SIZE]
        if levels[level, L_HEAD] != NONE:
            if venues[venue, V_QUEUE] == POWER:
                before = levels[level, L_SIZE]
                _thin(m, levels[level, L_HEAD], before, size, powers[venue])
            elif size < levels[level, L_LOW]:
                levels[level, L_LOW] = size
                levels[level, L_LOW_AT] = stamp_ns
                levels[level, L_FELL] = 1
        levels[level, L_SIZE] = size


@compiled
def apply_snapshot(
    m: Longs,
    levels: Longs,
    venues: Longs,
    messages: Longs,
    rows: Longs,
    powers: Floats,
    message: int,
) -> None:
    """Replace the sizes displayed; queues see each level change once, from its old to its new."""
    venue, stamp_ns = messages[message, M_VENUE], messages[message, M_STAMP]
    begin, end = 2 * venues[venue, V_FIRST], 2 * venues[venue, V_LAST]
    for level in range(begin, end):
        levels[level, L_EARLIER] = levels[level, L_SIZE]
        levels[level, L_SIZE] = 0
    for at in range(messages[message, M_BEGIN], messages[message, M_END]):
        levels[rows[at, ROW_LEVEL], L_SIZE] = rows[at, ROW_SIZE]
    for level in range(begin, end):
        order, size = levels[level, L_HEAD], levels[level, L_SIZE]
        if order != NONE:
            if venues[venue, V_QUEUE] == POWER:
                _thin(m, order, levels[level, L_EARLIER], size, powers[venue])
            elif size < levels[level, L_LOW]:
                levels[level, L_LOW] = size
                levels[level, L_LOW_AT] = stamp_ns
                levels[level, L_FELL] = 1


@compiled
def apply_trade(
    m: Longs,
    f: Floats,
    levels: Longs,
    venues: Longs,
    tiers: Longs,
    messages: Longs,
    rows: Longs,
    prices: Longs,
    fills: Longs,
    message: int,
) -> None:
    """Let a trade pass through the orders at its price and better; what reaches them fills them."""
    venue = messages[message, M_VENUE]
    number = rows[messages[message, M_BEGIN], ROW_LEVEL] >> 1
    is_buy = messages[message, M_KIND] == BUY_TRADE
    column, side = (V_BEST_ASK, 1) if is_buy else (V_BEST_BID, -1)
    at = venues[venue, column]
    while (number - at) * side >= 0:
        level = 2 * at + (1 if is_buy else 0)
        if levels[level, L_HEAD] != NONE:
            _pass(m, f, levels, venues, tiers, messages, rows, prices, fills, message, level)
        elif at == venues[venue, column]:
            venues[venue, column] = at + side
        at += side


@compiled
def _pass(
    m: Longs,
    f: Floats,
    levels: Longs,
    venues: Longs,
    tiers: Longs,
    messages: Longs,
    rows: Longs,
    prices: Longs,
    fills: Longs,
    message: int,
    level: int,
) -> None:
    begin = messages[message, M_BEGIN]
    price, size = prices[rows[begin, ROW_LEVEL] >> 1], rows[begin, ROW_SIZE]
    is_power = venues[messages[message, M_VENUE], V_QUEUE] == POWER
    if not is_power:
        _cap(m, levels, level)
    mids = (
        messages[message, M_MID],
        messages[message, M_LATER_1S],
        messages[message, M_LATER_5S],
        messages[message, M_LATER_30S],
    )
    order = levels[level, L_HEAD]
    while order != NONE:
        following, base = m[order + O_NEXT], m[order + O_SET]
        beyond = (m[order + O_PRICE] - price) * m[order + O_SIDE]
        if beyond >= 0:
            if m[base + S_LEFT_OF] != message:  # no own order took of this trade yet
                m[base + S_LEFT_OF] = message
                m[base + S_LEFT] = size
            reaching = m[base + S_LEFT]
            if beyond > 0:
                # Whoever traded beyond our price took everything at it first.
                m[order + O_AHEAD] = m[order + O_CUT] = 0
            elif is_power:
                reaching = _queue_power(m, order, reaching)
            else:
                reaching = _queue_averse(m, order, reaching, messages[message, M_STAMP])
            filled = min(reaching, m[order + O_LEFT])
            if filled > 0:
                m[base + S_LEFT] -= filled
                if filled == m[order + O_LEFT]:
                    leave(m, levels, order)
                execute(
                    m, f, venues, tiers, fills, order, m[order + O_PRICE], filled,
                    messages[message, M_AT], messages[message, M_HEARD], mids, 1,
                )  # fmt: skip
        order = following


@compiled
def _queue_averse(m: Longs, order: int, volume: int, stamp_ns: int) -> int:
    """Let a trade's volume pass at our price; return what is left of it for us.

    A depth update may show a trade before its print arrives. The print then first uses up what the
    update cut, or the same volume would move us forward twice.
    """
    if stamp_ns <= m[order + O_CUT_AT]:
        late = min(m[order + O_CUT], volume)
        m[order + O_CUT] -= late
        volume -= late
    else:
        m[order + O_CUT] = 0
    left = volume - m[order + O_AHEAD]
    m[order + O_AHEAD] = max(0, -left)
    return int(max(0, left))


@compiled
def _queue_power(m: Longs, order: int, volume: int) -> int:
    """Do the same under the probabilistic model; the next depth update will not count it again."""
    m[order + O_CUT] += volume * QUEUE_MICRO
    left = volume * QUEUE_MICRO - m[order + O_AHEAD]
    m[order + O_AHEAD] = max(0, -left)
    return int(max(0, left) // QUEUE_MICRO)

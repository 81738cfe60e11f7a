"""What the tape's messages do to orders that rest; compiled.

The rules are those of `dmm.simulation.fill_model`. A message costs only what it touches.
"""

from __future__ import annotations

from dmm.simulation.replay.fills import execute
from dmm.simulation.replay.layout import (
    BUY_TRADE,
    L_HEAD,
    L_NEXT,
    M_AT,
    M_HEARD,
    M_KIND,
    M_LATER_1S,
    M_LATER_5S,
    M_LATER_30S,
    M_LEVEL,
    M_MID,
    M_SIZE,
    M_STAMP,
    M_VENUE,
    NONE,
    POWER,
    QUEUE_MICRO,
    SHOWN_MESSAGE,
    TOLD_INDEX,
    TOLD_MID,
    TOLD_TWAP,
    V_BEST_ASK,
    V_BEST_BID,
    V_FIRST,
    V_LAST,
    V_NOW,
    V_QUEUE,
    Floats,
    Longs,
    compiled,
    woven,
)
from dmm.simulation.replay.levels import cap, leave, look_up, thin
from dmm.simulation.replay.set_layout import (
    O_AHEAD,
    O_CUT,
    O_CUT_AT,
    O_LEFT,
    O_NEXT,
    O_PRICE,
    O_SET,
    O_SIDE,
    S_LEFT,
    S_LEFT_OF,
)


@compiled
def apply_snapshot(
    m: Longs, levels: Longs, venues: Longs, messages: Longs, shown: Longs, powers: Floats,
    message: int,
) -> None:  # fmt: skip
    """Let every queue see a snapshot, also where it changes nothing.

    Only the probabilistic model needs it: trades counted before it are not held against later
    changes. What is displayed elsewhere is looked up when it matters.
    """
    venue = messages[message, M_VENUE]
    if venues[venue, V_QUEUE] != POWER:
        return
    venues[0, V_NOW] = message + 1
    for level in range(2 * venues[venue, V_FIRST], 2 * venues[venue, V_LAST]):
        order = levels[level, L_HEAD]
        if order != NONE:
            size = look_up(m, levels, venues, messages, shown, powers, level)
            last = max(0, levels[level, L_NEXT] - 1)
            if shown[last, SHOWN_MESSAGE] != message:
                thin(m, order, size, size, powers[venue])


@compiled
def apply_trade(
    m: Longs, f: Floats, levels: Longs, venues: Longs, tiers: Longs, messages: Longs, shown: Longs,
    powers: Floats, prices: Longs, told: Longs, fills: Longs, message: int,
) -> None:  # fmt: skip
    """Let a trade pass through the orders at its price and better; what reaches them fills them."""
    venue = messages[message, M_VENUE]
    number = messages[message, M_LEVEL] >> 1
    is_buy = messages[message, M_KIND] == BUY_TRADE
    column, side = (V_BEST_ASK, 1) if is_buy else (V_BEST_BID, -1)
    at = venues[venue, column]
    while (number - at) * side >= 0:
        level = 2 * at + (1 if is_buy else 0)
        if levels[level, L_HEAD] != NONE:
            look_up(m, levels, venues, messages, shown, powers, level)
            _pass(m, f, levels, venues, tiers, messages, prices, told, fills, message, level)
        elif at == venues[venue, column]:
            venues[venue, column] = at + side
        at += side


@woven
def _pass(
    m: Longs, f: Floats, levels: Longs, venues: Longs, tiers: Longs, messages: Longs, prices: Longs,
    told: Longs, fills: Longs, message: int, level: int,
) -> None:  # fmt: skip
    price, size = prices[messages[message, M_LEVEL] >> 1], messages[message, M_SIZE]
    is_power = venues[messages[message, M_VENUE], V_QUEUE] == POWER
    if not is_power:
        cap(m, levels, level)
    mids = (
        messages[message, M_MID],
        messages[message, M_LATER_1S],
        messages[message, M_LATER_5S],
        messages[message, M_LATER_30S],
    )
    # Without a desk among the sets there is but one row, of nothing.
    row = message if message < len(told) else 0
    known = told[row, TOLD_INDEX], told[row, TOLD_MID], told[row, TOLD_TWAP]
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
                    messages[message, M_AT], messages[message, M_HEARD], mids, 1, known,
                )  # fmt: skip
        order = following


@woven
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


@woven
def _queue_power(m: Longs, order: int, volume: int) -> int:
    """Do the same under the probabilistic model; the next depth update will not count it again."""
    m[order + O_CUT] += volume * QUEUE_MICRO
    left = volume * QUEUE_MICRO - m[order + O_AHEAD]
    m[order + O_AHEAD] = max(0, -left)
    return int(max(0, left) // QUEUE_MICRO)

"""The desk's ladder, refresh and gate, compiled: which orders stay, leave and come.

`dmm.quoting.ladder`, `…refresh` and `dmm.risk.gate` over the arrays of a set, order for order.
"""

from __future__ import annotations

import math

import numpy as np

from dmm.quoting.limits import OUTSTANDING_QUOTES_MAX, PRICE_BAND_BPS
from dmm.simulation.replay.desk_ages import age_ns_max, take_pulled
from dmm.simulation.replay.desk_fills import realised_bps
from dmm.simulation.replay.desk_layout import (
    D_HARD_LONG,
    D_HARD_SHORT,
    D_REALISED_MIN,
    D_REPLACE_COST,
    D_SIDE_SIZE,
    D_SIDE_SIZE_CUT,
    D_SIZE,
    D_SOFT_LONG,
    D_SOFT_SHORT,
    D_TIER_MIDDLE,
    D_TIER_OUTER,
    G_HYSTERESIS,
    G_TIER_STEP,
    ONE_SIDED,
)
from dmm.simulation.replay.desk_price import BPS, MICRO, microticks
from dmm.simulation.replay.desk_rate import spend
from dmm.simulation.replay.layout import (
    NONE,
    V_INVERSE,
    Floats,
    Longs,
    compiled,
)
from dmm.simulation.replay.orders import cancel, send
from dmm.simulation.replay.set_layout import (
    A_KNOWN_INVENTORY,
    O_CANCEL_ENTRY,
    O_HALF,
    O_KNOWN_LEFT,
    O_LEAVING,
    O_PLACED_AT,
    O_PRICE,
    O_SIDE,
    POST_ONLY,
    S_ACCOUNTS,
    S_ASK,
    S_BATCH,
    S_BID,
    S_COUNT,
    S_LINE,
    S_NOW,
    S_NUMBER,
    S_POSTURE,
    S_RATE_LEFT,
    S_SCRATCH,
    S_WHOLE,
    X_COLUMNS,
    X_REAL,
)

TIERS = 3
TARGETS = 2 * TIERS


@compiled
def refresh(
    m: Longs, f: Floats, venues: Longs, way: Longs, base: int, mid: int, half: float,
    low: int, high: int,
) -> None:  # fmt: skip
    """Keep what stands near enough, cancel the rest, place what is missing and allowed."""
    whole, real = base + S_WHOLE, m[base + S_NUMBER] * X_COLUMNS + X_REAL
    inventory = m[base + S_ACCOUNTS + A_KNOWN_INVENTORY]
    step = max(1, math.floor(half * f[real + G_TIER_STEP]))
    shown = whole + D_SIDE_SIZE
    if realised_bps(m, base) < m[whole + D_REALISED_MIN]:
        shown = whole + D_SIDE_SIZE_CUT
    most = m[shown]
    _aim(m, base, 0, _side_size(m, whole, most, inventory, D_SOFT_LONG, D_HARD_LONG), low, -step)
    _aim(
        m, base, TIERS, _side_size(m, whole, most, -inventory, D_SOFT_SHORT, D_HARD_SHORT), high,
        step,
    )  # fmt: skip
    queue_ticks = half * f[real + G_HYSTERESIS]
    if m[whole + D_REPLACE_COST]:
        queue_ticks += microticks(m[whole + D_REPLACE_COST], mid) / MICRO
    opened_buy, opened_sell = _match(m, way, base, math.floor(queue_ticks))
    # What a fill will be held against, to the nearest as the journal has it.
    half_microticks = int(np.rint(half * MICRO))
    for number in range(TARGETS):
        price, wanted, left = _target(m, base, number)
        if wanted <= 0 or not 2 * left > wanted:
            continue
        side = 1 if number < TIERS else -1
        opened = opened_buy if side > 0 else opened_sell
        if _allowed(m, base, venues[0, V_INVERSE], side, price, left, opened):
            order = send(m, base, m[base + S_BATCH], 0, side, price, left, POST_ONLY, number)
            m[base + S_RATE_LEFT] -= 1
            if order == NONE:
                continue
            spend(m, way, base, m[base + S_NOW], 0)
            m[order + O_PLACED_AT] = m[base + S_NOW]
            m[order + O_HALF] = half_microticks
            if side > 0:
                opened_buy += left
            else:
                opened_sell += left


@compiled
def withdraw_all(m: Longs, way: Longs, base: int) -> None:
    """Cancel every order that is not leaving, each as the budget lets it."""
    age_ns = age_ns_max(m, base)
    for place in range(m[base + S_COUNT]):
        order = m[base + S_LINE + place]
        if not m[order + O_LEAVING]:
            _withdraw(m, way, base, order)
            _note_age(m, base, order, age_ns)


@compiled
def _withdraw(m: Longs, way: Longs, base: int, order: int) -> None:
    """Cancel an order; one for which the budget has no room waits for the next decision."""
    if spend(m, way, base, m[base + S_NOW], 1):
        cancel(m, base, order, m[base + S_BATCH])


@compiled
def _is_old(m: Longs, base: int, order: int, age_ns: int) -> int:
    return 1 if 0 < age_ns < m[base + S_NOW] - m[order + O_PLACED_AT] else 0


@compiled
def _note_age(m: Longs, base: int, order: int, age_ns: int) -> None:
    if _is_old(m, base, order, age_ns):
        take_pulled(m, base, m[base + S_NOW] - m[order + O_PLACED_AT])


@compiled
def _is_gone(m: Longs, base: int, order: int, age_ns: int) -> int:
    """Return 1 for an order that the market came to without trading, and for one that is stale."""
    price = m[order + O_PRICE]
    if price >= m[base + S_ASK] if m[order + O_SIDE] > 0 else price <= m[base + S_BID]:
        return 1
    return _is_old(m, base, order, age_ns)


@compiled
def _side_size(m: Longs, whole: int, size: int, adding: int, soft_at: int, hard_at: int) -> int:
    soft, hard = m[whole + soft_at], m[whole + hard_at]
    if adding <= soft and adding + size <= hard:
        return int(size)
    room, span = max(0, hard - adding), max(1, hard - soft)
    return int(min(size * min(room, span) // span, room))


@compiled
def _aim(m: Longs, base: int, first: int, size: int, price: int, outwards: int) -> None:
    """Note a side's three targets: price, size, and room left, in the set's scratch."""
    middle = size * m[base + S_WHOLE + D_TIER_MIDDLE] // BPS
    outer = size * m[base + S_WHOLE + D_TIER_OUTER] // BPS
    for tier in range(TIERS):
        share = size - middle - outer
        if tier == 1:
            share = middle
        elif tier == 2:
            share = outer
        target = base + S_SCRATCH + 3 * (first + tier)
        m[target] = price + tier * outwards
        m[target + 1] = m[target + 2] = share if m[target] > 0 else 0


@compiled
def _target(m: Longs, base: int, number: int) -> tuple[int, int, int]:
    target = base + S_SCRATCH + 3 * number
    return m[target], m[target + 1], m[target + 2]


@compiled
def _match(m: Longs, way: Longs, base: int, tolerance: int) -> tuple[int, int]:
    """Let orders fill the room of targets, cancel those that fit none; return lots outstanding.

    What is gone is cancelled first, for that is the order in which a budget is spent.
    """
    opened_buy = opened_sell = 0
    age_ns, gone = age_ns_max(m, base), 0
    for place in range(m[base + S_COUNT]):
        order = m[base + S_LINE + place]
        if m[order + O_SIDE] > 0:
            opened_buy += m[order + O_KNOWN_LEFT]
        else:
            opened_sell += m[order + O_KNOWN_LEFT]
        if not m[order + O_LEAVING] and _is_gone(m, base, order, age_ns):
            _withdraw(m, way, base, order)
            gone += 1
    for place in range(m[base + S_COUNT]):
        order = m[base + S_LINE + place]
        if m[order + O_LEAVING] or (gone and _is_gone(m, base, order, age_ns)):
            continue
        remaining = m[order + O_KNOWN_LEFT]
        first = 0 if m[order + O_SIDE] > 0 else TIERS
        nearest = _nearest(m, base, first, m[order + O_PRICE], remaining, tolerance)
        if nearest == NONE:
            _withdraw(m, way, base, order)
        else:
            m[base + S_SCRATCH + 3 * nearest + 2] -= remaining
    if gone and age_ns:
        _note_ages(m, base, age_ns)
    return opened_buy, opened_sell


@compiled
def _note_ages(m: Longs, base: int, age_ns: int) -> None:
    """Note the ages of what this decision pulled for its age, whether or not the cancel was sent.

    An order that was leaving before is no longer looked at.
    """
    for place in range(m[base + S_COUNT]):
        order = m[base + S_LINE + place]
        is_left = m[order + O_LEAVING] and m[order + O_CANCEL_ENTRY] != m[base + S_BATCH]
        if not is_left:
            _note_age(m, base, order, age_ns)


@compiled
def _nearest(m: Longs, base: int, first: int, price: int, remaining: int, tolerance: int) -> int:
    best, nearest = tolerance + 1, NONE
    for number in range(first, first + TIERS):
        target, wanted, room = _target(m, base, number)
        distance = abs(target - price)
        if wanted > 0 and remaining <= room and distance < best:
            best, nearest = distance, number
    return nearest


@compiled
def _allowed(
    m: Longs,
    base: int,
    is_inverse: int,
    side: int,
    price: int,
    size: int,
    opened: int,
) -> int:
    """Return 1 when the gate lets an order pass; `dmm.risk.gate` in the same order."""
    whole, inventory = base + S_WHOLE, m[base + S_ACCOUNTS + A_KNOWN_INVENTORY]
    doubled_mid = m[base + S_BID] + m[base + S_ASK]
    if m[base + S_POSTURE] == ONE_SIDED and not inventory * side < 0:
        return 0
    if abs(2 * price - doubled_mid) * BPS > PRICE_BAND_BPS * doubled_mid:
        return 0
    if not 0 < size <= m[whole + D_SIZE]:
        return 0
    if m[base + S_RATE_LEFT] < 1:
        return 0
    if inventory * side + opened + size > m[whole + (D_HARD_LONG if side > 0 else D_HARD_SHORT)]:
        return 0
    most = OUTSTANDING_QUOTES_MAX * m[whole + D_SIZE]
    if is_inverse:
        worth, allowed = 2 * opened * price + size * doubled_mid, 2 * most * price
    else:
        worth, allowed = opened * doubled_mid + 2 * size * price, most * doubled_mid
    return 1 if worth * BPS <= allowed * (BPS + PRICE_BAND_BPS) else 0

"""A set's orders and cancels as the desk sends them; compiled.

`m` holds the sets, `base` is where a set begins in it, `order` where an order does. An order keeps
its place until the desk has heard of its end.
"""

from __future__ import annotations

from dmm.simulation.replay.layout import (
    NONE,
    ORDERS_MAX,
    Longs,
    compiled,
    woven,
)
from dmm.simulation.replay.set_layout import (
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
    S_COUNT,
    S_FREE,
    S_LINE,
    S_PENDING,
    S_REFUSED,
    S_SENT,
    SENT,
)


@woven
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


@woven
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

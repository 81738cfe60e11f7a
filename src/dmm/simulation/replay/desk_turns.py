"""A set of the desk's own rule at its turn; compiled.

It decides, goes stale, or what it sent arrives.
"""

from __future__ import annotations

import numpy as np

from dmm.simulation.replay.arrival import arrive
from dmm.simulation.replay.desk import desk
from dmm.simulation.replay.desk_layout import (
    D_REFRESH,
)
from dmm.simulation.replay.layout import (
    BATCHES_MAX,
    BREAK_INDEX,
    BREAK_KIND,
    BREAK_RESUME,
    BREAK_RESUMES,
    H_ASK,
    H_ASK_SIZE,
    H_AT,
    H_BID,
    H_BID_SIZE,
    H_FRESH,
    H_KAPPA,
    H_POSITION,
    H_SIGMA,
    K_ENTRY,
    K_ONE_CLOCK,
    K_RESPONSE,
    NEVER_NS,
    P_ASK,
    P_AT,
    P_BID,
    P_STAND,
    REPORTS_MAX,
    Floats,
    Ints,
    Longs,
    compiled,
)
from dmm.simulation.replay.orders import cancel_all
from dmm.simulation.replay.reports import hear
from dmm.simulation.replay.set_layout import (
    BATCH_AT,
    BATCH_COLUMNS,
    BATCH_HEARD,
    BATCH_NUMBER,
    BATCH_POSITION,
    BATCH_SEEN,
    R_COLUMNS,
    R_HEARD_AT,
    R_LOTS,
    S_ARRIVES,
    S_ASK,
    S_ASK_SIZE,
    S_BATCH,
    S_BATCH_COUNT,
    S_BATCH_FIRST,
    S_BID,
    S_BID_SIZE,
    S_BREAK,
    S_DUE,
    S_FRESH,
    S_INDEX,
    S_KAPPA,
    S_NEXT_AT,
    S_NOW,
    S_PENDING,
    S_REPORT_COUNT,
    S_REPORT_FIRST,
    S_REPORTS,
    S_SIGMA,
    S_WHOLE,
    W_BATCHES,
)


@compiled
def first_at(feed: Longs, index: int, at_ns: int) -> int:
    """Return the number of the first message heard at or after an instant, from one on."""
    count, step = len(feed), 1
    if index >= count or feed[index, H_AT] >= at_ns:
        return index
    # The answer is near: strides that double, then the half of the last one again and again.
    while index + step < count and feed[index + step, H_AT] < at_ns:
        index += step
        step *= 2
    last = min(index + step, count)
    while index + 1 < last:
        middle = (index + last) // 2
        if feed[middle, H_AT] < at_ns:
            index = middle
        else:
            last = middle
    return int(last)


@compiled
def look_ahead(m: Longs, feed: Longs, breaks: Longs, base: int, index: int) -> None:
    """Find the next decision, from a message on; a feed that is trusted again brings it forward."""
    index = first_at(feed, index, m[base + S_DUE])
    index = min(index, breaks[m[base + S_BREAK], BREAK_RESUMES])
    m[base + S_INDEX] = index
    m[base + S_NEXT_AT] = feed[index, H_AT] if index < len(feed) else NEVER_NS


@compiled
def decide_desk(
    m: Longs, f: Floats, venues: Longs, feed: Longs, market: Longs, breaks: Longs, way: Longs,
    base: int,
) -> None:  # fmt: skip
    """Let a set decide with the message it was to decide with, and find the next one."""
    index = m[base + S_INDEX]
    seen, now_ns = feed[index], m[base + S_NEXT_AT]
    hear(m, base, now_ns)
    m[base + S_NOW] = now_ns
    m[base + S_BID], m[base + S_BID_SIZE] = seen[H_BID], seen[H_BID_SIZE]
    m[base + S_ASK], m[base + S_ASK_SIZE] = seen[H_ASK], seen[H_ASK_SIZE]
    m[base + S_SIGMA], m[base + S_KAPPA] = seen[H_SIGMA], seen[H_KAPPA]
    m[base + S_FRESH] = seen[H_FRESH]
    before = m[base + S_PENDING]
    m[base + S_BATCH] += 1
    desk(m, f, venues, way, base)
    if m[base + S_PENDING] != before:
        _dispatch(m, feed, market, way, base, index, now_ns)
    row = m[base + S_BREAK]
    if breaks[row, BREAK_KIND] == BREAK_RESUME and breaks[row, BREAK_INDEX] <= index:
        m[base + S_BREAK] = row + 1
    m[base + S_DUE] = min(now_ns + m[base + S_WHOLE + D_REFRESH], _first_unheard(m, base))
    look_ahead(m, feed, breaks, base, index + 1)


@compiled
def _first_unheard(m: Longs, base: int) -> int:
    """Return when the desk will hear of the first fill that is on its way to it."""
    for number in range(m[base + S_REPORT_COUNT]):
        at = (m[base + S_REPORT_FIRST] + number) % REPORTS_MAX
        report = base + S_REPORTS + at * R_COLUMNS
        if m[report + R_LOTS]:
            return int(m[report + R_HEARD_AT])
    return NEVER_NS


@compiled
def silence_desk(
    m: Longs, feed: Longs, market: Longs, breaks: Longs, way: Longs, base: int, at_ns: int
) -> None:
    """Cancel everything, whatever the budget says: the feed was silent for too long."""
    row = m[base + S_BREAK]
    hear(m, base, at_ns)
    before = m[base + S_PENDING]
    m[base + S_BATCH] += 1
    cancel_all(m, base, m[base + S_BATCH])
    if m[base + S_PENDING] != before:
        _dispatch(m, feed, market, way, base, breaks[row, BREAK_INDEX] - 1, at_ns)
    m[base + S_BREAK] = row + 1
    look_ahead(m, feed, breaks, base, m[base + S_INDEX])


@compiled
def _dispatch(
    m: Longs, feed: Longs, market: Longs, way: Longs, base: int, index: int, now_ns: int
) -> None:
    """Send what was decided on its way; nothing overtakes what was sent before.

    Parameters
    ----------
    index : of the last message heard by then
    """
    arrives_ns = max(m[base + S_ARRIVES], now_ns + _delay(way, K_ENTRY, now_ns))
    m[base + S_ARRIVES] = arrives_ns
    count = m[base + S_BATCH_COUNT]
    place = (m[base + S_BATCH_FIRST] + count) % BATCHES_MAX
    batch = base + W_BATCHES + place * BATCH_COLUMNS
    m[batch + BATCH_NUMBER] = m[base + S_BATCH]
    m[batch + BATCH_AT] = arrives_ns
    m[batch + BATCH_HEARD] = arrives_ns + _delay(way, K_RESPONSE, arrives_ns)
    m[base + S_BATCH_COUNT] = count + 1
    if way[K_ONE_CLOCK]:
        row = max(_first_row(market, index + 1, arrives_ns), index + 1)
        m[batch + BATCH_SEEN] = row - 1
        m[batch + BATCH_POSITION] = market[row, P_STAND]
        return
    # What arrives at once finds the very market it was decided on.
    row = _first_row(market, 0, arrives_ns)
    m[batch + BATCH_POSITION] = market[row, P_STAND]
    if arrives_ns == now_ns:
        row = _first_row(market, row, now_ns + 1)
        m[batch + BATCH_POSITION] = feed[index, H_POSITION]
    m[batch + BATCH_SEEN] = row - 1


@compiled
def _first_row(market: Longs, first: int, at_ns: int) -> int:
    """Return the first row of the venue's messages at or after an instant; the last row is none."""
    last = len(market) - 1
    while first < last:
        middle = (first + last) // 2
        if market[middle, P_AT] < at_ns:
            first = middle + 1
        else:
            last = middle
    return int(first)


@compiled
def _delay(way: Longs, first: int, at_ns: int) -> int:
    """Return a latency as `dmm.simulation.replay.latency.Latency` has it, for one instant."""
    count = way[first + 3]
    if not count:
        return int(way[first])
    word = np.uint64(at_ns) ^ np.uint64(way[first + 1])
    word += np.uint64(0x9E3779B97F4A7C15)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    word ^= word >> np.uint64(31)
    return int(way[way[first + 2] + np.int64(word % np.uint64(count))])


@compiled
def arrive_desk(
    m: Longs, f: Floats, levels: Longs, venues: Longs, tiers: Longs, prices: Longs, rank: Ints,
    views: Longs, fills: Longs, messages: Longs, shown: Longs, powers: Floats, market: Longs,
    base: int,
) -> None:  # fmt: skip
    """Let what a set sent with one decision arrive at the venue."""
    first = m[base + S_BATCH_FIRST]
    batch = base + W_BATCHES + first * BATCH_COLUMNS
    row = m[batch + BATCH_SEEN]
    bid = market[row, P_BID] if row >= 0 else 0
    ask = market[row, P_ASK] if row >= 0 else 0
    number, at_ns, heard_ns = m[batch], m[batch + BATCH_AT], m[batch + BATCH_HEARD]
    m[base + S_BATCH_FIRST] = (first + 1) % BATCHES_MAX
    m[base + S_BATCH_COUNT] -= 1
    arrive(
        m, f, levels, venues, tiers, prices, rank, views, fills, messages, shown, powers, base,
        number, 0, at_ns, heard_ns, bid, ask,
    )  # fmt: skip

"""A venue's budget of requests, compiled: `dmm.risk.rate` over the arrays of a set.

Every order and every cancel weighs one, as in `dmm.usecases.order_desk`.
"""

from __future__ import annotations

from dmm.risk.rate import BUCKETS_MAX
from dmm.simulation.replay.layout import (
    K_LENGTH,
    K_MOST,
    K_RESERVE,
    K_WINDOW,
    K_WINDOW_COLUMNS,
    K_WINDOWS,
    RATE_PLACES,
    Longs,
    compiled,
)
from dmm.simulation.replay.set_layout import (
    RATE_COLUMNS,
    RATE_COUNT,
    RATE_FIRST,
    RATE_SPENT,
    RATE_STEPS,
    W_RATES,
)

UNCOUNTED = 2**62
"""What is left where a venue does not count."""


@compiled
def requests_left(m: Longs, way: Longs, base: int, now_ns: int, is_cancel: int) -> int:
    """Return how many requests pass now, in the tightest window; what is past is forgotten."""
    least = UNCOUNTED
    for number in range(way[K_WINDOWS]):
        window, used = K_WINDOW + number * K_WINDOW_COLUMNS, base + W_RATES + number * RATE_COLUMNS
        while m[used + RATE_COUNT]:
            first = m[used + RATE_FIRST]
            step = used + RATE_STEPS + 2 * first
            if m[step] + way[window + K_LENGTH] > now_ns:
                break
            m[used + RATE_SPENT] -= m[step + 1]
            m[used + RATE_FIRST] = (first + 1) % RATE_PLACES
            m[used + RATE_COUNT] -= 1
        share = way[window + K_MOST] - (0 if is_cancel else way[window + K_RESERVE])
        least = min(least, share - m[used + RATE_SPENT])
    return max(0, least)


@compiled
def spend(m: Longs, way: Longs, base: int, now_ns: int, is_cancel: int) -> int:
    """Spend one request if it fits every window; return 1 when it does."""
    if requests_left(m, way, base, now_ns, is_cancel) < 1:
        return 0
    for number in range(way[K_WINDOWS]):
        window, used = K_WINDOW + number * K_WINDOW_COLUMNS, base + W_RATES + number * RATE_COLUMNS
        step_ns = way[window + K_LENGTH] // (BUCKETS_MAX - 1)
        ends_ns = (now_ns // step_ns + 1) * step_ns
        count = m[used + RATE_COUNT]
        last = used + RATE_STEPS + 2 * ((m[used + RATE_FIRST] + count - 1) % RATE_PLACES)
        if count and m[last] == ends_ns:
            m[last + 1] += 1
        else:
            step = used + RATE_STEPS + 2 * ((m[used + RATE_FIRST] + count) % RATE_PLACES)
            m[step], m[step + 1] = ends_ns, 1
            m[used + RATE_COUNT] = count + 1
        m[used + RATE_SPENT] += 1
    return 1

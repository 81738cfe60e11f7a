"""Whether market data is fresh enough to quote on."""

from __future__ import annotations

from dmm.units.time import NS_PER_S

FEED_AGE_NS_MAX = 3 * NS_PER_S
"""A feed silent for longer than this is stale: every quote is cancelled."""

FRESH_TICKS_MIN = 5
"""Ticks in a row, none stale, until quotes return; a feed starts without trust."""


def is_stale(*, received_at_ns: int, now_ns: int, age_ns_max: int) -> bool:
    """Tell whether the last message is older than allowed; exactly as old as allowed is fresh.

    Parameters
    ----------
    received_at_ns : when the last message came, ns since 1970 UTC
    now_ns : the present on the same clock
    age_ns_max : ns, >= 0
    """
    return now_ns - received_at_ns > age_ns_max

"""Whether market data is fresh enough to quote on, and whether venues tell the same story."""

from __future__ import annotations

from collections.abc import Sequence

from dmm.units.amount import BPS_ONE, ceil_div
from dmm.units.time import NS_PER_S

UBPS_ONE = BPS_ONE * 1_000_000
"""Millionths of a basis point in one."""

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


def venues_agree(mids: Sequence[int], *, ubps_max: int) -> bool:
    """Tell whether the mids of one pair at several venues lie within a tolerance of each other.

    The widest gap is measured against the lowest mid. One venue alone agrees with itself; a mid
    that is no price agrees with nothing.

    Parameters
    ----------
    mids : of fresh venues, all in one unit, > 0
    ubps_max : widest gap allowed, millionths of a basis point, >= 0
    """
    if not mids:
        return True
    lowest, highest = min(mids), max(mids)
    return lowest > 0 and (highest - lowest) * UBPS_ONE <= ubps_max * lowest


def deviation_ubps(price: int, *, reference: int) -> int:
    """Return how far a price lies from a reference, in millionths of a basis point, up, >= 0.

    The slippage guard compares the latest fills with the reference TWAP by it.

    Parameters
    ----------
    price : > 0, in the unit of `reference`
    reference : > 0

    Raises
    ------
    ValueError
        If the reference is no price.
    """
    if reference <= 0:
        raise ValueError(f"reference price must be positive, got {reference}")
    return ceil_div(abs(price - reference) * UBPS_ONE, reference)

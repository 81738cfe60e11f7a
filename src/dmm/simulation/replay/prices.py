"""The prices of a tape, numbered, so that a level is a place in an array."""

from __future__ import annotations

import numpy as np

from dmm.market.tape_columns import BID, TapeColumns
from dmm.simulation.replay.layout import (
    Ints,
    Longs,
)

RANK_MAX = 1 << 20
"""Prices that are looked up in a table; those further from the middle are searched for."""

SPAN_MAX = 1 << 25
"""Ticks between the lowest and the highest price beyond which prices are sorted, not marked."""

ABOVE_ANY = 2**62
"""The price of a venue's last number."""


def numbered(used: Longs) -> tuple[Longs, Ints, int]:
    """Return the prices used, one above any, and a table from price to number."""
    low, high = int(used.min()), int(used.max())
    if high - low < SPAN_MAX:
        is_used = np.zeros(high - low + 1, dtype=np.bool_)
        is_used[used - low] = True
        prices = np.flatnonzero(is_used) + low
    else:
        prices = np.unique(used)
    begin = max(low, int(prices[len(prices) // 2]) - RANK_MAX // 2)
    window = np.zeros(min(RANK_MAX, high - begin + 1), dtype=np.bool_)
    first, last = np.searchsorted(prices, (begin, begin + len(window)))
    window[prices[first:last] - begin] = True
    rank = np.cumsum(window, dtype=np.int32) - window + np.int32(first)
    return np.append(prices, ABOVE_ANY).astype(np.int64), rank.astype(np.int32), begin


def levels_of(
    columns: TapeColumns, prices: Longs, rank: Ints, rank_from: int, on_book: np.ndarray
) -> Longs:
    """Return each row's level; of a quote's rows 0, for nothing looks at them."""
    offsets = columns.price_ticks - rank_from
    inside = on_book & (offsets >= 0) & (offsets < len(rank))
    numbers = np.where(inside, rank[np.where(inside, offsets, 0)], 0).astype(np.int64)
    beyond = on_book & ~inside
    if beyond.any():
        numbers[beyond] = np.searchsorted(prices, columns.price_ticks[beyond])
    levels: Longs = 2 * numbers + (columns.side != BID)
    return levels

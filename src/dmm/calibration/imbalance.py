"""What the sizes at the touch say about the next move of the mid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BUCKETS = 5


def imbalance_drift(
    *,
    mid_half_ticks: NDArray[np.int64],
    bid_size_lots: NDArray[np.int64],
    ask_size_lots: NDArray[np.int64],
    buckets: int = BUCKETS,
    heard: NDArray[np.bool_] | None = None,
) -> tuple[float | None, ...]:
    """Return the mean change of the mid to the next state, in ticks, by bucket of bid/(bid + ask).

    Buckets are of equal width from 0 to 1; one without states is None. The last state has no next.

    Parameters
    ----------
    mid_half_ticks : mids, one per state
    bid_size_lots, ask_size_lots : displayed at the touch, > 0
    buckets : > 0
    heard : by change, False where it spans a silence and does not count; all count unless given
    """
    bucket = imbalance_buckets(
        bid_size_lots=bid_size_lots[:-1], ask_size_lots=ask_size_lots[:-1], buckets=buckets
    )
    change = np.diff(mid_half_ticks)
    if heard is not None:
        bucket, change = bucket[heard], change[heard]
    count = np.bincount(bucket, minlength=buckets)
    drift = np.bincount(bucket, weights=change, minlength=buckets)
    return tuple(
        float(drift[at]) / (2 * int(count[at])) if count[at] else None for at in range(buckets)
    )


def imbalance_buckets(
    *,
    bid_size_lots: NDArray[np.int64],
    ask_size_lots: NDArray[np.int64],
    buckets: int = BUCKETS,
) -> NDArray[np.int64]:
    """Return the bucket of bid/(bid + ask) of each state, from 0; an edge belongs to the upper one.

    Parameters
    ----------
    bid_size_lots, ask_size_lots : displayed at the touch, > 0
    buckets : > 0
    """
    # In whole numbers no edge is missed.
    shares = bid_size_lots * buckets // (bid_size_lots + ask_size_lots)
    return np.minimum(shares, buckets - 1)

"""VPIN: how one-sided the volume is, in buckets of equal volume.

References
----------
Easley, López de Prado & O'Hara (2012), Review of Financial Studies 25(5), section 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dmm.calibration.bootstrap import Interval, ratio_ci95
from dmm.units.time import NS_PER_S

BUCKETS = 50
"""Buckets that the whole volume is cut into."""

BUCKETS_MIN = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Vpin:
    """Mean of |buys − sells|/V over buckets of V lots each; the rest of the volume is left out.

    The interval draws single buckets.
    """

    share: Interval
    bucket_lots: int


def vpin(
    size_lots: NDArray[np.int64],
    is_buy: NDArray[np.bool_],
    *,
    rng: np.random.Generator,
    buckets: int = BUCKETS,
) -> Vpin | None:
    """Return VPIN with the exact aggressor of each trade; None when a bucket would hold no lot.

    The paper guesses the aggressor from price changes of bars because its tapes lack it. Ours have
    it, so nothing is guessed; a trade across a border is split exactly.

    Parameters
    ----------
    size_lots : sizes in the order traded, >= 0
    is_buy : aggressor is buyer
    rng : draws the interval
    buckets : at least `BUCKETS_MIN`

    Raises
    ------
    ValueError
        If there are too few buckets.
    """
    if buckets < BUCKETS_MIN:
        raise ValueError(f"buckets must be at least {BUCKETS_MIN}, got {buckets}")
    bucket_lots = int(size_lots.sum()) // buckets
    if not bucket_lots:
        return None
    borders = bucket_lots * np.arange(buckets + 1, dtype=np.int64)
    bought = np.diff(_volume_until(borders, size_lots, is_buy))
    one_sided = np.abs(2 * bought - bucket_lots)
    share = ratio_ci95(
        one_sided.astype(np.float64),
        np.full(buckets, float(bucket_lots)),
        np.arange(buckets, dtype=np.int64) * NS_PER_S,  # a bucket is a step of the volume's clock
        rng=rng,
    )
    if share is None:
        return None
    return Vpin(share=share, bucket_lots=bucket_lots)


def _volume_until(
    borders: NDArray[np.int64], size_lots: NDArray[np.int64], is_buy: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Return the lots bought within the first `borders` lots of the whole volume."""
    ends = np.cumsum(size_lots)
    bought = np.cumsum(np.where(is_buy, size_lots, 0))
    at = np.searchsorted(ends, borders, side="left")
    before = np.where(at > 0, ends[at - 1], 0)
    bought_before = np.where(at > 0, bought[at - 1], 0)
    return bought_before + np.where(is_buy[at], borders - before, 0)

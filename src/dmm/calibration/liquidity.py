"""How much stands in the book, and what taking it costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dmm.calibration.bootstrap import Interval, ratio_ci95
from dmm.calibration.observation import SAMPLE_NS, Observation, base_of
from dmm.market.instrument import ContractKind, Instrument
from dmm.market.tape import Level
from dmm.units.amount import BPS_ONE

BANDS_BPS = (5, 10, 25)
"""Distances from the mid, in basis points, within which depth is summed."""

SCORE_BPS = 10
"""The band of the liquidity score."""

TAKES = (1, 10, 100)
"""Sizes walked through the book, in multiples of the mean trade."""

_BookSides = tuple[tuple[Level, ...], tuple[Level, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class BandDepth:
    """Mean base displayed within a band of the mid, by side; `whole` tells for how many books.

    A book whose last known level lies inside the band shows less than there is: `whole` is the
    share of books known to the band's end on both sides.
    """

    band_bps: int
    bid_base: Interval
    ask_base: Interval
    whole: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeCost:
    """Mean cost of taking `size_lots` at once against the mid, in basis points, over both sides.

    `filled` is the share of walks that found the whole size; only those are averaged.
    """

    size_lots: int
    cost_bps: Interval
    filled: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Liquidity:
    """Depth, score and costs of a tape's books, and its time-weighted mid in ticks."""

    depths: tuple[BandDepth, ...]
    score: Interval | None
    take_costs: tuple[TakeCost, ...]
    twap_ticks: float


def measure_liquidity(
    seen: Observation, instrument: Instrument, *, rng: np.random.Generator
) -> Liquidity:
    """Measure the books of a tape with two states or more.

    Parameters
    ----------
    rng : draws the intervals
    """
    return Liquidity(
        depths=band_depths(seen, instrument, rng=rng),
        score=liquidity_score(seen, instrument, rng=rng),
        take_costs=take_costs(seen, rng=rng),
        twap_ticks=twap_ticks(seen),
    )


def band_depths(
    seen: Observation,
    instrument: Instrument,
    *,
    rng: np.random.Generator,
    bands_bps: tuple[int, ...] = BANDS_BPS,
) -> tuple[BandDepth, ...]:
    """Return the mean depth within each band; none without books.

    Parameters
    ----------
    rng : draws the intervals
    bands_bps : > 0
    """
    found = []
    at_ns = _book_times(seen)
    ones = np.ones(at_ns.size)
    for band_bps in bands_bps:
        sides = [_within(book, instrument, band_bps=band_bps) for book in seen.books]
        bids = np.array([side[0] for side in sides])
        asks = np.array([side[1] for side in sides])
        bid = ratio_ci95(bids, ones, at_ns, rng=rng)
        ask = ratio_ci95(asks, ones, at_ns, rng=rng)
        if bid is None or ask is None:
            continue
        whole = float(np.mean([side[2] for side in sides]))
        found.append(BandDepth(band_bps=band_bps, bid_base=bid, ask_base=ask, whole=whole))
    return tuple(found)


def liquidity_score(
    seen: Observation, instrument: Instrument, *, rng: np.random.Generator
) -> Interval | None:
    """Return the mean of √(B·A)/s: quote displayed within 10 bps per basis point of spread.

    B and A are the quote value of bids and asks within `SCORE_BPS` of the mid, s the spread in
    basis points. The geometric mean lets no deep side hide an empty one. Twice the depth or half
    the spread doubles it. None without books.
    """
    scores = np.array([_score(book, instrument) for book in seen.books])
    return ratio_ci95(scores, np.ones(scores.size), _book_times(seen), rng=rng)


def take_costs(
    seen: Observation, *, rng: np.random.Generator, takes: tuple[int, ...] = TAKES
) -> tuple[TakeCost, ...]:
    """Return what taking multiples of the mean trade costs, walking the book on both sides.

    Parameters
    ----------
    rng : draws the intervals
    takes : multiples of the mean trade size, > 0
    """
    if not seen.trade_size.size or not seen.books:
        return ()
    mean_lots = max(1, round(seen.volume_lots / seen.trade_size.size))
    found = []
    at_ns = np.repeat(_book_times(seen), 2)
    for take in takes:
        size_lots = take * mean_lots
        costs = np.array(
            [
                _walk_bps(levels, _mid(book), size_lots)
                for book in seen.books
                for levels in (book[0], book[1])
            ]
        )
        full = ~np.isnan(costs)
        mean = ratio_ci95(costs[full], np.ones(int(full.sum())), at_ns[full], rng=rng)
        if mean is not None:
            share = float(np.mean(full))
            found.append(TakeCost(size_lots=size_lots, cost_bps=mean, filled=share))
    return tuple(found)


def vwap_ticks(seen: Observation, instrument: Instrument) -> float | None:
    """Return the volume-weighted price of all trades in ticks; None without any.

    Weights are base, so that an inverse tape's is Σ N / Σ (N/price): the harmonic mean.
    """
    base = base_of(seen.trade_size, seen.trade_price, instrument)
    total = float(np.sum(base))
    return float(np.sum(base * seen.trade_price)) / total if total else None


def twap_ticks(seen: Observation) -> float:
    """Return the mid weighted by the time it stood, in ticks, from the first to the last state."""
    stood = np.diff(seen.at_ns)
    if not stood.sum():
        return float(seen.mid_half_ticks[-1]) / 2
    # Differences first: mids times nanoseconds would leave the integers of a float.
    first = int(seen.mid_half_ticks[0])
    above = np.sum((seen.mid_half_ticks[:-1] - first) * (stood / float(stood.sum())))
    return (first + float(above)) / 2


def _book_times(seen: Observation) -> NDArray[np.int64]:
    return np.arange(len(seen.books), dtype=np.int64) * SAMPLE_NS


def _mid(book: _BookSides) -> float:
    return (book[0][0][0] + book[1][0][0]) / 2


def _within(
    book: _BookSides, instrument: Instrument, *, band_bps: int
) -> tuple[float, float, bool]:
    reach = _mid(book) * band_bps / BPS_ONE
    sums, whole = [], True
    for levels in book:
        table = np.array(levels, dtype=np.int64)
        near = np.abs(table[:, 0] - _mid(book)) <= reach
        whole = whole and not bool(near[-1])
        sums.append(float(np.sum(base_of(table[near, 1], table[near, 0], instrument))))
    return sums[0], sums[1], whole


def _score(book: _BookSides, instrument: Instrument) -> float:
    mid = _mid(book)
    spread_bps = (book[1][0][0] - book[0][0][0]) / mid * BPS_ONE
    reach = mid * SCORE_BPS / BPS_ONE
    per_lot = float(instrument.lot_size * instrument.contract_size)
    values = []
    for levels in book:
        table = np.array(levels, dtype=np.int64)
        near = np.abs(table[:, 0] - mid) <= reach
        price = table[near, 0] * float(instrument.tick_size)
        # An inverse contract is worth its quote value at any price.
        worth = 1.0 if instrument.kind is ContractKind.INVERSE else price
        values.append(float(np.sum(table[near, 1] * per_lot * worth)))
    return float(np.sqrt(values[0] * values[1])) / spread_bps


def _walk_bps(levels: tuple[Level, ...], mid: float, size_lots: int) -> float:
    """Return the mean distance from the mid over a walk, no number when the side is too thin."""
    left, paid = size_lots, 0.0
    for price, size in levels:
        taken = min(left, size)
        paid += taken * abs(price - mid)
        left -= taken
        if not left:
            return paid / size_lots / mid * BPS_ONE
    return float("nan")

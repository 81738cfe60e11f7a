"""Fair value: several named estimates of one price, in integers.

Prices are in microticks (1e-6 ticks), finer than any tick, so that a weighted price keeps what the
weights say; every division rounds to the nearest microtick, halves upwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dmm.market.tape import Level
from dmm.units.amount import BPS_ONE, HalfTicks
from dmm.units.fast_init import fast_init

MICROTICKS = 1_000_000
"""One tick."""

MICROTICKS_PER_HALF = MICROTICKS // 2

DISAGREEMENT_BPS_MAX = 50
"""Sources this many basis points of price apart confirm nothing at all."""


def mid_microticks(mid: HalfTicks) -> int:
    """Return a mid price in microticks."""
    return mid * MICROTICKS_PER_HALF


def micro_price(*, bid: int, bid_size: int, ask: int, ask_size: int) -> int:
    """Return the imbalance-weighted mid I·ask + (1−I)·bid with I = bid size/(bid + ask size).

    The first-order micro-price: the heavier side pushes the price towards the other. The full
    estimator, which fits how far it really moves, is `dmm.market.micro_price`.

    Parameters
    ----------
    bid, ask : ticks, bid < ask
    bid_size, ask_size : lots displayed, >= 0; with both 0 the answer is the mid

    References
    ----------
    Stoikov (2018), The micro-price, Quantitative Finance 18(12), section 1: the weighted mid.
    """
    total = bid_size + ask_size
    if total <= 0:
        return (bid + ask) * MICROTICKS_PER_HALF
    return _nearest((bid * ask_size + ask * bid_size) * MICROTICKS, total)


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class SideDepth:
    """A side's best levels: size-weighted mean price in microticks and total size in lots."""

    price_microticks: int
    size: int


NO_DEPTH = SideDepth(price_microticks=0, size=0)


def side_depth(levels: Sequence[Level]) -> SideDepth:
    """Return the depth of a side.

    Parameters
    ----------
    levels : as many best levels as count, prices in ticks, sizes in lots
    """
    size = sum(size for _, size in levels)
    if size <= 0:
        return NO_DEPTH
    notional = sum(price * size for price, size in levels)
    return SideDepth(price_microticks=_nearest(notional * MICROTICKS, size), size=size)


def depth_mid(bids: SideDepth, asks: SideDepth) -> int | None:
    """Return the depth-weighted mid: each side's mean price weighted by the other side's size.

    What `micro_price` says of the touch, said of several levels: a quote at the touch that hides an
    empty book moves it little. None while a side is empty.
    """
    total = bids.size + asks.size
    if bids.size <= 0 or asks.size <= 0:
        return None
    return _nearest(bids.price_microticks * asks.size + asks.price_microticks * bids.size, total)


def vwap(trades: Sequence[Level]) -> int | None:
    """Return the volume-weighted mean price of trades in microticks; None without volume.

    Parameters
    ----------
    trades : (price in ticks, size in lots) of the window
    """
    volume = sum(size for _, size in trades)
    if volume <= 0:
        return None
    return _nearest(sum(price * size for price, size in trades) * MICROTICKS, volume)


def twap(mids: Sequence[tuple[int, HalfTicks]], *, until_ns: int) -> int | None:
    """Return the time-weighted mean of a mid in microticks, each mid holding until the next.

    Parameters
    ----------
    mids : (time in ns, mid in half ticks) in order of time
    until_ns : end of the window, ns; mids at or after it carry no weight

    Returns
    -------
    None when no mid held for any time
    """
    weighted = length_ns = 0
    for index, (at_ns, mid) in enumerate(mids):
        following = mids[index + 1][0] if index + 1 < len(mids) else until_ns
        held_ns = min(following, until_ns) - at_ns
        if held_ns > 0:
            weighted += mid * held_ns
            length_ns += held_ns
    if not length_ns:
        return None
    return _nearest(weighted * MICROTICKS_PER_HALF, length_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One estimate in a blend.

    `price_microticks` is None while the source gives none. `weight` is how much the policy trusts
    it, `depth_lots` the size that stands behind it: both weigh, in any one unit.
    """

    price_microticks: int | None
    weight: int
    depth_lots: int = 1


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class FairValue:
    """A price in microticks and how far to trust it, from 0 (nothing confirms it) to 10_000."""

    price_microticks: int
    confidence_bps: int


def blend(sources: Sequence[Source]) -> FairValue | None:
    """Return the mean of the sources that give a price, weighted by weight times depth.

    Confidence is the share of the trust that answered times the agreement of the answers::

        confidence = Σ weight of answers / Σ weight · max(0, 1 − mean |price − blend| / D)

    with the mean weighted as the blend is and D = `DISAGREEMENT_BPS_MAX` of the blended price. A
    source that is missing or far from the others lowers it; whoever quotes stands wider then.

    Parameters
    ----------
    sources : of one instrument; weights and depths >= 0

    Returns
    -------
    None when no source with weight and depth gives a price
    """
    answers = [
        (source.price_microticks, source.weight * source.depth_lots, source.weight)
        for source in sources
        if source.price_microticks is not None
    ]
    total = sum(weight for _, weight, _ in answers)
    if total <= 0:
        return None
    price = _nearest(sum(price * weight for price, weight, _ in answers), total)
    spread = sum(abs(one - price) * weight for one, weight, _ in answers)
    trusted = sum(source.weight for source in sources)
    answered = sum(trust for _, weight, trust in answers if weight > 0)
    tolerated = price * DISAGREEMENT_BPS_MAX * total
    doubt_bps = BPS_ONE if tolerated <= 0 else min(BPS_ONE, spread * BPS_ONE**2 // tolerated)
    return FairValue(
        price_microticks=price,
        confidence_bps=answered * (BPS_ONE - doubt_bps) // trusted,
    )


def _nearest(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)

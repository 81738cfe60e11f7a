"""What a reader of a calibration must know before using it, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from dmm.calibration.arrival import ArrivalFit
from dmm.calibration.observation import SILENCE_NS_MAX, Observation
from dmm.calibration.recalibrate import misfits
from dmm.calibration.volatility import HORIZON_S, SIGMA_BPS_MAX, SIGMA_BPS_MIN, horizon_bps
from dmm.units.time import NS_PER_S

if TYPE_CHECKING:
    from dmm.calibration.measure import BookFacts, Calibration

RANGE_RATIO_MAX = 1.25
"""κ of half or double the fit range off by more than this hangs on the choice of the range."""

MLE_RATIO_MAX = 1.5
"""The exponential's own κ off by more than this from the fitted one: no exponential."""

WHOLE_MIN = 0.95
"""Share of books below which a depth band is called incomplete."""


def caveats_of(found: Calibration, seen: Observation) -> tuple[str, ...]:
    """Return all warnings about a calibration, those of the tape first."""
    return (*_tape(seen), *_book(found.book), *_arrival(found), *_liquidity(found))


def _tape(seen: Observation) -> Iterator[str]:
    if seen.at_ns.size < 2:
        yield "the tape holds no book: only its trades are measured"
    if not seen.trade_size.size:
        yield "the tape holds no trades: nothing is said of arrivals and flow"
    if seen.from_quotes and seen.at_ns.size:
        yield "the tape holds no depth messages: its best quotes are the states"
    if seen.unusable:
        yield f"{seen.unusable} book states were crossed or one-sided and are left out"
    if seen.cut_samples:
        yield "the tape is longer than the books looked at: depth is of its beginning"
    silent = np.diff(seen.at_ns)[seen.silent]
    if silent.size:
        yield (
            f"{silent.size} silences longer than {SILENCE_NS_MAX // NS_PER_S} s, "
            f"{int(silent.sum()) // NS_PER_S} s in all, are left out of σ, drift and rates"
        )


def _book(book: BookFacts | None) -> Iterator[str]:
    if book is None:
        return
    sigma = book.sigma_ticks_1s.value
    mid = sum(book.last) / 2
    over_horizon = horizon_bps(sigma, mid_ticks=mid)
    if sigma == 0:
        yield "σ is 0: the mid never moved, and no model can be quoted with it"
    elif not SIGMA_BPS_MIN <= over_horizon <= SIGMA_BPS_MAX:
        yield (
            f"σ is {over_horizon:.1f} bps over {HORIZON_S} s, outside the clamp "
            f"{SIGMA_BPS_MIN:g} to {SIGMA_BPS_MAX:g}"
        )
    empty = [str(at + 1) for at, value in enumerate(book.drift_ticks) if value is None]
    if empty:
        yield f"no state in fifth {', '.join(empty)} of the imbalance"


def _arrival(found: Calibration) -> Iterator[str]:
    fit = found.arrival
    if fit is None:
        return
    if not isinstance(fit, ArrivalFit):
        yield (
            f"no κ: {fit.depths} trades beyond the mid reached {fit.levels} distances of the fit "
            "range, too few for a line"
        )
        return
    yield from (f"κ misfits: {reason}" for reason in misfits(fit))
    if _apart(fit.mle_per_tick, fit.kappa_per_tick) > MLE_RATIO_MAX:
        yield (
            f"depths are not exponential: 1/mean depth is {fit.mle_per_tick:.4g} per tick, the "
            f"fit {fit.kappa_per_tick:.4g}"
        )
    for fit_range, kappa in found.kappa_by_range:
        if kappa is not None and _apart(kappa, fit.kappa_per_tick) > RANGE_RATIO_MAX:
            yield (
                f"κ hangs on the fit range: {kappa:.4g} over {fit_range.from_ticks}:"
                f"{fit_range.to_ticks}, {fit.kappa_per_tick:.4g} over the one asked for"
            )


def _liquidity(found: Calibration) -> Iterator[str]:
    if found.liquidity is None:
        return
    for band in found.liquidity.depths:
        if band.whole < WHOLE_MIN:
            yield (
                f"depth within {band.band_bps} bps is a lower bound: the book was known that far "
                f"in {band.whole:.0%} of the looks"
            )


def _apart(one: float, other: float) -> float:
    """Return the ratio of the greater to the smaller, infinite unless both are positive."""
    low, high = min(one, other), max(one, other)
    return high / low if low > 0 else float("inf")

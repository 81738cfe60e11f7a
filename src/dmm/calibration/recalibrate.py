"""From measurements to estimates in use: adopted, held or refused.

A measurement replaces the last adopted estimate only when there was enough to measure, it fits, and
it lies inside the policy's bands.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dmm.calibration.arrival import (
    BLOCK_NS,
    DEFAULT_RANGE,
    FIT_TICKS_MAX,
    ArrivalFit,
    FitRange,
    TooFew,
    fit_arrival,
    kappa_by_range,
)
from dmm.calibration.depth import Depths
from dmm.calibration.estimates import MICRO, NANO, Bands, Estimate, Verdict
from dmm.calibration.volatility import clamp, ewma_sigma_bps, ewma_sigma_ticks, sigma_ticks

CHANGES_MIN = 30
"""Changes of the mid below which no σ is adopted."""

DEPTHS_MIN = 50
"""Trades beyond the mid below which no κ is adopted."""

LEVELS_MIN = 4
"""Distances with λ > 0 below which a line would pass through them by itself."""

R_SQUARED_MIN = 0.8
"""Goodness of fit below which the exponential is not believed."""

CI_RATIO_MAX = 4.0
"""Upper over lower bound of κ, beyond which the interval says nothing."""

BLOCKS_MIN = 20
"""Blocks the bootstrap wants; short observations get shorter blocks."""


def recalibrate_volatility(
    mid_half_ticks: NDArray[np.int64], *, last: Estimate, bands: Bands
) -> Estimate:
    """Measure σ on a grid of one second and adopt it, clamped into the policy's band.

    A σ outside the band is adopted at the band's edge: holding a calmer one would quote too tightly
    in the very storm that was measured.

    Parameters
    ----------
    mid_half_ticks : `MarketSlice.mid_half_ticks`, one per second
    last : the estimate in use
    bands : of the policy in force
    """
    changes = max(0, mid_half_ticks.size - 1)
    if changes < CHANGES_MIN:
        reason = f"{changes} changes of the mid, {CHANGES_MIN} are needed"
        return last.kept(Verdict.HELD, (reason,), {"changes": changes})
    measured = ewma_sigma_ticks(mid_half_ticks) * MICRO
    clamped = clamp(measured, low=bands.sigma_microticks_min, high=bands.sigma_microticks_max)
    edge = {-1: ("σ below the band: its lower edge is used",), 0: ()}
    evidence = {
        "changes": changes,
        "clamped": clamped.moved,
        "sigma_microticks_ewma": math.ceil(measured),
        "sigma_microticks_plain": math.ceil(sigma_ticks(mid_half_ticks) * MICRO),
        "ewma_ubps": math.ceil(ewma_sigma_bps(mid_half_ticks) * MICRO),
    }
    return replace(
        last,
        version=last.version + 1,
        sigma_microticks=min(math.ceil(clamped.value), bands.sigma_microticks_max),
        verdict=Verdict.ADOPTED,
        reasons=edge.get(clamped.moved, ("σ above the band: its upper edge is used",)),
        evidence=evidence,
    )


def recalibrate_arrival(
    depths: Depths,
    *,
    last: Estimate,
    bands: Bands,
    rng: np.random.Generator,
    fit_range: FitRange = DEFAULT_RANGE,
) -> Estimate:
    """Fit κ and A and adopt them if the fit is good and κ lies inside the policy's band.

    Parameters
    ----------
    depths : of one observation, see `positive_depths`
    last : the estimate in use
    bands : of the policy in force
    rng : for the bootstrap; seed it from the epoch, so that a repeat says the same
    fit_range : in ticks
    """
    found = depths.depth_half_ticks.size
    if found < DEPTHS_MIN:
        reason = f"{found} trades beyond the mid, {DEPTHS_MIN} are needed"
        return last.kept(Verdict.HELD, (reason,), {"depths": found})
    fit = fit_arrival(
        depths,
        rng=rng,
        fit_range=fit_range,
        block_ns=max(1, min(BLOCK_NS, depths.duration_ns // BLOCKS_MIN)),
    )
    if isinstance(fit, TooFew):
        reason = f"{fit.levels} distances reached, {LEVELS_MIN} are needed"
        return last.kept(Verdict.HELD, (reason,), {"depths": fit.depths, "levels": fit.levels})
    evidence = _evidence(fit, depths)
    reasons = (*misfits(fit), *_outside(fit, bands))
    if reasons:
        return last.kept(Verdict.FALLBACK, reasons, evidence)
    return replace(
        last,
        version=last.version + 1,
        kappa_nano=math.floor(fit.kappa_per_tick * NANO),
        a_micro=math.floor(fit.a_per_s * MICRO),
        a_bid_micro=math.floor(fit.a_bid_per_s * MICRO),
        a_ask_micro=math.floor(fit.a_ask_per_s * MICRO),
        verdict=Verdict.ADOPTED,
        reasons=(),
        evidence=evidence,
    )


def misfits(fit: ArrivalFit) -> tuple[str, ...]:
    """Return why a fit is not believed, in words; none when it passes the gate."""
    reasons = []
    if fit.kappa_per_tick <= 0:
        reasons.append("κ is not positive: deeper trades are not rarer")
    if fit.levels < LEVELS_MIN:
        reasons.append(f"{fit.levels} distances reached, {LEVELS_MIN} are needed")
    if fit.r_squared < R_SQUARED_MIN:
        reasons.append(f"R² {fit.r_squared:.3f} is below {R_SQUARED_MIN}")
    if not 0 < fit.kappa_high <= CI_RATIO_MAX * fit.kappa_low:
        reasons.append(f"95 % of κ is {fit.kappa_low:.4g} to {fit.kappa_high:.4g}: too wide")
    return tuple(reasons)


def _outside(fit: ArrivalFit, bands: Bands) -> tuple[str, ...]:
    kappa_nano = math.floor(fit.kappa_per_tick * NANO)
    if bands.kappa_nano_min <= kappa_nano <= bands.kappa_nano_max:
        return ()
    return (
        f"κ {kappa_nano} nano is outside the band {bands.kappa_nano_min} to {bands.kappa_nano_max}",
    )


def _evidence(fit: ArrivalFit, depths: Depths) -> dict[str, int]:
    """Return the fit as integers; what is infinite or unknown is left out."""
    fit_range = fit.fit_range
    start, width = fit_range.from_ticks, fit_range.to_ticks - fit_range.from_ticks
    half = FitRange(from_ticks=start, to_ticks=start + max(2, width // 2))
    double = FitRange(from_ticks=start, to_ticks=min(start + 2 * width, FIT_TICKS_MAX))
    of_half, of_double = kappa_by_range(depths, (half, double))
    measured: dict[str, tuple[float | None, int]] = {
        "kappa_nano": (fit.kappa_per_tick, NANO),
        "kappa_nano_low": (fit.kappa_low, NANO),
        "kappa_nano_high": (fit.kappa_high, NANO),
        "kappa_nano_half_range": (of_half, NANO),
        "kappa_nano_double_range": (of_double, NANO),
        "mle_nano": (fit.mle_per_tick, NANO),
        "a_micro": (fit.a_per_s, MICRO),
        "a_bid_micro": (fit.a_bid_per_s, MICRO),
        "a_ask_micro": (fit.a_ask_per_s, MICRO),
        "r_squared_micro": (fit.r_squared, MICRO),
    }
    return {
        "fit_from_ticks": fit_range.from_ticks,
        "fit_to_ticks": fit_range.to_ticks,
        "levels": fit.levels,
        "depths": fit.depths,
        **{
            name: math.floor(value * scale)
            for name, (value, scale) in measured.items()
            if value is not None and math.isfinite(value)
        },
    }

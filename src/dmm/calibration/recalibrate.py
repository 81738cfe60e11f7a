"""From measurements to estimates in use: adopted, held or refused.

A measurement replaces the last adopted estimate only when there was enough to measure, it fits, and
it lies inside the policy's bands. Too little or outside the bands is held, a misfit falls back:
both leave the last adopted numbers in use.

Each κ is also compared with the one adopted before it: z = (ln κ − ln κ')/√(s² + s'²), s being a
quarter of the width of the 95 % interval of ln κ in normal quantiles, (ln high − ln low)/(2·1.96).
Logarithms, because κ is positive and its interval skewed. |z| > 1.96 is a drift, and the fit falls
back: one window that contradicts the last adopted κ is no proof that the market changed. A second
one is: a fit of other trades that drifts too, and agrees by the same test with the one refused
before it, is adopted.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dmm.calibration.arrival import (
    DEFAULT_RANGE,
    ArrivalFit,
    FitRange,
    TooFew,
    fit_arrival,
    kappa_by_range,
)
from dmm.calibration.bootstrap import Z95, block_ns_of, ratio_ci95
from dmm.calibration.depth import Depths
from dmm.calibration.estimates import MICRO, MILLI, NANO, Bands, Estimate, Verdict
from dmm.calibration.volatility import clamp, ewma_sigma_bps, ewma_sigma_ticks, sigma_ticks
from dmm.units.time import NS_PER_S

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

WINDOW_BLOCKS = 200
"""Blocks of a long window: of a week they are fifty minutes, since trades cluster by the hour."""

DRIFTED = "drifted"
"""Marks in the evidence a fit that passed every gate but that of drift."""

_CONFIRMED = "a second window says the same: adopted"


def recalibrate_volatility(
    mid_half_ticks: NDArray[np.int64],
    *,
    last: Estimate,
    bands: Bands,
    rng: np.random.Generator,
    heard: NDArray[np.bool_] | None = None,
) -> Estimate:
    """Measure σ on a grid of one second and adopt it, clamped into the policy's band.

    A σ outside the band is adopted at the band's edge: holding a calmer one would quote too tightly
    in the very storm that was measured.

    Parameters
    ----------
    mid_half_ticks : `MarketSlice.mid_half_ticks`, one per second
    last : the estimate in use
    bands : of the epoch's policy
    rng : for the interval; seed it from the epoch, so that a repeat says the same
    heard : by change, False where it spans more or less than a second and does not count
    """
    if heard is None:
        heard = np.ones(max(0, mid_half_ticks.size - 1), dtype=np.bool_)
    changes = int(np.count_nonzero(heard))
    if changes < CHANGES_MIN:
        reason = f"{changes} changes of the mid, {CHANGES_MIN} are needed"
        return last.kept(Verdict.HELD, (reason,), {"changes": changes})
    measured = ewma_sigma_ticks(mid_half_ticks, heard=heard) * MICRO
    if measured == 0:
        reason = f"σ is 0: the mid never moved in {changes} changes"
        return last.kept(Verdict.FALLBACK, (reason,), {"changes": changes})
    clamped = clamp(measured, low=bands.sigma_microticks_min, high=bands.sigma_microticks_max)
    edge = {-1: ("σ below the band: its lower edge is used",), 0: ()}
    evidence = {
        "changes": changes,
        "clamped": clamped.moved,
        "sigma_microticks_ewma": math.ceil(measured),
        "sigma_microticks_plain": math.ceil(sigma_ticks(mid_half_ticks, heard=heard) * MICRO),
        "ewma_ubps": math.ceil(ewma_sigma_bps(mid_half_ticks, heard=heard) * MICRO),
        **_sigma_bounds(np.diff(mid_half_ticks)[heard], rng),
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
    is_apart: bool = False,
) -> Estimate:
    """Fit κ and A and adopt them if the fit is good, inside the policy's band and no drift.

    Parameters
    ----------
    depths : of one observation, see `positive_depths`
    last : the estimate in use
    bands : of the epoch's policy
    rng : for the bootstrap; seed it from the epoch, so that a repeat says the same
    fit_range : in ticks
    is_apart : the depths are none of those that the row of `last` was fitted on
    """
    found = depths.depth_half_ticks.size
    if found < DEPTHS_MIN:
        reason = f"{found} trades beyond the mid, {DEPTHS_MIN} are needed"
        return last.kept(Verdict.HELD, (reason,), {"depths": found})
    fit = fit_arrival(
        depths,
        rng=rng,
        fit_range=fit_range,
        block_ns=max(block_ns_of(depths.duration_ns), depths.duration_ns // WINDOW_BLOCKS),
    )
    if isinstance(fit, TooFew):
        reason = f"{fit.levels} distances reached, {LEVELS_MIN} are needed"
        return last.kept(Verdict.HELD, (reason,), {"depths": fit.depths, "levels": fit.levels})
    evidence = _evidence(fit, depths)
    drifted: tuple[str, ...] = ()
    z = drift_z(fit, kappa_nano=last.kappa_nano, bounds=last.kappa_bounds)
    if z is not None:
        evidence["drift_z_milli"] = round(z * MILLI)
        drifted = (_told(fit, last, z),) if abs(z) > Z95 else ()
    misfit, outside = misfits(fit), _outside(fit, bands)
    if misfit:
        return last.kept(Verdict.FALLBACK, (*misfit, *outside, *drifted), evidence)
    if outside:
        return last.kept(Verdict.HELD, (*outside, *drifted), evidence)
    if drifted and not (is_apart and _confirms(fit, last)):
        return last.kept(Verdict.FALLBACK, drifted, {**evidence, DRIFTED: 1})
    return replace(
        last,
        version=last.version + 1,
        kappa_nano=math.floor(fit.kappa_per_tick * NANO),
        a_micro=math.floor(fit.a_per_s * MICRO),
        a_bid_micro=math.floor(fit.a_bid_per_s * MICRO),
        a_ask_micro=math.floor(fit.a_ask_per_s * MICRO),
        verdict=Verdict.ADOPTED,
        reasons=(*drifted, *((_CONFIRMED,) if drifted else ())),
        evidence=evidence,
    )


def _confirms(fit: ArrivalFit, last: Estimate) -> bool:
    """Tell whether a fit agrees with the one that fell back for its drift alone just before it."""
    refused = last.evidence
    if last.verdict is not Verdict.FALLBACK or not refused.get(DRIFTED):
        return False
    z = drift_z(
        fit,
        kappa_nano=refused["kappa_nano"],
        bounds=(refused["kappa_nano_low"], refused["kappa_nano_high"]),
    )
    return z is not None and abs(z) <= Z95


def _sigma_bounds(
    changes_half_ticks: NDArray[np.int64], rng: np.random.Generator
) -> dict[str, int]:
    """Return the 95 % interval of the plain σ, in 1e-6 ticks; nothing with one block."""
    changes = changes_half_ticks / 2
    at_ns = np.arange(changes.size, dtype=np.int64) * NS_PER_S
    squares = np.square(changes - np.mean(changes))
    found = ratio_ci95(squares, np.ones(changes.size), at_ns, rng=rng)
    if found is None or not math.isfinite(found.high):
        return {}
    return {
        "sigma_microticks_low": math.floor(math.sqrt(max(0.0, found.low)) * MICRO),
        "sigma_microticks_high": math.ceil(math.sqrt(found.high) * MICRO),
    }


def _told(fit: ArrivalFit, last: Estimate, z: float) -> str:
    moved = fit.kappa_per_tick * NANO / last.kappa_nano - 1
    return f"κ drifted by {moved:+.0%} from the adopted one: z = {z:.1f}"


def drift_z(fit: ArrivalFit, *, kappa_nano: int, bounds: tuple[int, int]) -> float | None:
    """Return z of ln κ against another κ; None when either has no usable interval.

    Parameters
    ----------
    fit : the new measurement
    kappa_nano : the other κ per tick times 1e9, for example the one in use
    bounds : its 95 % interval in the same scale, zeros when unknown
    """
    low, high = bounds
    if not (0 < low < high and 0 < fit.kappa_low < fit.kappa_high < math.inf):
        return None
    if kappa_nano <= 0 or fit.kappa_per_tick <= 0:
        return None
    error = math.log(fit.kappa_high / fit.kappa_low) / (2 * Z95)
    error_before = math.log(high / low) / (2 * Z95)
    moved = math.log(fit.kappa_per_tick * NANO / kappa_nano)
    return moved / math.hypot(error, error_before)


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
    of_half, _same, of_double = kappa_by_range(depths, fit_range.around)
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

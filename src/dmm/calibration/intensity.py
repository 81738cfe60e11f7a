"""Trading intensity as Hummingbot fits it: λ(d) = α·exp(−κ·d) straight through the λ.

`arrival` fits ln λ instead, where each distance weighs the same. Both are kept: this one reproduces
that project's trailing estimator, whose sizes per distance are no counts.

References
----------
Hummingbot, trailing indicators `trading_intensity` and `instant_volatility`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STEPS_MAX = 200
"""Steps of the search; from any start it needs a few dozen."""

STEP_MIN = 1e-15
"""Relative gain below which the search has arrived."""

DAMPING_START = 1e-3
DAMPING_MAX = 1e18


@dataclass(frozen=True, slots=True, kw_only=True)
class IntensityFit:
    """α per unit of λ and κ per unit of distance, with R² of λ; both are at least 0."""

    alpha: float
    kappa: float
    r_squared: float
    points: int


def fit_intensity(
    distance: NDArray[np.float64], intensity: NDArray[np.float64]
) -> IntensityFit | None:
    """Return α and κ of least squares of λ = α·e^(−κ·d); None unless two distances differ.

    Levenberg–Marquardt from the straight line through ln λ. Where the best κ would be negative, κ
    is 0 and α the mean.

    Parameters
    ----------
    distance : d >= 0
    intensity : λ > 0, one per distance

    Raises
    ------
    ValueError
        If the arrays differ in length or hold what is no finite number, or λ is not positive.
    """
    if distance.size != intensity.size:
        raise ValueError(f"{distance.size} distances and {intensity.size} intensities: must match")
    if not (np.isfinite(distance).all() and np.isfinite(intensity).all()):
        raise ValueError("distances and intensities must be finite numbers")
    if (intensity <= 0).any():
        raise ValueError(f"intensities must be positive, got {float(intensity.min())}")
    if distance.size < 2 or np.ptp(distance) == 0:
        return None
    # Distances as fine as 1e-5 make normal equations poor: search in units of their range.
    unit = float(np.ptp(distance))
    start = float(distance.min())
    alpha, kappa = _search((distance - start) / unit, intensity)
    kappa, alpha = kappa / unit, alpha * math.exp(kappa / unit * start)
    if kappa < 0:
        kappa, alpha = 0.0, float(np.mean(intensity))
    rest = intensity - alpha * np.exp(-kappa * distance)
    spread = float(np.sum(np.square(intensity - np.mean(intensity))))
    unexplained = float(np.sum(np.square(rest)))
    return IntensityFit(
        alpha=alpha,
        kappa=kappa,
        r_squared=1 - unexplained / spread if spread > 0 else 0.0,
        points=distance.size,
    )


def _search(d: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    slope, intercept = np.polyfit(d, np.log(y), 1)
    at = np.array([math.exp(intercept), -slope])
    rest, damping = _rest(at, d, y), DAMPING_START
    for _ in range(STEPS_MAX):
        decay = np.exp(-at[1] * d)
        gradient = np.column_stack((decay, -at[0] * d * decay))
        normal = gradient.T @ gradient
        step = np.linalg.solve(normal + damping * np.diag(np.diag(normal)), gradient.T @ rest)
        tried = _rest(at + step, d, y)
        old, new = float(rest @ rest), float(tried @ tried)
        if not new <= old:
            damping *= 4
            if damping > DAMPING_MAX:
                break
            continue
        at, rest, damping = at + step, tried, damping / 4
        if float(np.abs(step).max()) <= STEP_MIN * float(np.abs(at).max()):
            break
    return float(at[0]), float(at[1])


def _rest(
    at: NDArray[np.float64], d: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.asarray(y - at[0] * np.exp(np.clip(-at[1] * d, -700.0, 700.0)))


def instant_volatility(samples: NDArray[np.float64]) -> float:
    """Return √(Σ diff²/n) over n samples: no mean is removed, and n counts samples, not changes.

    Parameters
    ----------
    samples : prices in any unit, oldest first

    Raises
    ------
    ValueError
        With fewer than two samples, or one that is no finite number.
    """
    if samples.size < 2 or not np.isfinite(samples).all():
        raise ValueError(f"volatility needs two finite samples, got {samples.size}")
    return math.sqrt(float(np.sum(np.square(np.diff(samples)))) / samples.size)


def amounts_by_distance(
    distance: NDArray[np.float64], amount: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return distinct distances, rising, and the amount traded at each: what the fit is fed with.

    Parameters
    ----------
    distance : of each trade from the mid before it, >= 0
    amount : of the same trades, > 0
    """
    distinct, which = np.unique(distance, return_inverse=True)
    return distinct, np.bincount(which, weights=amount, minlength=distinct.size).astype(np.float64)

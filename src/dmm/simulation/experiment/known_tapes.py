"""Tapes whose κ, A and σ are known, and how often the estimators' intervals hold them.

Trades arrive as a Poisson process at rate A and reach exponentially deep with mean 1/κ, the mid is
a random walk of σ ticks over a second: the model the estimators assume, so that whatever coverage
is missing is theirs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dmm.calibration.arrival import ArrivalFit, FitRange, fit_arrival
from dmm.calibration.bootstrap import block_ns_of
from dmm.calibration.depth import Depths
from dmm.calibration.volatility import sigma_interval
from dmm.simulation.experiment.coverage import Share, coverage
from dmm.units.errors import UsageFault
from dmm.units.time import NS_PER_S

TAPES_MAX = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownMarket:
    """What is known of a tape.

    Parameters
    ----------
    kappa_per_tick, a_per_s : of λ(x) = A·exp(−κ·x), > 0
    sigma_ticks_1s : σ of the mid over one second, > 0
    duration_s : length of a tape, > 1
    """

    kappa_per_tick: float
    a_per_s: float
    sigma_ticks_1s: float
    duration_s: int

    def __post_init__(self) -> None:
        if not min(self.kappa_per_tick, self.a_per_s, self.sigma_ticks_1s) > 0:
            raise UsageFault(f"κ, A and σ must be above 0, got {self}")
        if self.duration_s <= 1:
            raise UsageFault(f"a tape lasts more than one second, got {self.duration_s}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """The share of tapes whose 95 % interval held the truth; `unfitted` tapes had no fit."""

    kappa: Share
    a: Share
    sigma: Share
    unfitted: int


def simulated_depths(market: KnownMarket, rng: np.random.Generator) -> Depths:
    """Return the depths of a tape's trades, a half tick being the finest that a mid allows.

    Rounded up, so that as many lie beyond each half tick as before.
    """
    count = rng.poisson(market.a_per_s * market.duration_s)
    span_ns = market.duration_s * NS_PER_S
    reach = rng.exponential(2 / market.kappa_per_tick, count)
    return Depths(
        at_ns=np.sort(rng.integers(0, span_ns, count)),
        depth_half_ticks=np.maximum(1, np.ceil(reach)).astype(np.int64),
        is_buy=rng.random(count) < 0.5,
        started_at_ns=0,
        duration_ns=span_ns,
    )


def covered(
    market: KnownMarket, *, tapes: int, rng: np.random.Generator, fit_range: FitRange
) -> Covered:
    """Return how often the intervals of κ, A and σ hold the truth on so many tapes.

    Parameters
    ----------
    tapes : 1 to `TAPES_MAX`
    rng : of tapes and bootstraps
    fit_range : of κ and A, in ticks; it should end where trades still reach

    Raises
    ------
    UsageFault
        If the number of tapes is out of bounds, or none had a fit.
    """
    if not 1 <= tapes <= TAPES_MAX:
        raise UsageFault(f"1 to {TAPES_MAX} tapes can be simulated, got {tapes}")
    fits: list[ArrivalFit] = []
    sigmas: list[tuple[float, float]] = []
    for _ in range(tapes):
        depths = simulated_depths(market, rng)
        block_ns = block_ns_of(depths.duration_ns)
        fit = fit_arrival(depths, rng=rng, fit_range=fit_range, block_ns=block_ns)
        if isinstance(fit, ArrivalFit):
            fits.append(fit)
        changes = market.sigma_ticks_1s * rng.standard_normal(market.duration_s)
        found = sigma_interval(changes, rng=rng)
        sigmas.append((found.low, found.high))
    if not fits:
        raise UsageFault("no tape had a fit: let trades be more frequent or tapes longer")
    low, high = np.array(sigmas).T
    return Covered(
        kappa=coverage(
            np.array([fit.kappa_low for fit in fits]),
            np.array([fit.kappa_high for fit in fits]),
            np.array(market.kappa_per_tick),
        ),
        a=coverage(
            np.array([fit.a_low for fit in fits]),
            np.array([fit.a_high for fit in fits]),
            np.array(market.a_per_s),
        ),
        sigma=coverage(low, high, np.array(market.sigma_ticks_1s)),
        unfitted=tapes - len(fits),
    )

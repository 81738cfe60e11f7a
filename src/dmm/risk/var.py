"""Value at risk and its tail mean by historical simulation, in whole atoms, with intervals.

Losses L = −P&L of n equally likely scenarios, sorted upwards; level α in basis points.

- VaR is the lower empirical quantile: L of rank ⌈nα⌉. Nothing is interpolated, so it is a loss
  that happened.
- CVaR is the expected shortfall of Acerbi & Tasche (2002), Journal of Banking & Finance 26(7),
  1487–1503: the mean of the worst n(1−α) scenarios, the one at the quantile counted in part,
  rounded up. It is coherent, and never below VaR.

A negative figure is a profit even in the tail.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dmm.units.amount import BPS_ONE, Atoms, ceil_div
from dmm.units.errors import UsageFault

SCENARIOS_MAX = 1_000_000
RESAMPLES_MAX = 10_000
RESAMPLES = 500
CONFIDENCE_BPS = 9_500


@dataclass(frozen=True, slots=True, kw_only=True)
class InsufficientData:
    """Too few scenarios: the tail would hold less than one of them."""

    scenarios: int
    scenarios_min: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A two-sided confidence interval in atoms; `confidence_bps` is its own, basis points."""

    low_atoms: Atoms
    high_atoms: Atoms
    confidence_bps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TailRisk:
    """Loss figures at one level, in atoms of one numéraire; `level_bps` is α."""

    level_bps: int
    scenarios: int
    var_atoms: Atoms
    cvar_atoms: Atoms


def simulated_pnl(
    exposures_atoms: Sequence[int], returns: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Return the P&L of today's exposures in each past period, atoms, rounded down.

    Linear exposures only: what an option or an inverse contract would do is not linear in the
    return, and is revalued in `dmm.risk.stress`.

    Parameters
    ----------
    exposures_atoms : signed worth of each asset in one numéraire
    returns : simple returns, one row a period and one column an asset, all finite and >= −1

    Raises
    ------
    UsageFault
        If shapes do not fit, or a return is no number or below −1; the text names its place.
    """
    periods, assets = returns.shape if returns.ndim == 2 else (0, -1)
    if assets != len(exposures_atoms):
        raise UsageFault(
            f"returns of shape {returns.shape} do not fit {len(exposures_atoms)} exposures: one "
            "row a period, one column an asset"
        )
    bad = ~(np.isfinite(returns) & (returns >= -1))
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise UsageFault(
            f"return {returns[row, column]} in period {row} of asset {column} is no simple return"
        )
    weights = np.asarray(exposures_atoms, dtype=np.float64)
    pnl = np.floor((returns * weights).sum(axis=1)) if periods else np.empty(0)
    if periods and np.abs(pnl).max() >= 2.0**62:
        raise UsageFault("exposures are too large to be simulated in 64 bits: use larger atoms")
    return pnl.astype(np.int64)


def tail_risk(pnl_atoms: Sequence[int], *, level_bps: int) -> TailRisk | InsufficientData:
    """Return VaR and CVaR of equally likely scenarios.

    Parameters
    ----------
    pnl_atoms : P&L of each scenario, up to `SCENARIOS_MAX`
    level_bps : α in basis points, 1 to 9_999; 9_900 is 99 %

    Raises
    ------
    UsageFault
        If the level is out of range, or scenarios are too many.
    """
    losses = _losses(pnl_atoms)
    scenarios_min = _scenarios_min(level_bps)
    n = len(losses)
    if n < scenarios_min:
        return InsufficientData(scenarios=n, scenarios_min=scenarios_min)
    worst = losses[ceil_div(n * level_bps, BPS_ONE) - 1 :]
    return TailRisk(
        level_bps=level_bps,
        scenarios=n,
        var_atoms=Atoms(worst[0]),
        cvar_atoms=Atoms(_tail_mean(worst, scenarios=n, level_bps=level_bps)),
    )


def var_interval(
    pnl_atoms: Sequence[int], *, level_bps: int, confidence_bps: int = CONFIDENCE_BPS
) -> Interval | None:
    """Return an interval for VaR from order statistics, free of any assumption on the shape.

    The number of losses at or below the true quantile is binomial(n, α); ranks are taken outwards
    from both ends while each tail stays within half of what may be missed. `confidence_bps` of the
    result is what these ranks cover, at least the one asked for. None when the sample is too short
    for that: its extremes do not reach far enough.

    Parameters
    ----------
    pnl_atoms : P&L of independent scenarios
    level_bps : α, basis points, 1 to 9_999
    confidence_bps : 1 to 9_999

    References
    ----------
    David & Nagaraja (2003), Order Statistics, 3rd edition: intervals for quantiles.
    """
    losses = _losses(pnl_atoms)
    _scenarios_min(level_bps)
    _scenarios_min(confidence_bps)
    tail = (1 - confidence_bps / BPS_ONE) / 2
    below = _binomial_cdf(len(losses), level_bps / BPS_ONE)
    # The quantile lies at or above rank r unless fewer than r losses lie at or below it.
    low = max((r for r in range(1, len(losses) + 1) if below[r - 1] <= tail), default=0)
    high = min((r for r in range(1, len(losses) + 1) if 1 - below[r - 1] <= tail), default=0)
    if not low or not high:
        return None
    covered = below[high - 1] - below[low - 1]
    return Interval(
        low_atoms=Atoms(losses[low - 1]),
        high_atoms=Atoms(losses[high - 1]),
        confidence_bps=math.floor(covered * BPS_ONE),
    )


def cvar_interval(
    pnl_atoms: Sequence[int],
    *,
    level_bps: int,
    rng: np.random.Generator,
    block_scenarios: int = 1,
    resamples: int = RESAMPLES,
    confidence_bps: int = CONFIDENCE_BPS,
) -> Interval | InsufficientData:
    """Return a percentile bootstrap interval for CVaR.

    Blocks of neighbouring scenarios are drawn from the ring of all of them, so that losses which
    come in clusters stay clustered.

    Parameters
    ----------
    pnl_atoms : in the order of time
    level_bps : α, basis points, 1 to 9_999
    rng : source of draws
    block_scenarios : length of a block, 1 for independent scenarios
    resamples : 1 to `RESAMPLES_MAX`
    confidence_bps : 1 to 9_999

    References
    ----------
    Politis & Romano (1992), in Exploring the Limits of Bootstrap: the circular block bootstrap.
    """
    n = len(pnl_atoms)
    estimate = tail_risk(pnl_atoms, level_bps=level_bps)
    if isinstance(estimate, InsufficientData):
        return estimate
    _scenarios_min(confidence_bps)
    if not 1 <= block_scenarios <= n or not 1 <= resamples <= RESAMPLES_MAX:
        raise UsageFault(
            f"a bootstrap of {n} scenarios needs blocks of 1 to {n} and 1 to {RESAMPLES_MAX} "
            f"resamples, got {block_scenarios} and {resamples}"
        )
    pnl = np.asarray(pnl_atoms, dtype=np.int64)
    rank, blocks = ceil_div(n * level_bps, BPS_ONE), ceil_div(n, block_scenarios)
    steps = np.arange(block_scenarios)
    means = []
    for _ in range(resamples):
        starts = rng.integers(0, n, size=blocks)
        drawn = ((starts[:, None] + steps) % n).ravel()[:n]
        worst = np.sort(-pnl[drawn])[rank - 1 :].tolist()
        means.append(_tail_mean(worst, scenarios=n, level_bps=level_bps))
    means.sort()
    cut = resamples * (BPS_ONE - confidence_bps) // (2 * BPS_ONE)
    return Interval(
        low_atoms=Atoms(means[cut]),
        high_atoms=Atoms(means[resamples - 1 - cut]),
        confidence_bps=confidence_bps,
    )


def _losses(pnl_atoms: Sequence[int]) -> list[int]:
    if len(pnl_atoms) > SCENARIOS_MAX:
        raise UsageFault(f"{len(pnl_atoms)} scenarios are more than {SCENARIOS_MAX}")
    return sorted(-int(pnl) for pnl in pnl_atoms)


def _scenarios_min(level_bps: int) -> int:
    if not 0 < level_bps < BPS_ONE:
        raise UsageFault(f"a level must be 1 to {BPS_ONE - 1} basis points, got {level_bps}")
    return ceil_div(BPS_ONE, BPS_ONE - level_bps)


def _tail_mean(worst: Sequence[int], *, scenarios: int, level_bps: int) -> int:
    """Return the mean of the tail, from the loss at the quantile on; rounded up."""
    rank = scenarios - len(worst) + 1
    share_of_first = rank * BPS_ONE - scenarios * level_bps
    weighted = sum(worst[1:]) * BPS_ONE + share_of_first * worst[0]
    return ceil_div(weighted, scenarios * (BPS_ONE - level_bps))


def _binomial_cdf(n: int, p: float) -> list[float]:
    """Return P(X <= k) for k = 0 … n − 1, X binomial; by logarithms, so that no term underflows."""
    log_p, log_q, log_n = math.log(p), math.log1p(-p), math.lgamma(n + 1)
    terms = (
        math.exp(log_n - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * log_p + (n - k) * log_q)
        for k in range(n)
    )
    total, cdf = 0.0, []
    for term in terms:
        total += term
        cdf.append(min(total, 1.0))
    return cdf

"""How much a Sharpe ratio proves, given its length, its shape and the number of tries behind it.

References
----------
Bailey & López de Prado (2012), Journal of Risk 15(2), "The Sharpe Ratio Efficient Frontier".
Bailey & López de Prado (2014), Journal of Portfolio Management 40(5), "The Deflated Sharpe Ratio".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from dmm.simulation.experiment.blocks import Floats, checked_column
from dmm.simulation.experiment.performance import moments, sharpe_ratios
from dmm.simulation.experiment.resample import dependence
from dmm.simulation.experiment.trials import Trials
from dmm.units.errors import UsageFault

NORMAL = NormalDist()
EULER_MASCHERONI = 0.577_215_664_901_532_9

FACTOR_MIN = 1e-9
"""Least value of 1 − γ₃SR + (γ₄−1)SR²/4: it is never negative, and nought for two-valued P&L."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharpeEstimate:
    """A Sharpe ratio with what its uncertainty depends on.

    Parameters
    ----------
    sharpe_per_block : mean over standard deviation, not annualised
    skew, kurtosis : γ₃ and γ₄; 0 and 3 for a normal P&L
    blocks : n, > 1
    effective_blocks : independent blocks that would fix the mean as well, 1 < … <= n
    """

    sharpe_per_block: float
    skew: float
    kurtosis: float
    blocks: int
    effective_blocks: float

    def __post_init__(self) -> None:
        if not 1 < self.effective_blocks <= self.blocks:
            raise UsageFault(
                f"effective blocks must be above 1 and at most {self.blocks}, "
                f"got {self.effective_blocks}: the run is too short for what it repeats"
            )

    @property
    def variance_factor(self) -> float:
        """Return 1 − γ₃SR + (γ₄−1)SR²/4, the variance of √n·SR (Mertens 2002)."""
        sharpe = self.sharpe_per_block
        factor = 1 - self.skew * sharpe + (self.kurtosis - 1) / 4 * sharpe * sharpe
        return max(factor, FACTOR_MIN)


def sharpe_estimate(pnl: Floats) -> SharpeEstimate | None:
    """Return the Sharpe ratio of a P&L with its shape; None if it does not vary.

    Departure from the papers, which take blocks to be independent: n becomes n·γ₀/Σγ where the
    long-run variance exceeds the variance, so that P&L which trends counts for fewer blocks.

    Parameters
    ----------
    pnl : (blocks,), any unit, at least 9 blocks
    """
    column = checked_column(pnl, blocks_min=9)
    shape = moments(column)
    if shape is None:
        return None
    inflation = float(dependence(column).inflation[0])
    return SharpeEstimate(
        sharpe_per_block=float(sharpe_ratios(column)[0]),
        skew=shape[0],
        kurtosis=shape[1],
        blocks=column.size,
        effective_blocks=max(column.size / inflation, 2.0),
    )


def probabilistic_sharpe(estimate: SharpeEstimate, *, benchmark: float = 0.0) -> float:
    """Return the confidence that the true ratio exceeds a benchmark, 0 to 1.

    PSR = Φ((SR − SR*)·√(n−1) / √(1 − γ₃SR + (γ₄−1)SR²/4)).

    Parameters
    ----------
    estimate : of the run
    benchmark : SR*, per block

    References
    ----------
    Bailey & López de Prado (2012), section "Probabilistic Sharpe Ratio".
    """
    excess = estimate.sharpe_per_block - benchmark
    error = math.sqrt(estimate.variance_factor / (estimate.effective_blocks - 1))
    return NORMAL.cdf(excess / error)


def track_record_blocks_min(
    estimate: SharpeEstimate, *, benchmark: float = 0.0, confidence: float = 0.95
) -> float | None:
    """Return the blocks a run must have for its ratio to beat a benchmark with confidence.

    MinTRL = 1 + (1 − γ₃SR + (γ₄−1)SR²/4)·(z/(SR − SR*))², times n over effective blocks. None if
    the ratio does not exceed the benchmark: then no length will do.

    Parameters
    ----------
    estimate : of the run
    benchmark : SR*, per block
    confidence : 0.5 < … < 1

    References
    ----------
    Bailey & López de Prado (2012), section "Track Record Length".
    """
    if not 0.5 < confidence < 1:
        raise UsageFault(f"confidence must lie between 0.5 and 1, got {confidence}")
    excess = estimate.sharpe_per_block - benchmark
    if excess <= 0:
        return None
    needed = 1 + estimate.variance_factor * (NORMAL.inv_cdf(confidence) / excess) ** 2
    return needed * estimate.blocks / estimate.effective_blocks


def expected_max_sharpe(*, trials: float, variance: float) -> float:
    """Return the ratio that the best of N skill-less trials is expected to show, >= 0.

    SR₀ = √V·((1−γ)·Φ⁻¹(1 − 1/N) + γ·Φ⁻¹(1 − 1/(Ne))), γ being Euler and Mascheroni's constant.

    Parameters
    ----------
    trials : N, effective, >= 1; one trial has nothing to choose from
    variance : V of the trials' ratios, >= 0

    References
    ----------
    Bailey & López de Prado (2014): E[max] over independent trials, derived in their appendix.
    """
    if trials < 1 or variance < 0:
        raise UsageFault(
            f"needs at least one trial and a variance of nought or more, got {trials}, {variance}"
        )
    if trials == 1:
        return 0.0
    near = NORMAL.inv_cdf(1 - 1 / trials)
    far = NORMAL.inv_cdf(1 - 1 / (trials * math.e))
    # Below two trials the approximation turns negative; a choice never lowers the best.
    best = max(0.0, (1 - EULER_MASCHERONI) * near + EULER_MASCHERONI * far)
    return math.sqrt(variance) * best


@dataclass(frozen=True, slots=True, kw_only=True)
class DeflatedSharpe:
    """Confidence that the ratio beats luck; `threshold` is SR₀ per block, what luck would show."""

    confidence: float
    threshold: float
    trials_effective: float
    variance: float


def deflated_sharpe(estimate: SharpeEstimate, trials: Trials) -> DeflatedSharpe:
    """Return the PSR against the best that so many trials would have shown without skill.

    Departure from the paper: V is at least 1/(n−1), the sampling variance of a skill-less ratio.
    Sets that share most of their P&L differ little, and both their number and V would shrink for
    the same reason.

    Parameters
    ----------
    estimate : of the set that was chosen
    trials : all sets that were tried, the chosen one among them

    References
    ----------
    Bailey & López de Prado (2014), section "The Deflated Sharpe Ratio".
    """
    variance = max(trials.sharpe_variance, 1 / (estimate.effective_blocks - 1))
    threshold = expected_max_sharpe(trials=trials.effective, variance=variance)
    return DeflatedSharpe(
        confidence=probabilistic_sharpe(estimate, benchmark=threshold),
        threshold=threshold,
        trials_effective=trials.effective,
        variance=variance,
    )

"""How many independent tries a grid of similar parameter sets amounts to.

References
----------
Galwey (2009), Genetic Epidemiology 33(7): the effective number of tests from eigenvalues.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dmm.simulation.experiment.blocks import Floats, checked_matrix, varying
from dmm.simulation.experiment.performance import sharpe_ratios
from dmm.units.errors import UsageFault


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """What was tried.

    Parameters
    ----------
    tried : sets, > 0
    idle : of them, sets whose P&L never varied; they had no chance to be lucky
    effective : independent tries they amount to, 1 to `tried`
    sharpe_variance : sample variance of the ratios of sets that were not idle, per block, >= 0
    """

    tried: int
    idle: int
    effective: float
    sharpe_variance: float

    def __post_init__(self) -> None:
        if not 1 <= self.effective <= self.tried or not 0 <= self.idle <= self.tried:
            raise UsageFault(
                f"effective trials {self.effective} and idle ones {self.idle} must fit the "
                f"{self.tried} that were tried"
            )


def trials(pnl: Floats) -> Trials:
    """Return the number of tries behind a grid and how much their Sharpe ratios differ.

    Parameters
    ----------
    pnl : (blocks, sets), a column per set that was tried, the discarded ones too
    """
    matrix = checked_matrix(pnl)
    active = varying(matrix)
    ratios = sharpe_ratios(matrix)[active]
    return Trials(
        tried=matrix.shape[1],
        idle=int(matrix.shape[1] - active.sum()),
        effective=effective_trials(matrix),
        sharpe_variance=float(np.var(ratios, ddof=1)) if ratios.size > 1 else 0.0,
    )


def effective_trials(pnl: Floats) -> float:
    """Return (Σ√λ)²/Σλ over the eigenvalues λ of the sets' correlation: 1 if alike, N if apart.

    At most blocks − 1: so few directions are all that so few blocks can tell apart.

    Parameters
    ----------
    pnl : (blocks, sets); sets that never vary count for nothing

    References
    ----------
    Galwey (2009). Counts that square λ fall to about 1 as soon as the sets share one
    factor, although the rest still offers many chances to be lucky.
    """
    matrix = checked_matrix(pnl)
    active = matrix[:, varying(matrix)]
    if active.shape[1] < 2:
        return 1.0
    standard = (active - active.mean(axis=0)) / active.std(axis=0)
    # The smaller of the two products has the same eigenvalues but for noughts.
    wide = standard.shape[1] > standard.shape[0]
    product = standard @ standard.T if wide else standard.T @ standard
    eigenvalues = np.clip(np.linalg.eigvalsh(product / matrix.shape[0]), 0.0, None)
    count = float(np.sum(np.sqrt(eigenvalues)) ** 2 / np.sum(eigenvalues))
    return min(max(count, 1.0), float(active.shape[1]))

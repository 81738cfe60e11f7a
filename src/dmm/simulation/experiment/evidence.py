"""Every figure a verdict on a parameter set rests on, and the rules it is held to."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from dmm.simulation.experiment.blocks import Figure, Floats, varying
from dmm.simulation.experiment.overfitting import Overfitting, backtest_overfitting, subsets_for
from dmm.simulation.experiment.reality import (
    BLOCKS_MIN,
    RESAMPLES_MIN,
    Superiority,
    superior_ability,
)
from dmm.simulation.experiment.resample import RESAMPLES
from dmm.simulation.experiment.sharpe import (
    DeflatedSharpe,
    SharpeEstimate,
    deflated_sharpe,
    probabilistic_sharpe,
    sharpe_estimate,
    track_record_blocks_min,
)
from dmm.simulation.experiment.trials import Trials, trials
from dmm.simulation.experiment.walk_forward import WalkForward
from dmm.units.errors import UsageFault


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a set must reach.

    Parameters
    ----------
    blocks_min : shortest run judged at all, >= 9
    confidence : of track record and deflated Sharpe ratio, 0.5 < … < 1
    p_value_max : of superiority over the benchmark, 0 < … < 1
    overfitting_max, loss_probability_max : overfitted if both are exceeded, 0 to 1
    resamples : of the bootstrap, `RESAMPLES_MIN` or more
    """

    blocks_min: int = 100
    confidence: float = 0.95
    p_value_max: float = 0.05
    overfitting_max: float = 0.5
    loss_probability_max: float = 0.05
    resamples: int = RESAMPLES

    def __post_init__(self) -> None:
        shares = (self.p_value_max, self.overfitting_max, self.loss_probability_max)
        if self.blocks_min < BLOCKS_MIN or not 0.5 < self.confidence < 1:
            raise UsageFault(
                f"needs {BLOCKS_MIN} blocks or more and a confidence between 0.5 and 1, "
                f"got {self.blocks_min} and {self.confidence}"
            )
        if not all(0 < share <= 1 for share in shares):
            raise UsageFault(f"shares must be above 0 and at most 1, got {shares}")
        if self.resamples < RESAMPLES_MIN:
            raise UsageFault(f"needs {RESAMPLES_MIN} resamples or more, got {self.resamples}")

    def to_json(self) -> dict[str, Figure]:
        """Return the rules by name."""
        return asdict(self)


DEFAULT_RULES = Rules()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """Every figure behind a verdict; None where it could not be formed."""

    blocks: int
    chosen: int
    sharpe: SharpeEstimate | None
    confidence: float | None
    trials: Trials
    deflated: DeflatedSharpe | None
    blocks_needed: float | None
    blocks_needed_deflated: float | None
    superiority: Superiority | None
    overfitting: Overfitting | None
    walk_forward_pnl: float | None

    def to_json(self) -> dict[str, Figure]:
        """Return the figures by name."""
        sharpe, deflated, tried, superior = self.sharpe, self.deflated, self.trials, None
        if self.superiority:
            superior = self.superiority.to_json()
            superior["p_chosen"] = float(self.superiority.p_by_set[self.chosen])
        return {
            "blocks": self.blocks,
            "chosen": self.chosen,
            "sharpe_per_block": sharpe.sharpe_per_block if sharpe else None,
            "skew": sharpe.skew if sharpe else None,
            "kurtosis": sharpe.kurtosis if sharpe else None,
            "effective_blocks": sharpe.effective_blocks if sharpe else None,
            "probabilistic_sharpe": self.confidence,
            "track_record_blocks_min": self.blocks_needed,
            "trials": tried.tried,
            "trials_idle": tried.idle,
            "trials_effective": tried.effective,
            "trials_sharpe_variance": tried.sharpe_variance,
            "deflated_sharpe": deflated.confidence if deflated else None,
            "deflated_threshold": deflated.threshold if deflated else None,
            "deflated_variance": deflated.variance if deflated else None,
            "deflated_blocks_min": self.blocks_needed_deflated,
            "superiority": superior,
            "overfitting": self.overfitting.to_json() if self.overfitting else None,
            "walk_forward_pnl": self.walk_forward_pnl,
        }


def gather(
    matrix: Floats,
    *,
    chosen: int,
    rng: np.random.Generator,
    forward: WalkForward | None,
    rules: Rules,
) -> Evidence:
    """Return the figures a run is long enough for.

    Parameters
    ----------
    matrix : (blocks, sets), checked; P&L or its excess over the benchmark's
    chosen : column to judge
    rng : draws the bootstrap
    forward : what choosing forward earned, if that was done
    rules : how long a run must be, and with which confidence
    """
    blocks = matrix.shape[0]
    enough = blocks >= rules.blocks_min and bool(varying(matrix[:, [chosen]])[0])
    estimate = sharpe_estimate(matrix[:, chosen]) if enough else None
    tried = trials(matrix)
    deflated = deflated_sharpe(estimate, tried) if estimate else None
    needed = needed_deflated = None
    if estimate and deflated:
        needed = track_record_blocks_min(estimate, confidence=rules.confidence)
        needed_deflated = track_record_blocks_min(
            estimate, benchmark=deflated.threshold, confidence=rules.confidence
        )
    subsets = subsets_for(blocks)
    return Evidence(
        blocks=blocks,
        chosen=chosen,
        sharpe=estimate,
        confidence=probabilistic_sharpe(estimate) if estimate else None,
        trials=tried,
        deflated=deflated,
        blocks_needed=needed,
        blocks_needed_deflated=needed_deflated,
        superiority=superior_ability(matrix, rng=rng, resamples=rules.resamples)
        if estimate
        else None,
        overfitting=backtest_overfitting(matrix, subsets=subsets) if estimate and subsets else None,
        walk_forward_pnl=float(forward.pnl.sum()) if forward else None,
    )

"""Whether a parameter set may be proposed: promotable, not promotable, or not enough data.

The verdict is made of named checks in the order they are read, each with its words and figures, so
that whoever disagrees knows with what.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from dmm.simulation.experiment.blocks import Figure, Floats, checked_column, checked_matrix
from dmm.simulation.experiment.evidence import DEFAULT_RULES, Evidence, Rules, gather
from dmm.simulation.experiment.walk_forward import WalkForward
from dmm.units.errors import UsageFault


class Standing(StrEnum):
    """What may be done with a parameter set."""

    PROMOTABLE = "promotable"
    NOT_PROMOTABLE = "not_promotable"
    INSUFFICIENT_DATA = "insufficient_data"


class Criterion(StrEnum):
    """Checks in the order they are read."""

    LENGTH = "length"
    EDGE = "edge"
    TRACK_RECORD = "track_record"
    LUCK = "luck"
    DEFLATED_SHARPE = "deflated_sharpe"
    SUPERIORITY = "superiority"
    OVERFITTING = "overfitting"
    WALK_FORWARD = "walk_forward"


WANTS_DATA = frozenset({Criterion.LENGTH, Criterion.TRACK_RECORD, Criterion.DEFLATED_SHARPE})
"""Checks that a longer run may pass with the same figures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One criterion with its outcome in words."""

    criterion: Criterion
    passed: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Verdict:
    """What may be done, why, and with which figures under which rules."""

    standing: Standing
    checks: tuple[Check, ...]
    evidence: Evidence
    rules: Rules

    @property
    def reasons(self) -> tuple[str, ...]:
        """Return the words of the checks that failed; of all of them if none did."""
        failed = tuple(check.text for check in self.checks if not check.passed)
        return failed or tuple(check.text for check in self.checks)

    def to_json(self) -> dict[str, Figure]:
        """Return standing, reasons, checks, figures and rules as plain JSON."""
        return {
            "standing": self.standing.value,
            "reasons": list(self.reasons),
            "checks": [
                {"criterion": one.criterion.value, "passed": one.passed, "text": one.text}
                for one in self.checks
            ],
            "evidence": self.evidence.to_json(),
            "rules": self.rules.to_json(),
        }


def judge(
    pnl: Floats,
    *,
    chosen: int,
    rng: np.random.Generator,
    benchmark: Floats | None = None,
    forward: WalkForward | None = None,
    rules: Rules = DEFAULT_RULES,
) -> Verdict:
    """Judge the set that was chosen from a grid, by all sets that were tried.

    Parameters
    ----------
    pnl : (blocks, sets), net of fees, a column for every set tried, the discarded ones too
    chosen : column of the set to judge
    rng : draws the bootstrap
    benchmark : (blocks,), P&L of what is in force on the same blocks; all is judged by the excess
        over it. None: judged by the P&L itself
    forward : what choosing forward earned, on the same figures, if that was done
    rules : what must be reached

    Raises
    ------
    UsageFault
        If the matrix is out of bounds, or the choice or the benchmark does not fit it.
    """
    matrix = checked_matrix(pnl)
    if not 0 <= chosen < matrix.shape[1]:
        raise UsageFault(f"the chosen set must be 0 to {matrix.shape[1] - 1}, got {chosen}")
    if benchmark is not None:
        column = checked_column(benchmark)
        if column.size != matrix.shape[0]:
            raise UsageFault(
                f"the benchmark has {column.size} blocks, the sets have {matrix.shape[0]}"
            )
        matrix = matrix - column[:, None]
    evidence = gather(matrix, chosen=chosen, rng=rng, forward=forward, rules=rules)
    checks = _checks(evidence, rules)
    return Verdict(standing=_standing(checks), checks=checks, evidence=evidence, rules=rules)


def _checks(evidence: Evidence, rules: Rules) -> tuple[Check, ...]:
    """Return the checks that could be made, in their order."""
    sharpe, deflated = evidence.sharpe, evidence.deflated
    if sharpe is None or deflated is None:
        return (_length(evidence, rules),)
    ratio = sharpe.sharpe_per_block
    needed, needed_deflated = evidence.blocks_needed, evidence.blocks_needed_deflated
    found = [
        _length(evidence, rules),
        Check(
            criterion=Criterion.EDGE,
            passed=ratio > 0,
            text=f"Sharpe ratio {ratio:.4f} a block, must be above 0",
        ),
    ]
    if needed is not None:
        found.append(
            Check(
                criterion=Criterion.TRACK_RECORD,
                passed=evidence.blocks >= needed,
                text=f"{evidence.blocks} blocks, a ratio of {ratio:.4f} needs {needed:.0f} to be "
                f"above 0 at {rules.confidence:.0%}",
            )
        )
    found.append(
        Check(
            criterion=Criterion.LUCK,
            passed=ratio > deflated.threshold,
            text=f"ratio {ratio:.4f}, the best of {deflated.trials_effective:.1f} independent "
            f"trials would show {deflated.threshold:.4f} by luck",
        )
    )
    if needed_deflated is not None:
        found.append(
            Check(
                criterion=Criterion.DEFLATED_SHARPE,
                passed=evidence.blocks >= needed_deflated,
                text=f"deflated Sharpe ratio {deflated.confidence:.3f}, must reach "
                f"{rules.confidence:.2f}: {evidence.blocks} blocks, {needed_deflated:.0f} needed",
            )
        )
    return (*found, *_search_checks(evidence, rules))


def _length(evidence: Evidence, rules: Rules) -> Check:
    long_enough = evidence.blocks >= rules.blocks_min
    text = f"{evidence.blocks} blocks, at least {rules.blocks_min} are needed"
    if long_enough and evidence.sharpe is None:
        text = "the set's result never varies: it did not trade, or not otherwise than in force"
    return Check(
        criterion=Criterion.LENGTH,
        passed=long_enough and evidence.sharpe is not None,
        text=text,
    )


def _search_checks(evidence: Evidence, rules: Rules) -> list[Check]:
    """Return the checks of the search as a whole."""
    found = []
    if evidence.superiority:
        p_value = float(evidence.superiority.p_by_set[evidence.chosen])
        found.append(
            Check(
                criterion=Criterion.SUPERIORITY,
                passed=p_value <= rules.p_value_max,
                text=f"a search without skill does as well with probability {p_value:.3f}, "
                f"at most {rules.p_value_max:.3f} allowed",
            )
        )
    if evidence.overfitting:
        over, loss = evidence.overfitting.probability, evidence.overfitting.loss_probability
        found.append(
            Check(
                criterion=Criterion.OVERFITTING,
                # A grid of equally good sets has no best one to find again: the choice is then
                # arbitrary but harmless, as long as what is chosen does not lose.
                passed=over <= rules.overfitting_max or loss <= rules.loss_probability_max,
                text=f"the best of one half of the time falls into the lower half of the other "
                f"with probability {over:.3f} ({rules.overfitting_max:.2f} allowed) and loses "
                f"there with {loss:.3f} ({rules.loss_probability_max:.2f} allowed)",
            )
        )
    if evidence.walk_forward_pnl is not None:
        found.append(
            Check(
                criterion=Criterion.WALK_FORWARD,
                passed=evidence.walk_forward_pnl > 0,
                text=f"choosing forward earned {evidence.walk_forward_pnl:.0f}, must be above 0",
            )
        )
    return found


def _standing(checks: tuple[Check, ...]) -> Standing:
    """Return what follows from the checks.

    A run too short to show any edge decides nothing. Past that, what more data cannot mend weighs
    more than what it can.
    """
    failed = {check.criterion for check in checks if not check.passed}
    if not failed:
        return Standing.PROMOTABLE
    if failed & {Criterion.LENGTH, Criterion.TRACK_RECORD} or failed <= WANTS_DATA:
        return Standing.INSUFFICIENT_DATA
    return Standing.NOT_PROMOTABLE

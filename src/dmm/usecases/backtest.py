"""From a recording to a verdict: replay every set of a grid on it, choose one, judge it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dmm.governance.policy import Policy
from dmm.ports.research import Recording
from dmm.simulation.experiment.backtest import Backtest, assumptions_of, trial_warnings
from dmm.simulation.experiment.conclusion import conclude
from dmm.simulation.experiment.curves import Curves, curves_of
from dmm.simulation.experiment.grid import Grid, grid_of
from dmm.simulation.experiment.passes import prepared, run_sets, scale_at_start, warm
from dmm.simulation.experiment.plan import Plan
from dmm.simulation.experiment.trial import Trials
from dmm.simulation.replay.prepare import PreparedTape
from dmm.simulation.replay.run import Mapper


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Session:
    """A recording made ready, with the sets to try on it."""

    recording: Recording
    plan: Plan
    grid: Grid
    ready: PreparedTape

    @property
    def events(self) -> int:
        """Return the rows of depth and trades on the tape."""
        return self.ready.book_rows

    def run(self, *, blocks: int = 1, mapper: Mapper = map) -> Trials:
        """Replay all sets in one pass; the result depends on neither argument."""
        return run_sets(self.ready, self.grid.sets, self.plan, blocks=blocks, mapper=mapper)


def open_session(
    recording: Recording,
    *,
    plan: Plan,
    grid: Mapping[str, object] | None,
    in_force: Policy | None = None,
) -> Session:
    """Make a recording and a grid ready, and have the engine compiled.

    Parameters
    ----------
    grid : as a grid file has it; None for the base policy alone
    in_force : the policy to start from; None for the plan's preset at the tape's own scale

    Raises
    ------
    UsageFault
        If a parameter, the grid or the tape cannot be used: it says which and why.
    """
    scale = scale_at_start(recording.columns, recording.instrument)
    sets = grid_of(plan.base(recording.instrument, scale, in_force=in_force), grid)
    warm(recording.columns, recording.instrument, sets.sets[0], plan)
    return Session(
        recording=recording,
        plan=plan,
        grid=sets,
        ready=prepared(recording.columns, recording.instrument, plan),
    )


def finish(session: Session, trials: Trials, *, rng: np.random.Generator) -> Backtest:
    """Judge what a session's sets did.

    Raises
    ------
    UsageFault
        If the tape is too short for the blocks it is judged by.
    """
    judged = conclude(session.grid, [trials], judging=session.plan.judging, rng=rng)
    return Backtest(
        names=session.recording.names,
        instrument=session.recording.instrument,
        plan=session.plan,
        grid=session.grid,
        events=session.events,
        conclusion=judged,
        assumptions=assumptions_of(session.plan),
        warnings=(*session.recording.warnings, *trial_warnings(trials.totals)),
    )


def chosen_curves(session: Session, result: Backtest) -> Curves:
    """Return what the report shows of the chosen set."""
    return curves_of(session.ready, session.grid.sets[result.conclusion.chosen], session.plan)

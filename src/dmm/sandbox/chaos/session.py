"""One lap: a demo under a plan's faults, whose database is lost once and comes from a backup."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from dmm.bootstrap import Desk
from dmm.ports import Run
from dmm.sandbox.chaos.adopt import PAST_S, adopting, leave_adopt_only
from dmm.sandbox.chaos.chains import ChaosChain, open_chain
from dmm.sandbox.chaos.inject import Injector
from dmm.sandbox.chaos.interrupt import LapInterrupted, audited
from dmm.sandbox.chaos.plan import EPOCHS, LOST_EPOCH, Plan
from dmm.sandbox.chaos.timeline import Struck, Timeline
from dmm.sandbox.chaos.verdict import Promised, Verdict, judge, promised
from dmm.sandbox.conductor import EPOCH_JOBS, Conductor
from dmm.sandbox.demo_takers import TRADES_PER_EPOCH
from dmm.sandbox.demo_tape import DemoTape, inspect
from dmm.sandbox.journal import POSTGRES_FOLDER
from dmm.sandbox.request import Request
from dmm.sandbox.runner import FlowRunner
from dmm.sandbox.stack import Stack
from dmm.sandbox.state import StateFolder
from dmm.sandbox.summary import EpochLog
from dmm.settlement.epoch import Job
from dmm.units.errors import OutcomeUnknown, Retryable, ServiceFault

EPOCH_ATTEMPTS_MAX = 12
"""How often an epoch's end is tried under its faults."""

PLAY_ATTEMPTS_MAX = 8
"""How often a lap is played from its start against its journal."""

LEASE_S = 2
"""How long a killed driver's work stays its own, seconds."""

BACKUP_FILE = "desk.backup"
LOST_FOLDER = "postgres.lost"

Say = Callable[[str], None]


class DatabaseLost(Exception):
    """The lap's database is gone, as planned: go on from the backup."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """``dmm backup`` and ``dmm restore``, as the lap calls them; both return what was seen.

    `backup` writes the journal of a state folder in use to a file; `restore` brings a file into a
    state folder without one.
    """

    backup: Callable[[Path, Path], str]
    restore: Callable[[Path, Path], str]
    adopts_s: int
    """How long a restored journal adopts only, seconds of chain time from now."""


@dataclass(slots=True, kw_only=True)
class Lap:
    """A lap's state over the loss of its database."""

    plan: Plan
    folder: StateFolder
    chains: tuple[str, ...]
    timeline: Timeline
    commands: Commands
    request: Request
    done: set[int] = field(default_factory=set)
    """Epochs whose flows and faults are over, in the journal that is in use."""
    struck: set[int] = field(default_factory=set)
    """Epochs whose faults were scheduled."""
    is_restored: bool = False
    is_backed_up: bool = False
    before: Promised = field(default_factory=Promised)
    restore_struck: Struck | None = None
    restarts: int = 0
    logs: dict[int, EpochLog] = field(default_factory=dict)

    @property
    def ahead_s(self) -> int:
        """Return how far the chains' time will be moved ahead of this machine's."""
        return self.commands.adopts_s + PAST_S if self.is_restored else 0

    @property
    def backup_path(self) -> Path:
        """Return where the backup is."""
        return self.folder.root / BACKUP_FILE


def run_lap(
    *,
    plan: Plan,
    folder: StateFolder,
    chains: tuple[str, ...],
    timeline: Timeline,
    say: Say,
    commands: Commands,
) -> tuple[str, Verdict, int]:
    """Play one lap; return its report, its verdict, and how often a process ended by itself.

    There is no report where not everything was settled.

    Raises
    ------
    Fault
        What could not be healed within its bounds; everything that was started is stopped.
    LapInterrupted
        On Ctrl-C while the desk is up, with what its audit said.
    """
    request = Request(
        tape=(), epochs=EPOCHS, seed=plan.market_seed, allow_gaps=False, chains=chains
    )
    lap = Lap(
        plan=plan,
        folder=folder,
        chains=chains,
        timeline=timeline,
        commands=commands,
        request=request,
    )
    with folder:
        folder.start_afresh()
        lap.backup_path.unlink(missing_ok=True)
        request.save(folder.run)
    try:
        _leg(lap, say)
    except DatabaseLost:
        _restore(lap)
    else:
        raise ServiceFault("the lap ended before its database was lost")
    report, verdict = _leg(lap, say)
    return report, verdict, lap.restarts


def _restore(lap: Lap) -> None:
    """Put the lost database aside and bring the backup into a new one."""
    database = lap.folder.run / POSTGRES_FOLDER
    database.rename(lap.folder.run / LOST_FOLDER)
    seen = lap.commands.restore(lap.backup_path, lap.folder.root)
    lap.timeline.note(f"  restored into an empty database: {seen}")
    lap.is_restored = True
    lap.done.clear()


def _leg(lap: Lap, say: Say) -> tuple[str, Verdict]:
    """Run services and session until the end, or until the database is lost."""
    began_s = time.monotonic()
    tape = inspect(lap.request)
    with ExitStack() as opened:
        opened.enter_context(lap.folder)
        threads = opened.enter_context(ThreadPoolExecutor(1, thread_name_prefix="chaos"))
        stack = Stack(
            lap.folder,
            say=say,
            chains=lap.chains,
            opener=functools.partial(open_chain, ahead_s=lap.ahead_s),
            overrides={"DMM_LEASE_S": str(LEASE_S)},
        )
        injector = Injector(
            stack=stack,
            chains=cast("dict[str, ChaosChain]", stack.local_chains),
            timeline=lap.timeline,
            market_seed=lap.plan.market_seed,
        )
        opened.callback(injector.release)
        opened.enter_context(stack)
        opened.callback(injector.stop)
        threads.submit(injector.run)
        try:
            return _played(lap, stack, injector, say=say, began_s=began_s, tape=tape)
        except KeyboardInterrupt:
            left = audited(
                desk=stack.desk,
                chains=lap.chains,
                judged=lambda: _judged(lap, stack),
                injector=injector,
                timeline=lap.timeline,
            )
            raise LapInterrupted(left) from None
        finally:
            lap.restarts += injector.restarts


def _played(
    lap: Lap, stack: Stack, injector: Injector, *, say: Say, began_s: float, tape: DemoTape
) -> tuple[str, Verdict]:
    """Play against the journal until it comes to the end, and judge."""
    for attempt in range(1, PLAY_ATTEMPTS_MAX + 1):
        conductor = ChaosConductor(
            request=lap.request, tape=tape, stack=stack, say=say, lap=lap, injector=injector
        )
        conductor.logs = lap.logs
        try:
            report = conductor.conduct(started_s=began_s).report
            return report, _judged(lap, stack)
        except (Retryable, OutcomeUnknown, ServiceFault) as fault:
            if len(lap.done) == EPOCHS and lap.is_restored:
                # Every fault is over: what does not end now is what the verdict has to name.
                lap.timeline.note(f"  the lap does not come to its end: {fault}")
                return "", _judged(lap, stack)
            if attempt == PLAY_ATTEMPTS_MAX:
                raise
            lap.timeline.note(f"  the play was cut off ({fault}): again from its start")
            injector.wait_well()
    raise ServiceFault(f"no play of {PLAY_ATTEMPTS_MAX} came to its end")


def _judged(lap: Lap, stack: Stack) -> Verdict:
    desk = stack.desk()
    run = desk.store.latest_run()
    if run is None:
        raise ServiceFault("the journal holds no run: there is nothing to judge")
    return judge(desk, run_id=run.run_id, epochs=EPOCHS, chains=lap.chains, before=lap.before)


@dataclass(slots=True, kw_only=True)
class ChaosConductor(Conductor):
    """A conductor whose epochs are struck, tried again, and lost once."""

    lap: Lap
    injector: Injector

    # A slotted dataclass is another class than the one its methods close over: `super` is told.

    def _open_run(self, desk: Desk) -> Run:
        run = super(ChaosConductor, self)._open_run(desk)
        self.stack.flows()
        self.injector.keep_running()
        if self.lap.is_restored:
            held = adopting(desk.store, self.chains)
            told = ", ".join(f"{name} until chain time {until_s}" for name, until_s in held.items())
            self.lap.timeline.note(f"  adopts only: {told or 'nothing any more'}")
        self._strike(0)
        return run

    def run_epoch(self, desk: Desk, run: Run, epoch: int) -> None:
        """Run an epoch's end until it holds, with the faults of its plan."""
        lap = self.lap
        if epoch in lap.done:
            return
        self._strike(epoch)
        self._until_done(desk, run, epoch)
        self.injector.wait_calm()
        if epoch == LOST_EPOCH and lap.is_restored:
            self._leave_adopt_only(desk, run)
        elif epoch in (LOST_EPOCH, EPOCHS - 1):
            # A part that a chain was down for is made up for by the next epoch; here is none. A job
            # that is done already changes nothing.
            self._until_done(desk, run, epoch)
        if epoch == LOST_EPOCH and not lap.is_restored:
            self._lose(desk, run)
        lap.done.add(epoch)
        if epoch + 1 < EPOCHS:
            self._strike(epoch + 1)

    def _run_flow(self, runner: FlowRunner, log: EpochLog, job: Job, run: Run, epoch: int) -> None:
        lap = self.lap
        is_due = EPOCH_JOBS.index(job) >= lap.plan.restore.before_job
        if epoch == LOST_EPOCH and is_due and not lap.is_backed_up and self._is_traded(run, epoch):
            seen = lap.commands.backup(lap.backup_path, lap.folder.root)
            lap.is_backed_up = True
            lap.timeline.note(f"  backup taken before {job.value} of epoch {epoch}: {seen}")
        super(ChaosConductor, self)._run_flow(runner, log, job, run, epoch)

    def _is_traded(self, run: Run, epoch: int) -> bool:
        """Tell whether takers accept nothing more in an epoch: they have all, or it is planned."""
        store = self.stack.desk().store
        trades = store.rfq_trades(run.run_id, epoch)
        accepted = sum(trade.acceptance is not None for trade in trades)
        return accepted >= TRADES_PER_EPOCH or any(
            claim.job is Job.PMM_SETTLEMENT and claim.epoch == epoch and claim.plan_hash is not None
            for claim in store.epoch_claims(run.run_id)
        )

    # -- faults -------------------------------------------------------------------------------

    def _strike(self, epoch: int) -> None:
        """Schedule an epoch's faults, once a lap; a replay before a loss is left in peace."""
        lap = self.lap
        adopting = lap.is_restored and epoch <= LOST_EPOCH
        if epoch in lap.struck or adopting:
            return
        lap.struck.add(epoch)
        self.injector.schedule(lap.plan.of_epoch(epoch))

    def _until_done(self, desk: Desk, run: Run, epoch: int) -> None:
        for attempt in range(1, EPOCH_ATTEMPTS_MAX + 1):
            try:
                super(ChaosConductor, self).run_epoch(desk, run, epoch)
            except (Retryable, OutcomeUnknown, ServiceFault) as fault:
                if attempt == EPOCH_ATTEMPTS_MAX:
                    raise
                self.lap.timeline.note(f"  epoch {epoch} was cut off ({fault}): again")
                self.injector.wait_well()
            else:
                return

    # -- the lost database --------------------------------------------------------------------

    def _lose(self, desk: Desk, run: Run) -> None:
        """Settle what is promised, then kill the database for good.

        What a journal promised after its last backup nobody can restore: so takers accept nothing
        between backup and loss, and everything else of the epoch is forgotten: its plans, intents,
        signed bytes and postings.
        """
        self._drain(desk)
        lap = self.lap
        lap.before = promised(desk.store, run.run_id, EPOCHS)
        lap.restore_struck = lap.timeline.strike(lap.plan.restore)
        self.injector.lose_database()
        raise DatabaseLost

    def _leave_adopt_only(self, desk: Desk, run: Run) -> None:
        """Adopt what was forgotten and paid, let the chains' time pass, and go on."""
        lap = self.lap
        if adopting(desk.store, self.chains):
            self._drain(desk)
            again = promised(desk.store, run.run_id, EPOCHS)
            missing = len(lap.before.final - again.final)
            lap.timeline.note(
                f"  adopted: {len(again.final)} payments are final again, {missing} missing"
            )
            leave_adopt_only(desk.store, self.injector.chains)
        if lap.restore_struck is not None and lap.restore_struck.recovered_s is None:
            lap.timeline.recover(lap.restore_struck, "the desk signs again")

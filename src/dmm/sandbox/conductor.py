"""Conducts a session: the tape through the worker, the flows at each epoch, the closing audit."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from dmm.adapters.reports.html import write_report
from dmm.adapters.reports.session import SessionResult
from dmm.adapters.venues.paper import PaperVenue
from dmm.bootstrap import Desk
from dmm.ports import Run
from dmm.quoting.decision import SliceSummary
from dmm.sandbox.chains import LocalChain
from dmm.sandbox.demo_governance import DemoGovernance
from dmm.sandbox.demo_program import demo_policy, program_spec
from dmm.sandbox.demo_takers import DemoTakers
from dmm.sandbox.demo_tape import DemoTape
from dmm.sandbox.evm.actors import Actors
from dmm.sandbox.request import Request
from dmm.sandbox.runner import FlowRunner
from dmm.sandbox.stack import Stack
from dmm.sandbox.summary import Audited, EpochLog, summarize
from dmm.sandbox.timing import timed
from dmm.settlement.epoch import Job
from dmm.units.chain import HOME_CHAIN
from dmm.units.errors import ServiceFault, UsageFault
from dmm.units.ids import Json, content_id
from dmm.units.time import NS_PER_S
from dmm.usecases.audit import audit_all
from dmm.usecases.control import record_genesis
from dmm.usecases.dispatch import sweep
from dmm.usecases.epoch_inputs import epoch_inputs
from dmm.usecases.play import PlayEnd, equal_boundaries, play
from dmm.usecases.quote import QuotingWorker
from dmm.usecases.situation import EpochInputs

EPOCH_JOBS = (
    Job.VOLATILITY_RECALIBRATION,
    Job.ARRIVAL_FIT,
    Job.HEDGE_BATCH,
    Job.LIQUIDITY_REWARDS,
    Job.BUYBACK_SETTLEMENT,
    Job.PMM_SETTLEMENT,
    Job.OUTBOX_DISPATCH,
    Job.SETTLEMENT_AUDIT,
)
"""The flows of every epoch, in the order in which each needs what those before it left."""

GOVERNANCE_EPOCH = 0
"""The epoch at whose end the DEMO proposal is executed."""

DRAIN_S_MAX = 60.0
"""How long the end of a session waits for its last settlements."""

COMPLETED = "Completed"

Say = Callable[[str], None]


@dataclass(slots=True, kw_only=True)
class Conductor:
    """One session on a started stack."""

    request: Request
    tape: DemoTape
    stack: Stack
    say: Say
    timings: dict[str, float] = field(default_factory=dict)
    logs: dict[int, EpochLog] = field(default_factory=dict)
    chains: dict[str, LocalChain] = field(init=False)
    _flows_s: float = 0.0

    def conduct(self, *, started_s: float) -> SessionResult:
        """Play, settle, audit and report.

        Parameters
        ----------
        started_s : monotonic seconds when the command began

        Raises
        ------
        ServiceFault
            If a service fails, a flow does not complete, or the desk is killed meanwhile.
        """
        desk = self.stack.desk()
        run = self._open_run(desk)
        self.say(f"run {run.run_id[:12]}: {run.symbol}, {run.epochs} epochs")
        self._play(desk, run)
        with timed(self.timings, "drain_s"):
            self._drain(desk)
        with timed(self.timings, "audit_s"):
            audits = {
                name: audit_all(store=desk.store, log=desk.audit_log(name)) for name in self.chains
            }
        desk.store.finish_run(run.run_id, finished_at_ns=desk.clock.now_ns())
        path = self.stack.folder / "reports" / f"{run.run_id[:12]}.html"
        self.timings |= self.stack.timings
        result = summarize(
            store=desk.store,
            run=run,
            instrument=self.tape.instrument,
            tape=self.request.tape,
            events=self.tape.messages,
            logs=self.logs,
            audited=Audited(
                differences={name: audit.difference for name, audit in audits.items()},
                checked_at_block={n: audit.checked_at_block for n, audit in audits.items()},
            ),
            report=str(path),
            seconds=time.monotonic() - started_s,
            timings=self.timings,
            warnings=(*self.tape.warnings, *self.stack.warnings),
            findings=self.tape.findings,
        )
        with timed(self.timings, "report_s"):
            write_report(result, path)
        return result

    # -- set-up -------------------------------------------------------------------------------

    def _open_run(self, desk: Desk) -> Run:
        """Record the run and the policy it starts with, or find both as they were recorded."""
        instrument = self.tape.instrument
        policy = demo_policy(instrument, self.tape.snapshot, preset=self.request.preset)
        self.chains = self.stack.deploy(instrument, genesis_head=policy.policy_hash)
        run_id = content_id(
            "dmm/run/v1", self.tape.fingerprint, self.request.epochs, instrument.symbol
        ).hex()[:32]
        latest = desk.store.latest_run()
        if latest is not None and latest.run_id != run_id:
            raise UsageFault(
                f"the tape's content is not what run {latest.run_id[:12]} began with: restore it, "
                "or leave out --resume"
            )
        spec: dict[str, Json] = {
            "instrument": instrument.to_json(),
            "tape": list(self.request.tape),
            "fingerprint": self.tape.fingerprint.hex(),
            "seed": self.request.seed,
            **program_spec(desk.store, desk.chains()),
        }
        run = desk.store.open_run(
            Run(
                run_id=run_id,
                kind="demo",
                symbol=instrument.symbol,
                epochs=self.request.epochs,
                spec=spec,
                started_at_ns=desk.clock.now_ns(),
            )
        )
        record_genesis(store=desk.store, clock=desk.clock, chain=HOME_CHAIN, policy=policy)
        return run

    # -- play ---------------------------------------------------------------------------------

    def _play(self, desk: Desk, run: Run) -> None:
        tape = self.tape
        worker = QuotingWorker(
            run_id=run.run_id,
            instrument=tape.instrument,
            venue=PaperVenue(tape.instrument),
            store=desk.store,
        )
        session = _Session(conductor=self, desk=desk, run=run)
        began_s = time.monotonic()
        end = play(
            tape.feed(),
            worker,
            first=epoch_inputs(desk.store, run.run_id, 0),
            boundaries=equal_boundaries(
                started_at_ns=tape.first_ns, ended_at_ns=tape.last_ns, epochs=run.epochs
            ),
            on_boundary=session.close_epoch,
        )
        self.timings["play_s"] = time.monotonic() - began_s - self._flows_s
        self.timings["tape_s"] = (tape.last_ns - tape.first_ns) / NS_PER_S
        if end is PlayEnd.KILLED:
            _require_released(desk)
            raise ServiceFault("the kill switch could not be read: continue with --resume")

    def run_epoch(self, desk: Desk, run: Run, epoch: int) -> None:
        """Run what is due at the end of an epoch: takers' trades, governance, the epoch's flows."""
        began_s = time.monotonic()
        runner = self.stack.flows()
        waited_s = time.monotonic() - began_s
        if waited_s > 1:
            self.say(f"waited {waited_s:.1f} s for the scheduler")
        flows_began_s = time.monotonic()
        log = self.logs.setdefault(epoch, EpochLog())
        takers = DemoTakers(desk=desk, chains=self.chains, seed=self.request.seed)
        takers.trade(run, self.tape.instrument, epoch)
        governance = DemoGovernance(desk=desk, actors=Actors.of(self.stack.folder / HOME_CHAIN))
        hinted = governance.announce() if epoch == GOVERNANCE_EPOCH else None
        for job in EPOCH_JOBS:
            self._run_flow(runner, log, job, run, epoch)
        if hinted is not None:
            log.flow_runs[Job.GOVERNANCE_APPLY.value] = governance.wait_applied(hinted)
            log.rows[Job.GOVERNANCE_APPLY.value] = governance.adopted(hinted)
        log.seconds = time.monotonic() - flows_began_s
        self.timings[f"epoch:{epoch}"] = log.seconds
        self._flows_s += time.monotonic() - began_s
        self.say(f"epoch {epoch}: {len(log.flow_runs)} flow runs in {log.seconds:.1f} s")

    def _run_flow(self, runner: FlowRunner, log: EpochLog, job: Job, run: Run, epoch: int) -> None:
        done = runner.run(job.value, {"run_id": run.run_id, "epoch": epoch})
        log.flow_runs[job.value] = done.state
        rows = done.result.get("rows")
        log.rows[job.value] = sum(rows.values()) if isinstance(rows, dict) else 0  # type: ignore[arg-type]
        note = done.result.get("note")
        if note:
            log.notes[job.value] = str(note)
        if done.state != COMPLETED:
            raise ServiceFault(
                f"flow {job.value} of epoch {epoch} ended {done.state}: {done.error}"
            )

    def _drain(self, desk: Desk) -> None:
        """Settle what the last epoch's dispatch left open, on all chains at once."""
        with ThreadPoolExecutor(max_workers=len(self.chains)) as threads:
            left = threads.map(functools.partial(_still_open, desk), self.chains)
            still_open = {
                name: count for name, count in zip(self.chains, left, strict=True) if count
            }
        if still_open:
            _require_released(desk)
            told = ", ".join(f"{count} on {name}" for name, count in still_open.items())
            raise ServiceFault(
                f"settlements are not final after {DRAIN_S_MAX:.0f} s ({told}): look at the "
                "chain's log, then continue with --resume"
            )


def _still_open(desk: Desk, chain: str) -> int:
    counts = sweep(
        store=desk.store,
        chain=desk.chain(chain),
        signer=desk.signer(chain),
        clock=desk.clock,
        owner=f"{desk.owner}-{chain}",
        wait_s_max=DRAIN_S_MAX,
    )
    return counts.still_open


def _require_released(desk: Desk) -> None:
    latch = desk.store.latch()
    if latch is not None and latch.killed:
        raise ServiceFault(
            f"the desk was killed ({latch.reason}): release the kill, then continue with --resume"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Session:
    conductor: Conductor
    desk: Desk
    run: Run

    def close_epoch(self, epoch: int, summary: SliceSummary) -> EpochInputs:
        """Run an epoch's end and return what the next one is quoted with."""
        self.conductor.say(
            f"epoch {epoch}: {summary.quotes} quotes, {summary.fills} fills, "
            f"position {summary.position} lots"
        )
        self.conductor.run_epoch(self.desk, self.run, epoch)
        return epoch_inputs(self.desk.store, self.run.run_id, epoch + 1)

"""The composition root: who is wired to whom, and nowhere else.

A `Desk` holds one adapter per port, each made when it is first asked for. Flows call `run_job` and
`apply_order`, which hand the desk's ports to the use-case of a job.
"""

# An SDK is imported when its port is first used.
# ruff: noqa: PLC0415

from __future__ import annotations

import functools
import importlib
from typing import TYPE_CHECKING

from dmm import observe
from dmm.bootstrap.chains import ARTEFACT_DIR
from dmm.bootstrap.jobs import JOBS, latch_bounds
from dmm.bootstrap.parts import JOURNAL_WRITER, Desk
from dmm.settings import settings
from dmm.settlement.epoch import Job, JobOutcome
from dmm.units.errors import UsageFault

if TYPE_CHECKING:
    from dmm.ports import ControlStore
    from dmm.usecases.parameter_search import ParameterSearch
    from dmm.usecases.retain import Retained

__all__ = [
    "ARTEFACT_DIR",
    "JOURNAL_WRITER",
    "Desk",
    "apply_order",
    "control_store",
    "correlate",
    "desk",
    "estimate_report",
    "latch_bounds",
    "prune_journal",
    "run_job",
    "searches",
    "warm",
]

WARM_MODULES = (
    "adapters.evm.client",
    "adapters.evm.events",
    "adapters.makers.http",
    "adapters.postgres.store",
    "adapters.reports.calibration_evidence",
    "adapters.scheduler.prefect",
    "adapters.signers.socket",
    "usecases.audit",
    "usecases.buyback",
    "usecases.control",
    "usecases.dispatch",
    "usecases.hedge",
    "usecases.recalibrate",
    "usecases.reward",
    "usecases.rfq",
)


@functools.cache
def desk() -> Desk:
    """Return the process's desk, wired by its environment."""
    config = settings()
    observe.configure_logging(config.log_level)
    return Desk(config)


def control_store(database_url: str) -> ControlStore:
    """Return the control part of the journal for a process that needs nothing else."""
    from dmm.adapters.postgres.store import PostgresStore

    return PostgresStore(database_url)


def run_job(job: str, *, run_id: str = "", epoch: int = -1) -> JobOutcome:
    """Run one epoch job with the desk's ports.

    Parameters
    ----------
    job : name of the job, as in `dmm.settlement.epoch.Job`
    run_id : empty for the latest run
    epoch : −1 for the run's last closed epoch

    Raises
    ------
    UsageFault
        If there is no such job or run.
    """
    if job not in JOBS:
        raise UsageFault(f"no epoch job {job!r}: choose one of {', '.join(sorted(JOBS))}")
    wired = desk()
    run = wired.store.run(run_id) if run_id else wired.store.latest_run()
    if run is None:
        return _too_early(job, "", "the journal holds no run yet")
    if epoch < 0:
        last = wired.store.last_slice(run.run_id)
        if last is None:
            return _too_early(job, run.run_id, "no epoch of this run has closed yet")
        epoch = last.epoch
    observe.correlate(run=run.run_id, epoch=epoch, job=job)
    return JOBS[job](wired, run, epoch)


def estimate_report(job: str, *, run_id: str = "", epoch: int) -> str:
    """Return what an epoch's estimate rests on as markdown; empty when it left none.

    Parameters
    ----------
    job : ``volatility_recalibration`` or ``arrival_fit``
    run_id : empty for the latest run
    """
    from dmm.adapters.reports.calibration_evidence import arrival_markdown, volatility_markdown
    from dmm.usecases.estimates import ARRIVAL, VOLATILITY, estimate_of
    from dmm.usecases.recalibrate import window_of

    store = desk().store
    run = store.run(run_id) if run_id else store.latest_run()
    kind = VOLATILITY if job == Job.VOLATILITY_RECALIBRATION else ARRIVAL
    known = None if run is None else estimate_of(store, run.run_id, kind, epoch)
    summary = None if run is None else store.slice(run.run_id, epoch)
    if known is None or summary is None:
        return ""
    window = window_of(store, known, summary)
    if kind == VOLATILITY:
        return volatility_markdown(known, window.changes_half_ticks)
    return arrival_markdown(known, window.depths)


def correlate(*, flow_run: str) -> None:
    """Name the flow run behind everything that is logged from here on in this context."""
    observe.correlate(flow_run=flow_run)


def _too_early(job: str, run_id: str, note: str) -> JobOutcome:
    """Return that a schedule asked before there was anything to do: nothing was claimed."""
    from dmm.usecases.epoch import waiting

    return waiting(run_id=run_id, job=Job(job), subject="schedule", epoch=0, note=note)


def warm() -> None:
    """Import what the jobs use, so that the first of them does not wait a second for it."""
    for name in WARM_MODULES:
        importlib.import_module(f"dmm.{name}")


def apply_order(sequence: int) -> JobOutcome:
    """Apply executed governance orders up to a sequence, as the finalized chain has them."""
    from dmm.usecases.control import apply_order as apply

    wired = desk()
    run = wired.store.latest_run()
    return apply(
        store=wired.store,
        chain=wired.chain(),
        clock=wired.clock,
        run_id=run.run_id if run else "",
        sequence=sequence,
        wait_s_max=wired.settings.dispatch_wait_s_max,
    )


def prune_journal(*, keep_days: int) -> Retained:
    """Archive and prune partitions of runs that finished more than `keep_days` ago."""
    from dmm.usecases.retain import prune_journal as prune

    wired = desk()
    return prune(
        store=wired.store,
        clock=wired.clock,
        archive=wired.archive,
        keep_days=keep_days,
        operator="retention",
    )


@functools.cache
def searches() -> ParameterSearch:
    """Return the search for parameters, from the policy in force and the kept recordings."""
    from dmm.adapters.feeds.recording import RecordingFiles
    from dmm.adapters.postgres.store import PostgresStore
    from dmm.usecases.parameter_search import ParameterSearch
    from dmm.usecases.search_values import InForce

    wired = desk()
    store = PostgresStore(wired.settings.database_url.get_secret_value())
    head, run = store.policy_head(), store.latest_run()
    in_force = None
    if head is not None and run is not None:
        in_force = InForce(policy=head.policy, instrument=wired.instrument(run))
    return ParameterSearch(
        store=store,
        recordings=RecordingFiles(wired.settings.tape_folder),
        clock=wired.clock,
        in_force=in_force,
        scheduler_address=wired.settings.dask_scheduler,
    )

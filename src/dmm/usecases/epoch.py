"""The pattern of every epoch job: claim, plan from what is recorded, record once, report."""

from __future__ import annotations

from collections.abc import Callable

from dmm import observe
from dmm.ports import Chain, Clock, ControlStore, EpochStore, PolicyRecord
from dmm.settlement.epoch import EpochClaim, EpochPlan, Job, JobOutcome, JobStatus
from dmm.units.errors import UsageFault

Planner = Callable[[EpochClaim], EpochPlan]
"""Decides from recorded inputs and the claim alone, so that a re-run decides the same."""


def scope_of(run_id: str, subject: str) -> str:
    """Return the scope of a run's epoch job: ``run:subject``."""
    return f"{run_id}:{subject}"


def policy_in_force(store: ControlStore) -> PolicyRecord:
    """Return the policy in force.

    Raises
    ------
    UsageFault
        If none was ever recorded: the desk was not set up.
    """
    head = store.policy_head()
    if head is None:
        raise UsageFault("no policy is in force: record the genesis policy first")
    return head


def run_job(
    *,
    store: EpochStore,
    chain: Chain,
    clock: Clock,
    run_id: str,
    job: Job,
    subject: str,
    epoch: int,
    plan: Planner,
) -> JobOutcome:
    """Run an epoch job once: a finished epoch is returned as it is, without planning again.

    Parameters
    ----------
    subject : what the job is about within the run, for example a program or an instrument
    epoch : number of the epoch, >= 0
    plan : called only while no plan is recorded

    Raises
    ------
    Retryable
        If the chain's time cannot be read; nothing was claimed.
    """
    claim = store.open_epoch(
        run_id=run_id,
        job=job,
        scope=scope_of(run_id, subject),
        epoch=epoch,
        now_ns=clock.now_ns(),
        chain_time_s=chain.snapshot().finalized_time_s,
    )
    if claim.plan_hash is not None:
        return _outcome(claim, status=JobStatus.ALREADY, rows=claim.rows, note=claim.note)
    decided = plan(claim)
    status = store.record_epoch(claim, decided)
    rows: dict[str, int] = {}
    for row in decided.rows:
        rows[row.table.value] = rows.get(row.table.value, 0) + 1
    return _outcome(claim, status=status, rows=rows, note=decided.note)


def waiting(*, run_id: str, job: Job, subject: str, epoch: int, note: str) -> JobOutcome:
    """Return that a job cannot plan yet; nothing was claimed."""
    scope = scope_of(run_id, subject)
    observe.job_done(job=job, scope=scope, epoch=epoch, status=JobStatus.WAITING, note=note)
    return JobOutcome(
        job=job, scope=scope, epoch=epoch, status=JobStatus.WAITING, rows={}, note=note
    )


def _outcome(
    claim: EpochClaim, *, status: JobStatus, rows: dict[str, int], note: str
) -> JobOutcome:
    observe.job_done(job=claim.job, scope=claim.scope, epoch=claim.epoch, status=status, note=note)
    return JobOutcome(
        job=claim.job, scope=claim.scope, epoch=claim.epoch, status=status, rows=rows, note=note
    )

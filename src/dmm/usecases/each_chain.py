"""Jobs with a part on each chain: every part claims for itself, one that is down holds up none.

A part that could not be done is made up for by a later epoch: it looks back for parts of its own
that were never recorded.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from dmm import observe
from dmm.ports import EpochStore
from dmm.settlement.epoch import Job, JobOutcome, JobStatus
from dmm.units.errors import OutcomeUnknown, Retryable
from dmm.usecases.epoch import scope_of

EPOCHS_BACK_MAX = 8
"""Epochs a part looks back for what it missed while its chain was down."""

Part = JobOutcome | Retryable | OutcomeUnknown
"""What became of a job's part on one chain: done, or why it waits."""


def on_each_chain(
    act: Callable[[str], JobOutcome], *, chains: Sequence[str], at_once: bool = False
) -> dict[str, Part]:
    """Do a job's part on each chain and return what became of each.

    Parameters
    ----------
    act : the part on the chain it is given; may raise `Retryable` or `OutcomeUnknown`
    at_once : each part in a thread of its own, so that none waits for another's chain
    """
    if not at_once or len(chains) < 2:
        return {chain: _attempt(act, chain) for chain in chains}
    with ThreadPoolExecutor(max_workers=len(chains), thread_name_prefix="chain") as threads:
        # What logs name, the flow run and the job, goes along into the threads.
        parts = {
            chain: threads.submit(contextvars.copy_context().run, _attempt, act, chain)
            for chain in chains
        }
        return {chain: part.result() for chain, part in parts.items()}


def _attempt(act: Callable[[str], JobOutcome], chain: str) -> Part:
    try:
        return act(chain)
    except (Retryable, OutcomeUnknown) as fault:
        observe.service(name=f"chain {chain}", state="waiting", note=str(fault))
        return fault


def merged(
    parts: Mapping[str, Part], *, job: Job, run_id: str, subject: str, epoch: int
) -> JobOutcome:
    """Return a job's outcome from those of its parts, one of them at least.

    Raises
    ------
    Retryable, OutcomeUnknown
        If every part waits: what the first chain said.
    """
    done = {chain: part for chain, part in parts.items() if isinstance(part, JobOutcome)}
    waits = {chain: part for chain, part in parts.items() if not isinstance(part, JobOutcome)}
    if not done:
        raise next(iter(waits.values()))
    return JobOutcome(
        job=job,
        scope=scope_of(run_id, subject),
        epoch=epoch,
        status=_status(done, waits),
        rows=rows_of(done.values()),
        note=_note(done, waits),
        chains={chain: part.status.value for chain, part in done.items()}
        | {chain: f"waits: {fault}" for chain, fault in waits.items()},
    )


def _status(done: Mapping[str, JobOutcome], waits: Mapping[str, object]) -> JobStatus:
    seen = {part.status for part in done.values()}
    for status in (JobStatus.QUARANTINED, JobStatus.RECORDED):
        if status in seen:
            return status
    return JobStatus.WAITING if waits or JobStatus.WAITING in seen else JobStatus.ALREADY


def _note(done: Mapping[str, JobOutcome], waits: Mapping[str, object]) -> str:
    if not waits and len(done) == 1:
        return next(iter(done.values())).note
    notes = {chain: part.note for chain, part in done.items() if part.note}
    notes |= {chain: f"waits ({fault})" for chain, fault in waits.items()}
    return "; ".join(f"{chain}: {note}" for chain, note in notes.items())


def with_missed(
    act: Callable[[int], JobOutcome],
    *,
    store: EpochStore,
    job: Job,
    run_id: str,
    scope: str,
    epoch: int,
) -> JobOutcome:
    """Do an epoch's part on a chain, after the parts of earlier epochs that it missed.

    Returns the epoch's own outcome with the rows of all.

    Parameters
    ----------
    act : the part of the epoch it is given
    scope : of the part's claims
    """
    recorded = {
        claim.epoch
        for claim in store.epoch_claims(run_id)
        if claim.job is job and claim.scope == scope and claim.plan_hash is not None
    }
    missed = [e for e in range(max(0, epoch - EPOCHS_BACK_MAX), epoch) if e not in recorded]
    outcomes = [act(past) for past in [*missed, epoch]]
    return replace(outcomes[-1], rows=rows_of(outcomes))


def rows_of(outcomes: Iterable[JobOutcome]) -> dict[str, int]:
    """Return the rows of outcomes together, by table."""
    rows: dict[str, int] = {}
    for outcome in outcomes:
        for table, count in outcome.rows.items():
            rows[table] = rows.get(table, 0) + count
    return rows

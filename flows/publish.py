"""What all flows share: parameters, the bounded retry, the artifact that tells what was done.

A retry is safe: a job that ran twice changes nothing, because the database lets an epoch be
recorded once.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from prefect import runtime, task
from prefect.artifacts import acreate_table_artifact
from prefect.cache_policies import NO_CACHE
from pydantic import Field, WithJsonSchema

from dmm import bootstrap
from dmm.settlement.epoch import JobOutcome, JobStatus
from dmm.units.errors import InvariantBroken, Retryable

if TYPE_CHECKING:
    from prefect import Task
    from prefect.client.schemas.objects import State, TaskRun


def described(text: str, **bounds: int | str) -> WithJsonSchema:
    """Return the schema of a parameter for the UI's form.

    Prefect drops the description of an annotated `Field`, and a `Field` as default value would
    reach the flow's body as it is.
    """
    return WithJsonSchema({**bounds, "description": text})


RunId = Annotated[
    str,
    Field(max_length=128),
    described("Run of the desk; empty: the current.", type="string", maxLength=128),
]
Epoch = Annotated[
    int,
    Field(ge=-1),
    described("Epoch; -1: the last closed one of the run.", type="integer", minimum=-1),
]
Sequence = Annotated[
    int,
    Field(ge=0),
    described("Sequence number of the executed order.", type="integer", minimum=0),
]
KeepDays = Annotated[
    int,
    Field(ge=1, le=3650),
    described("Younger finished runs stay, days.", type="integer", minimum=1, maximum=3650),
]

RETRIES_MAX = 3
"""How often a job is tried again when nothing was sent."""

RETRY_DELAYS_S = [1.0, 2.0, 4.0]
"""Pause before each further attempt, seconds; their sum is below a supervisor's patience."""


def may_retry(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Tell whether the fault says that nothing was sent and the same call may succeed later."""
    return isinstance(state.data, Retryable)


# Money tasks use no Prefect cache and persist no result: the journal alone knows what was done.
@task(
    task_run_name="{job}",
    retries=RETRIES_MAX,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_condition_fn=may_retry,
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def attempt_job(job: str, run_id: str, epoch: int) -> JobOutcome:
    """Run one epoch job in a thread, so that heartbeats go on meanwhile."""
    bootstrap.correlate(flow_run=str(runtime.flow_run.id))
    return await asyncio.to_thread(bootstrap.run_job, job, run_id=run_id, epoch=epoch)


@task(
    task_run_name="order {sequence}",
    retries=RETRIES_MAX,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_condition_fn=may_retry,
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def attempt_order(sequence: int) -> JobOutcome:
    """Apply one executed order in a thread, so that heartbeats go on meanwhile."""
    bootstrap.correlate(flow_run=str(runtime.flow_run.id))
    return await asyncio.to_thread(bootstrap.apply_order, sequence)


async def epoch_job(job: str, *, run_id: str, epoch: int) -> dict[str, Any]:
    """Run an epoch job, publish what it did, and return it.

    Raises
    ------
    InvariantBroken
        If the epoch is quarantined.
    """
    return await publish(await attempt_job(job, run_id, epoch))


async def publish(outcome: JobOutcome) -> dict[str, Any]:
    """Publish an outcome as the flow run's table artifact and return it as plain values.

    Raises
    ------
    InvariantBroken
        If the epoch is quarantined; the artifact is published all the same.
    """
    table: list[dict[str, Any]] = [
        {"what": "status", "value": outcome.status.value},
        {"what": "scope", "value": outcome.scope},
        {"what": "epoch", "value": outcome.epoch},
        *({"what": f"rows: {name}", "value": n} for name, n in sorted(outcome.rows.items())),
        *({"what": f"chain: {name}", "value": was} for name, was in outcome.chains.items()),
        {"what": "note", "value": outcome.note},
    ]
    await acreate_table_artifact(
        key=outcome.job.value.replace("_", "-"),
        table=table,
        description=f"**{outcome.job.value}**, epoch {outcome.epoch}: {outcome.status.value}",
    )
    if outcome.status is JobStatus.QUARANTINED:
        raise InvariantBroken(
            f"{outcome.job.value} epoch {outcome.epoch} of {outcome.scope} is quarantined: "
            f"{outcome.note or 'another plan was recorded before'}; compare both plans"
        )
    return asdict(outcome)


def run_name() -> str:
    """Return what a flow run is called in the UI: the flow and what it is about."""
    values = runtime.flow_run.parameters
    if "sequence" in values:
        return f"{runtime.flow_run.flow_name} order {values['sequence']}"
    if values.get("epoch", -1) >= 0:
        return f"{runtime.flow_run.flow_name} epoch {values['epoch']}"
    return f"{runtime.flow_run.flow_name} latest"

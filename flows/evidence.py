"""What an estimate rests on, as a markdown artifact with a table and a plot."""

from __future__ import annotations

import asyncio
from typing import Any

from prefect import task
from prefect.artifacts import acreate_markdown_artifact
from prefect.cache_policies import NO_CACHE

from dmm import bootstrap
from flows.publish import epoch_job


@task(task_run_name="evidence of {job}", cache_policy=NO_CACHE, persist_result=False)
async def publish_evidence(job: str, run_id: str, epoch: int) -> None:
    """Publish the estimate that an epoch's job left; without one there is nothing to show."""
    text = await asyncio.to_thread(bootstrap.estimate_report, job, run_id=run_id, epoch=epoch)
    if text:
        await acreate_markdown_artifact(
            key=f"{job.replace('_', '-')}-evidence",
            markdown=text,
            description=f"**{job}**, epoch {epoch}: what it rests on",
        )


async def estimate_job(job: str, *, run_id: str, epoch: int) -> dict[str, Any]:
    """Run an estimating epoch job, publish what it did and what it rests on, and return it.

    Raises
    ------
    InvariantBroken
        If the epoch is quarantined.
    """
    outcome = await epoch_job(job, run_id=run_id, epoch=epoch)
    await publish_evidence(job, run_id, outcome["epoch"])
    return outcome

"""The pieces of a parameter search as tasks: in threads here, or on a Dask cluster.

A piece is known by the search's id and its number, so that any worker with the database and the
recordings can run it, and running it twice changes nothing.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from prefect import flow, task
from prefect.artifacts import (
    acreate_progress_artifact,
    acreate_table_artifact,
    aupdate_progress_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from pydantic import Field

from dmm import bootstrap
from flows.publish import RETRIES_MAX, RETRY_DELAYS_S, described, may_retry

Tapes = Annotated[
    list[str],
    Field(max_length=1_000),
    described("Files of one recording; none: all of the week.", type="array"),
]
Week = Annotated[
    int,
    Field(ge=-1),
    described("Week since 1970, Monday 00:00 UTC; -1: the last whole one.", type="integer"),
]
Body = Annotated[
    dict[str, Any], described("As the file of `dmm backtest`; empty: the default.", type="object")
]
Count = Annotated[int, Field(ge=1, le=10_000), described("Sets of a piece.", type="integer")]
Gaps = Annotated[bool, described("Count a tape's flaws and go on.", type="boolean")]
Seed = Annotated[int, Field(ge=0), described("Seed of the bootstraps.", type="integer")]

TABLES_MAX = 10
"""How often partial results are published."""

KEY = "parameter-search"


def runner_of(address: str) -> TaskRunner[Any]:
    """Return what runs the pieces: a Dask cluster by its address, else threads of this process.

    Raises
    ------
    ModuleNotFoundError
        If there is an address but the extra ``scale`` is not installed.
    """
    if not address:
        return ThreadPoolTaskRunner(max_workers=os.cpu_count() or 1)
    from prefect_dask.task_runners import DaskTaskRunner  # noqa: PLC0415 - only where the extra is installed

    return DaskTaskRunner(address=address)


@task(
    task_run_name="piece {number}",
    retries=RETRIES_MAX,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_condition_fn=may_retry,
    cache_policy=NO_CACHE,
    persist_result=False,
)
def replay_piece(search_id: str, number: int) -> bool:
    """Replay some sets on one recording and keep the results; False if they were kept before."""
    return bootstrap.searches().run_piece(search_id, number)


@flow(name="parameter_search_pieces", flow_run_name="pieces of {search_id}")
async def replay_pieces(search_id: str, todo: Sequence[int], pieces: int) -> int:
    """Run the pieces that are missing, with progress and partial results; return how many."""
    progress = await acreate_progress_artifact(
        progress=_share(pieces - len(todo), pieces), key=f"{KEY}-progress", description=search_id
    )
    futures = [replay_piece.submit(search_id, number) for number in todo]
    every = max(1, -(-len(futures) // TABLES_MAX))
    for at, future in enumerate(futures, start=1):
        # In a thread, so that heartbeats go on meanwhile.
        await asyncio.to_thread(future.result)
        if at % every == 0 or at == len(futures):
            await _publish(progress, search_id, pieces - len(futures) + at, pieces)
    return len(futures)


async def _publish(progress: UUID | Any, search_id: str, done: int, pieces: int) -> None:
    await aupdate_progress_artifact(artifact_id=progress, progress=_share(done, pieces))
    best = await asyncio.to_thread(bootstrap.searches().best_so_far, search_id)
    await acreate_table_artifact(
        key=f"{KEY}-partial",
        table=best,
        description=f"Search {search_id[:12]}: **{done}** of {pieces} pieces; the best so far by "
        "Sharpe ratio, not judged yet.",
    )


def _share(done: int, pieces: int) -> float:
    return 100.0 * done / max(1, pieces)

"""Every week, for the whole desk: try parameters on last week's recordings and judge them.

A winner becomes a proposal for governance; nothing changes until the multisig executes it. Results
are kept piece by piece: a search that was cut off goes on from what it kept.
"""

from __future__ import annotations

import asyncio
from typing import Any

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact

from dmm import bootstrap
from flows.search_pieces import (
    KEY,
    Body,
    Count,
    Gaps,
    Seed,
    Tapes,
    Week,
    replay_pieces,
    runner_of,
)


@flow(name="parameter_search", flow_run_name="parameter_search week {week}")
async def parameter_search(
    tapes: Tapes = [],  # noqa: B006 - Prefect copies defaults, and the UI's form wants a list
    week: Week = -1,
    params: Body = {},  # noqa: B006
    grid: Body = {},  # noqa: B006
    seed: Seed = 1,
    allow_gaps: Gaps = False,  # noqa: FBT002 - a parameter of the UI's form
    piece_sets: Count = 64,
) -> dict[str, Any]:
    """Open the search or find it as far as it came, run what is missing, judge, propose."""
    search = await asyncio.to_thread(bootstrap.searches)
    opened = await asyncio.to_thread(
        search.ask, tapes=tapes, week=week, params=params, grid=grid, seed=seed,
        allow_gaps=allow_gaps, piece_sets=piece_sets,
    )  # fmt: skip
    concluded = None
    if opened.search_id:
        pieces = replay_pieces.with_options(task_runner=runner_of(search.scheduler_address))
        await pieces(opened.search_id, list(opened.todo), opened.pieces)
        concluded = await asyncio.to_thread(search.conclude, opened.search_id)
    await acreate_markdown_artifact(key=KEY, markdown=search.markdown(opened, concluded))
    return search.summary(opened, concluded)

"""Daily, for the whole desk: delete the scheduler's old finished runs.

The journal is append-only and keeps everything; only the record of who asked when grows old.
"""

from __future__ import annotations

import asyncio
from typing import Any

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact

from dmm import bootstrap
from flows.publish import KeepDays


@flow(name="retention", flow_run_name="retention")
async def retention(keep_days: KeepDays = 30) -> dict[str, Any]:
    """Delete finished flow runs that ended before `keep_days` ago."""
    desk = bootstrap.desk()
    deleted = await asyncio.to_thread(
        desk.scheduler.prune_runs, now_ns=desk.clock.now_ns(), keep_days=keep_days
    )
    await acreate_markdown_artifact(
        key="retention",
        markdown=f"Deleted **{deleted}** finished runs older than {keep_days} days.",
    )
    return {"deleted": deleted, "keep_days": keep_days}

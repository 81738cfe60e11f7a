"""Daily, for the whole desk: delete the scheduler's old finished runs, prune the journal's.

Partitions of decisions, fills and slices go into the archive and leave an anchor; the ledger,
intents, estimates and the audit log stay.
"""

from __future__ import annotations

import asyncio
from typing import Any

from prefect import flow
from prefect.artifacts import acreate_table_artifact

from dmm import bootstrap
from flows.publish import KeepDays


@flow(name="retention", flow_run_name="retention")
async def retention(keep_days: KeepDays = 30) -> dict[str, Any]:
    """Delete flow runs that ended, and prune runs that finished, before `keep_days` ago."""
    desk = bootstrap.desk()
    deleted = await asyncio.to_thread(
        desk.scheduler.prune_runs, now_ns=desk.clock.now_ns(), keep_days=keep_days
    )
    done = await asyncio.to_thread(bootstrap.prune_journal, keep_days=keep_days)
    pruned = [
        {
            "anchor": anchor.partition.name,
            "run": anchor.partition.run_id,
            "rows": anchor.extent.rows,
            "places": f"{anchor.extent.first_place} to {anchor.extent.last_place}",
            "digest": anchor.extent.digest.hex(),
            "archive": anchor.archive,
        }
        for anchor in done.anchors
    ]
    left = f"gave way at {done.busy}" if done.busy else "more next time" if done.more else "all"
    await acreate_table_artifact(
        key="retention",
        table=pruned,
        description=f"Older than {keep_days} days: **{deleted}** finished flow runs deleted, "
        f"**{len(pruned)}** partitions pruned ({left}).",
    )
    return {
        "deleted": deleted,
        "keep_days": keep_days,
        "pruned": len(pruned),
        "busy": done.busy,
        "more": done.more,
    }

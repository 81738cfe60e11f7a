"""Every minute, per vault: hedge the inventory the epoch left, in one batch.

Orders go through the same gate as quotes do.
"""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.publish import Epoch, RunId, epoch_job, run_name


@flow(name="hedge_batch", flow_run_name=run_name)
async def hedge_batch(run_id: RunId = "", epoch: Epoch = -1) -> dict[str, Any]:
    """Plan and place the epoch's hedges."""
    return await epoch_job("hedge_batch", run_id=run_id, epoch=epoch)

"""Every minute, per chain: carry open intents to the chain and follow them to finality.

The settler daemon does this all the time; the sweep catches what it left.
"""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.publish import Epoch, RunId, epoch_job, run_name


@flow(name="outbox_dispatch", flow_run_name=run_name)
async def outbox_dispatch(run_id: RunId = "", epoch: Epoch = -1) -> dict[str, Any]:
    """Sweep the outbox."""
    return await epoch_job("outbox_dispatch", run_id=run_id, epoch=epoch)

"""Every minute, per chain and counterparty: net the epoch's accepted quotes and settle them.

The net becomes a settlement intent; outbox_dispatch carries it to the chain.
"""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.publish import Epoch, RunId, epoch_job, run_name


@flow(name="pmm_settlement", flow_run_name=run_name)
async def pmm_settlement(run_id: RunId = "", epoch: Epoch = -1) -> dict[str, Any]:
    """Net and settle the epoch's quotes."""
    return await epoch_job("pmm_settlement", run_id=run_id, epoch=epoch)

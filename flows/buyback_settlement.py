"""Daily, per program: buy the token back with the epoch's revenue, under the daily cap.

The purchase becomes a settlement intent; outbox_dispatch carries it to the chain.
"""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.publish import Epoch, RunId, epoch_job, run_name


@flow(name="buyback_settlement", flow_run_name=run_name)
async def buyback_settlement(run_id: RunId = "", epoch: Epoch = -1) -> dict[str, Any]:
    """Plan the epoch's buyback."""
    return await epoch_job("buyback_settlement", run_id=run_id, epoch=epoch)

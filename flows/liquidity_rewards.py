"""Daily, per program: share the epoch's budget among makers by their score.

The shares sum to the budget exactly; recipients claim against a merkle root.
"""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.publish import Epoch, RunId, epoch_job, run_name


@flow(name="liquidity_rewards", flow_run_name=run_name)
async def liquidity_rewards(run_id: RunId = "", epoch: Epoch = -1) -> dict[str, Any]:
    """Share the epoch's rewards."""
    return await epoch_job("liquidity_rewards", run_id=run_id, epoch=epoch)

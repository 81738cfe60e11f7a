"""Every 5 minutes, per instrument: re-estimate volatility from the book of the last five.

The estimate is adopted inside the band that governance approved, at its edge where it lies outside.
The first one of a week reads the week, and says how volatility was spread beside that band.
"""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.evidence import estimate_job
from flows.publish import Epoch, RunId, run_name


@flow(name="volatility_recalibration", flow_run_name=run_name)
async def volatility_recalibration(run_id: RunId = "", epoch: Epoch = -1) -> dict[str, Any]:
    """Re-estimate volatility."""
    return await estimate_job("volatility_recalibration", run_id=run_id, epoch=epoch)

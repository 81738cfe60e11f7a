"""Every Monday, per instrument: fit how often orders arrived at which distance (κ and A) last week.

The fit carries its confidence and range; outside the approved band it is held, and where it misfits
or drifted from the last adopted one it falls back to that.
"""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.evidence import estimate_job
from flows.publish import Epoch, RunId, run_name


@flow(name="arrival_fit", flow_run_name=run_name)
async def arrival_fit(run_id: RunId = "", epoch: Epoch = -1) -> dict[str, Any]:
    """Fit the arrival rates κ and A."""
    return await estimate_job("arrival_fit", run_id=run_id, epoch=epoch)

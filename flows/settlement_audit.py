"""Hourly and after each settlement epoch, per chain: compare chain balances with the ledger.

The auditor reads by its own node and writes nothing to the ledger; a difference latches.
"""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.publish import Epoch, RunId, epoch_job, run_name


@flow(name="settlement_audit", flow_run_name=run_name)
async def settlement_audit(run_id: RunId = "", epoch: Epoch = -1) -> dict[str, Any]:
    """Audit the chain against the ledger."""
    return await epoch_job("settlement_audit", run_id=run_id, epoch=epoch)

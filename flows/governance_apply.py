"""On the event of an executed order, per order: read it from the finalized chain and apply it.

The event is a hint, never authority: only its sequence number is used, and the order itself comes
from the chain.
"""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.publish import Sequence, attempt_order, publish, run_name


@flow(name="governance_apply", flow_run_name=run_name)
async def governance_apply(sequence: Sequence) -> dict[str, Any]:
    """Apply one executed order."""
    return await publish(await attempt_order(sequence))

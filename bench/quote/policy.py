"""The policy the worker is measured under."""

from __future__ import annotations

from dmm.governance.policy import Policy
from dmm.ports import PolicyRecord
from dmm.units.ids import ZERO_HASH
from dmm.units.time import Nanos


def policy_record(policy: Policy) -> PolicyRecord:
    """Return a policy as if governance had put it in force."""
    return PolicyRecord(
        sequence=0,
        policy=policy,
        previous_head=ZERO_HASH,
        head=policy.policy_hash,
        chain="none",
        height=0,
        tx_id="genesis",
        adopted_at_ns=Nanos(1),
    )

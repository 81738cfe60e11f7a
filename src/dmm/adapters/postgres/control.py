"""Kill switch, halt latch, policy head, audit log."""

from __future__ import annotations

import json
from typing import Any

from dmm.adapters.postgres.audit_log import append_audit
from dmm.adapters.postgres.latches import (
    halt,
    halt_latch,
    kill,
    kill_latch,
    read_controls,
    release_kill,
    reset_halt,
)
from dmm.adapters.postgres.runs import Part
from dmm.adapters.postgres.session import Cursor
from dmm.governance.policy import Policy
from dmm.ports import Controls, HaltLatch, Latch, PolicyRecord
from dmm.units.errors import InvariantBroken
from dmm.units.ids import Hash32, Json
from dmm.units.time import Nanos


class Control(Part):
    """Implements `ports.ControlStore`."""

    def latch(self) -> Latch | None:
        """Return the latest latch, or None when nothing was ever killed."""
        return self._session.once(kill_latch)

    def kill(self, *, reason: str, operator: str, now_ns: Nanos) -> Latch:
        """Latch; when already killed, return the latch that holds."""
        return self._session.transact(
            lambda cursor: kill(cursor, reason=reason, operator=operator, now_ns=now_ns)
        )

    def release_kill(
        self, *, kill_id: int, order_sequence: int, operator: str, now_ns: Nanos, tx_id: str = ""
    ) -> Latch:
        """Release a latch by an executed order; each order releases once.

        The released latch keeps the reason of its kill.

        Parameters
        ----------
        tx_id : the order's transaction, for the audit log

        Raises
        ------
        UsageFault
            If that kill is not the one that holds, or the order was used before.
        """
        return self._session.transact(
            lambda cursor: release_kill(
                cursor,
                kill_id=kill_id,
                order_sequence=order_sequence,
                operator=operator,
                now_ns=now_ns,
                tx_id=tx_id,
            )
        )

    def halted(self) -> HaltLatch | None:
        """Return the latest halt or its reset, or None when nothing was ever halted."""
        return self._session.once(halt_latch)

    def halt(self, *, run_id: str, reason: str, now_ns: Nanos) -> HaltLatch:
        """Latch a halt; when already halted, return the latch that holds."""
        return self._session.transact(
            lambda cursor: halt(cursor, run_id=run_id, reason=reason, now_ns=now_ns)
        )

    def reset_halt(self, *, operator: str, reason: str, now_ns: Nanos) -> HaltLatch:
        """Release the halt that holds, on a person's word.

        Raises
        ------
        UsageFault
            If none holds.
        """
        return self._session.transact(
            lambda cursor: reset_halt(cursor, operator=operator, reason=reason, now_ns=now_ns)
        )

    def controls(self) -> Controls:
        """Return both latches and the database's time, in one statement."""
        return self._session.once(read_controls)

    def policy_head(self) -> PolicyRecord | None:
        """Return the policy in force."""
        return next(iter(self.policies(limit=1)), None)

    def policies(self, *, limit: int) -> list[PolicyRecord]:
        """Return the policies that were in force, the latest first."""
        return self._session.transact(lambda cursor: _policies(cursor, limit))

    def append_policy(self, record: PolicyRecord) -> bool:
        """Append an executed policy; False when that sequence is already there with this hash.

        A sequence may leave numbers out: orders of other families take theirs from the same count.

        Raises
        ------
        InvariantBroken
            If the sequence exists with another hash, or does not extend the head.
        """
        return self._session.transact(lambda cursor: _append_policy(cursor, record))

    def append_audit(
        self, *, actor: str, action: str, body: dict[str, Json], now_ns: Nanos
    ) -> None:
        """Append to the hash-chained audit log."""
        self._session.transact(lambda cursor: append_audit(cursor, actor, action, body, now_ns))


def _policies(cursor: Cursor, limit: int) -> list[PolicyRecord]:
    cursor.execute(
        """SELECT sequence, body, previous_head, head, chain, height, tx_id, adopted_at_ns
           FROM policy ORDER BY sequence DESC LIMIT %s""",
        [limit],
    )
    return [_policy_record(row) for row in cursor.fetchall()]


def _policy_record(row: tuple[Any, ...]) -> PolicyRecord:
    sequence, body, previous_head, head, chain, height, tx_id, adopted_at_ns = row
    return PolicyRecord(
        sequence=sequence,
        policy=Policy(**json.loads(body)),
        previous_head=Hash32(previous_head),
        head=Hash32(head),
        chain=chain,
        height=height,
        tx_id=tx_id,
        adopted_at_ns=adopted_at_ns,
    )


def _append_policy(cursor: Cursor, record: PolicyRecord) -> bool:
    cursor.execute("LOCK TABLE policy IN SHARE ROW EXCLUSIVE MODE")
    cursor.execute("SELECT head FROM policy WHERE sequence = %s", [record.sequence])
    known = cursor.fetchone()
    if known is not None:
        if known[0] != record.head:
            raise InvariantBroken(
                f"policy {record.sequence} is {known[0].hex()} in the journal, not "
                f"{record.head.hex()}: chain and journal disagree"
            )
        return False
    cursor.execute(
        """INSERT INTO policy (sequence, body, previous_head, head, chain, height, tx_id,
                               adopted_at_ns)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s)""",
        [
            record.sequence,
            record.policy.canonical_bytes,
            record.previous_head,
            record.head,
            record.chain,
            record.height,
            record.tx_id,
            record.adopted_at_ns,
        ],
    )
    return True

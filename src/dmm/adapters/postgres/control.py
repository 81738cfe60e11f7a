"""Kill switch, policy head, audit log."""

from __future__ import annotations

import json
from typing import Any

from psycopg.types.json import Jsonb

from dmm.adapters.postgres.runs import Part
from dmm.adapters.postgres.session import Cursor
from dmm.governance.policy import Policy
from dmm.ports import Latch, PolicyRecord
from dmm.units.errors import InvariantBroken, UsageFault
from dmm.units.ids import ZERO_HASH, Hash32, Json, canonical_json, hash_link
from dmm.units.time import Nanos


class Control(Part):
    """Implements `ports.ControlStore`."""

    def latch(self) -> Latch | None:
        """Return the latest latch, or None when nothing was ever killed."""
        return self._session.transact(_latch)

    def kill(self, *, reason: str, operator: str, now_ns: Nanos) -> Latch:
        """Latch; when already killed, return the latch that holds."""
        return self._session.transact(lambda cursor: _kill(cursor, reason, operator, now_ns))

    def release_kill(
        self, *, kill_id: int, order_sequence: int, operator: str, now_ns: Nanos
    ) -> Latch:
        """Release a latch by an executed order; each order releases once.

        The released latch keeps the reason of its kill.

        Raises
        ------
        UsageFault
            If that kill is not the one that holds, or the order was used before.
        """
        return self._session.transact(
            lambda cursor: _release_kill(cursor, kill_id, order_sequence, operator, now_ns)
        )

    def policy_head(self) -> PolicyRecord | None:
        """Return the policy in force."""
        return self._session.transact(_policy_head)

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


def _latch(cursor: Cursor) -> Latch | None:
    cursor.execute(
        """SELECT kill_id, killed, reason, operator, at_ns FROM kill_switch
           ORDER BY event_no DESC LIMIT 1"""
    )
    row = cursor.fetchone()
    if row is None:
        return None
    kill_id, killed, reason, operator, at_ns = row
    return Latch(kill_id=kill_id, killed=killed, reason=reason, operator=operator, at_ns=at_ns)


def _kill(cursor: Cursor, reason: str, operator: str, now_ns: Nanos) -> Latch:
    _lock_kill_switch(cursor)
    last = _latch(cursor)
    if last is not None and last.killed:
        return last
    latch = Latch(
        kill_id=1 if last is None else last.kill_id + 1,
        killed=True,
        reason=reason,
        operator=operator,
        at_ns=now_ns,
    )
    _append_latch(cursor, latch, order_sequence=None)
    return latch


def _release_kill(
    cursor: Cursor, kill_id: int, order_sequence: int, operator: str, now_ns: Nanos
) -> Latch:
    _lock_kill_switch(cursor)
    last = _latch(cursor)
    if last is None or not last.killed or last.kill_id != kill_id:
        holds = "none" if last is None or not last.killed else str(last.kill_id)
        raise UsageFault(f"kill {kill_id} does not hold (holding: {holds}); nothing to release")
    cursor.execute("SELECT 1 FROM kill_switch WHERE order_sequence = %s", [order_sequence])
    if cursor.fetchone() is not None:
        raise UsageFault(f"order {order_sequence} released a kill before; execute a new order")
    latch = Latch(
        kill_id=kill_id, killed=False, reason=last.reason, operator=operator, at_ns=now_ns
    )
    _append_latch(cursor, latch, order_sequence=order_sequence)
    return latch


def _lock_kill_switch(cursor: Cursor) -> None:
    # Writers one at a time; readers are never held up.
    cursor.execute("LOCK TABLE kill_switch IN SHARE ROW EXCLUSIVE MODE")


def _append_latch(cursor: Cursor, latch: Latch, *, order_sequence: int | None) -> None:
    cursor.execute(
        """INSERT INTO kill_switch (event_no, kill_id, killed, reason, operator, at_ns,
                                    order_sequence)
           SELECT coalesce(max(event_no), 0) + 1, %s, %s, %s, %s, %s, %s FROM kill_switch""",
        [latch.kill_id, latch.killed, latch.reason, latch.operator, latch.at_ns, order_sequence],
    )


def _policy_head(cursor: Cursor) -> PolicyRecord | None:
    cursor.execute(
        """SELECT sequence, body, previous_head, head, chain, height, tx_id, adopted_at_ns
           FROM policy ORDER BY sequence DESC LIMIT 1"""
    )
    row = cursor.fetchone()
    return None if row is None else _policy_record(row)


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


def append_audit(
    cursor: Cursor, actor: str, action: str, body: dict[str, Json], now_ns: Nanos
) -> None:
    """Append to the audit log within the caller's transaction; see `Control.append_audit`."""
    cursor.execute("LOCK TABLE audit_log IN SHARE ROW EXCLUSIVE MODE")
    cursor.execute("SELECT seq, link_hash FROM audit_log ORDER BY seq DESC LIMIT 1")
    last = cursor.fetchone()
    seq, previous = (1, ZERO_HASH) if last is None else (last[0] + 1, last[1])
    record = canonical_json(
        {"seq": seq, "at_ns": now_ns, "actor": actor, "action": action, "body": body}
    )
    cursor.execute(
        """INSERT INTO audit_log (seq, at_ns, actor, action, body, record, previous_hash, link_hash)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s)""",
        [seq, now_ns, actor, action, Jsonb(body), record, previous, hash_link(previous, record)],
    )

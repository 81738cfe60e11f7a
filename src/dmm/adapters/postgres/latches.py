"""The two latches, kill and halt: events appended one at a time, each with its audit record.

A latch and the record that tells who turned it are one transaction: neither is ever there without
the other.
"""

from __future__ import annotations

from typing import Any

from dmm.adapters.postgres.audit_log import append_audit
from dmm.adapters.postgres.session import Cursor
from dmm.ports import Controls, HaltLatch, Latch
from dmm.units.errors import UsageFault
from dmm.units.time import Nanos

WORKER = "worker"
"""Who halts, in the audit log: no person does."""

_KILL = "SELECT kill_id, killed, reason, operator, at_ns FROM kill_switch"
_HALT = "SELECT halt_id, halted, run_id, reason, operator, at_ns FROM halt_latch"
_LAST = " ORDER BY event_no DESC LIMIT 1"


def kill_latch(cursor: Cursor) -> Latch | None:
    """Return the latest latch, or None when nothing was ever killed."""
    cursor.execute(_KILL + _LAST)
    row = cursor.fetchone()
    return None if row is None else _kill_of(row)


def halt_latch(cursor: Cursor) -> HaltLatch | None:
    """Return the latest halt or its reset, or None when nothing was ever halted."""
    cursor.execute(_HALT + _LAST)
    row = cursor.fetchone()
    return None if row is None else _halt_of(row)


def read_controls(cursor: Cursor) -> Controls:
    """Return both latches and the database's time, in one statement: one way there and back."""
    cursor.execute(
        f"""SELECT (extract(epoch FROM clock_timestamp()) * 1000000000)::bigint, k.*, h.*
            FROM (VALUES (true)) one (row)
            LEFT JOIN ({_KILL}{_LAST}) k ON true LEFT JOIN ({_HALT}{_LAST}) h ON true"""  # noqa: S608 - constants above
    )
    row = cursor.fetchone()
    if row is None:
        raise AssertionError("one row joined to the left of anything gives one row")
    at_ns, kill_row, halt_row = row[0], row[1:6], row[6:]
    return Controls(
        kill=None if kill_row[0] is None else _kill_of(kill_row),
        halt=None if halt_row[0] is None else _halt_of(halt_row),
        database_at_ns=at_ns,
    )


def kill(cursor: Cursor, *, reason: str, operator: str, now_ns: Nanos) -> Latch:
    """Latch; when already killed, return the latch that holds. Either way it is told."""
    _lock(cursor, "kill_switch")
    latch = kill_latch(cursor)
    if latch is None or not latch.killed:
        latch = Latch(
            kill_id=1 if latch is None else latch.kill_id + 1,
            killed=True,
            reason=reason,
            operator=operator,
            at_ns=now_ns,
        )
        _append_kill(cursor, latch, order_sequence=None)
    append_audit(cursor, operator, "kill", {"kill_id": latch.kill_id, "reason": reason}, now_ns)
    return latch


def release_kill(
    cursor: Cursor, *, kill_id: int, order_sequence: int, operator: str, now_ns: Nanos, tx_id: str
) -> Latch:
    """Release a latch by an executed order; see `ports.ControlStore`."""
    _lock(cursor, "kill_switch")
    last = kill_latch(cursor)
    if last is None or not last.killed or last.kill_id != kill_id:
        holds = "none" if last is None or not last.killed else str(last.kill_id)
        raise UsageFault(f"kill {kill_id} does not hold (holding: {holds}); nothing to release")
    cursor.execute("SELECT 1 FROM kill_switch WHERE order_sequence = %s", [order_sequence])
    if cursor.fetchone() is not None:
        raise UsageFault(f"order {order_sequence} released a kill before; execute a new order")
    latch = Latch(
        kill_id=kill_id, killed=False, reason=last.reason, operator=operator, at_ns=now_ns
    )
    _append_kill(cursor, latch, order_sequence=order_sequence)
    append_audit(
        cursor,
        operator,
        "resume",
        {"kill_id": kill_id, "order": order_sequence, "tx_id": tx_id},
        now_ns,
    )
    return latch


def halt(cursor: Cursor, *, run_id: str, reason: str, now_ns: Nanos) -> HaltLatch:
    """Latch a halt; when already halted, return the latch that holds."""
    _lock(cursor, "halt_latch")
    last = halt_latch(cursor)
    if last is not None and last.halted:
        return last
    latch = HaltLatch(
        halt_id=1 if last is None else last.halt_id + 1,
        halted=True,
        run_id=run_id,
        reason=reason,
        operator="",
        at_ns=now_ns,
    )
    _append_halt(cursor, latch)
    append_audit(
        cursor,
        WORKER,
        "halt",
        {"halt_id": latch.halt_id, "run_id": run_id, "reason": reason},
        now_ns,
    )
    return latch


def reset_halt(cursor: Cursor, *, operator: str, reason: str, now_ns: Nanos) -> HaltLatch:
    """Release the halt that holds, on a person's word; `UsageFault` if none holds."""
    _lock(cursor, "halt_latch")
    last = halt_latch(cursor)
    if last is None or not last.halted:
        raise UsageFault("the desk is not halted: there is nothing to reset")
    latch = HaltLatch(
        halt_id=last.halt_id,
        halted=False,
        run_id=last.run_id,
        reason=reason,
        operator=operator,
        at_ns=now_ns,
    )
    _append_halt(cursor, latch)
    append_audit(cursor, operator, "reset", {"halt_id": latch.halt_id, "reason": reason}, now_ns)
    return latch


def _lock(cursor: Cursor, table: str) -> None:
    # Writers one at a time; readers are never held up.
    cursor.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")


def _append_kill(cursor: Cursor, latch: Latch, *, order_sequence: int | None) -> None:
    cursor.execute(
        """INSERT INTO kill_switch (event_no, kill_id, killed, reason, operator, at_ns,
                                    order_sequence)
           SELECT coalesce(max(event_no), 0) + 1, %s, %s, %s, %s, %s, %s FROM kill_switch""",
        [latch.kill_id, latch.killed, latch.reason, latch.operator, latch.at_ns, order_sequence],
    )


def _append_halt(cursor: Cursor, latch: HaltLatch) -> None:
    cursor.execute(
        """INSERT INTO halt_latch (event_no, halt_id, halted, run_id, reason, operator, at_ns)
           SELECT coalesce(max(event_no), 0) + 1, %s, %s, %s, %s, %s, %s FROM halt_latch""",
        [latch.halt_id, latch.halted, latch.run_id, latch.reason, latch.operator, latch.at_ns],
    )


def _kill_of(row: tuple[Any, ...]) -> Latch:
    kill_id, killed, reason, operator, at_ns = row
    return Latch(kill_id=kill_id, killed=killed, reason=reason, operator=operator, at_ns=at_ns)


def _halt_of(row: tuple[Any, ...]) -> HaltLatch:
    halt_id, halted, run_id, reason, operator, at_ns = row
    return HaltLatch(
        halt_id=halt_id, halted=halted, run_id=run_id, reason=reason, operator=operator, at_ns=at_ns
    )

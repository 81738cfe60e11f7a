"""Adopt-only mode: a restored journal may have forgotten what was signed."""

from __future__ import annotations

from psycopg.types.json import Jsonb

from dmm.adapters.postgres.runs import Part
from dmm.adapters.postgres.session import Cursor
from dmm.ports import AdoptOnly
from dmm.units.ids import Json
from dmm.units.time import Nanos

ADOPT_LOCK_KEY = 0x61646F
"""Advisory lock, with the chain, under which its events are numbered."""


class Restore(Part):
    """Implements `ports.RestoreStore`."""

    def enter_adopt_only(
        self, *, chain: str, until_s: int, reason: str, now_ns: Nanos
    ) -> AdoptOnly:
        """Note a restore; while one holds, the later `until_s` of both holds on."""
        return self._session.transact(lambda cursor: _enter(cursor, chain, until_s, reason, now_ns))

    def adopt_only(self, chain: str) -> AdoptOnly | None:
        """Return what holds on a chain, or None when it may be signed for."""
        return self._session.once(lambda cursor: _holds(cursor, chain)[1])

    def leave_adopt_only(self, *, chain: str, proof: dict[str, Json], now_ns: Nanos) -> None:
        """Note that a chain was adopted, with the block that proves it; again is a no-op."""
        self._session.transact(lambda cursor: _leave(cursor, chain, proof, now_ns))


def _holds(cursor: Cursor, chain: str) -> tuple[int, AdoptOnly | None]:
    """Return the last event's number, 0 without one, and what holds."""
    cursor.execute(
        """SELECT event_no, entered, until_s, reason, at_ns FROM adopt_only
           WHERE chain = %s ORDER BY event_no DESC LIMIT 1""",
        [chain],
    )
    row = cursor.fetchone()
    if row is None:
        return 0, None
    event_no, entered, until_s, reason, at_ns = row
    if not entered:
        return event_no, None
    held = AdoptOnly(chain=chain, until_s=until_s, reason=reason, entered_at_ns=Nanos(at_ns))
    return event_no, held


def _lock(cursor: Cursor, chain: str) -> None:
    cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [ADOPT_LOCK_KEY, chain])


def _enter(cursor: Cursor, chain: str, until_s: int, reason: str, now_ns: Nanos) -> AdoptOnly:
    _lock(cursor, chain)
    event_no, held = _holds(cursor, chain)
    until_s = until_s if held is None else max(until_s, held.until_s)
    cursor.execute(
        """INSERT INTO adopt_only (chain, event_no, entered, until_s, reason, at_ns)
           VALUES (%s, %s, true, %s, %s, %s)""",
        [chain, event_no + 1, until_s, reason, now_ns],
    )
    return AdoptOnly(chain=chain, until_s=until_s, reason=reason, entered_at_ns=now_ns)


def _leave(cursor: Cursor, chain: str, proof: dict[str, Json], now_ns: Nanos) -> None:
    _lock(cursor, chain)
    event_no, held = _holds(cursor, chain)
    if held is None:
        return
    cursor.execute(
        """INSERT INTO adopt_only (chain, event_no, entered, until_s, reason, at_ns, proof)
           VALUES (%s, %s, false, %s, %s, %s, %s)""",
        [chain, event_no + 1, held.until_s, held.reason, now_ns, Jsonb(proof)],
    )

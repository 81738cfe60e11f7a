"""The audit log: one hash chain, each record appended within the transaction of what it tells."""

from __future__ import annotations

from psycopg.types.json import Jsonb

from dmm.adapters.postgres.session import Cursor
from dmm.units.ids import ZERO_HASH, Json, canonical_json, hash_link
from dmm.units.time import Nanos


def append_audit(
    cursor: Cursor, actor: str, action: str, body: dict[str, Json], now_ns: Nanos
) -> None:
    """Append to the audit log within the caller's transaction."""
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

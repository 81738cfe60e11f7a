"""Estimates that jobs left: the latest of a run, and what earlier runs of its market adopted."""

from __future__ import annotations

from typing import Any

from psycopg import sql

from dmm.adapters.postgres.epoch_columns import COLUMNS
from dmm.adapters.postgres.runs import EARLIER_RUNS, Part, market_of
from dmm.adapters.postgres.session import Cursor
from dmm.settlement.epoch import EpochRow, RowTable

_NAMES = COLUMNS[RowTable.ESTIMATE]
_COLUMNS = sql.SQL(", ").join(sql.Identifier("e", name) for name in ("ordinal", *_NAMES))


class Estimates(Part):
    """Implements the estimates of `ports.EpochStore`."""

    def estimate_before(self, run_id: str, kind: str, *, epoch: int) -> EpochRow | None:
        """Return a run's latest estimate of a kind from epochs before one, whatever its verdict."""
        statement = sql.SQL(
            """SELECT {} FROM estimate e WHERE e.run_id = %(run_id)s AND e.kind = %(kind)s
               AND e.epoch < %(epoch)s ORDER BY e.epoch DESC, e.ordinal DESC LIMIT 1"""
        ).format(_COLUMNS)
        values = {"run_id": run_id, "kind": kind, "epoch": epoch}
        return self._session.transact(lambda cursor: _row(cursor, statement, values))

    def inherited_estimate(self, run_id: str, kind: str) -> EpochRow | None:
        """Return the latest estimate of a kind that earlier runs of the run's market adopted."""
        statement = sql.SQL(
            """SELECT {} FROM ({}) r JOIN estimate e USING (run_id)
               WHERE e.kind = %(kind)s AND e.version > 0
               ORDER BY r.started_at_ns DESC, r.run_id DESC, e.epoch DESC LIMIT 1"""
        ).format(_COLUMNS, sql.SQL(EARLIER_RUNS))
        values = {**market_of(run_id), "kind": kind}
        return self._session.transact(lambda cursor: _row(cursor, statement, values))


def _row(cursor: Cursor, statement: sql.Composed, values: dict[str, Any]) -> EpochRow | None:
    cursor.execute(statement, values)
    found = cursor.fetchone()
    if found is None:
        return None
    ordinal, *body = found
    return EpochRow(
        table=RowTable.ESTIMATE, ordinal=ordinal, body=dict(zip(_NAMES, body, strict=True))
    )

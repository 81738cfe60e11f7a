"""Runs of the desk."""

from __future__ import annotations

from typing import Any

from psycopg.types.json import Jsonb

from dmm.adapters.postgres.partitions import refuse_pruned_run
from dmm.adapters.postgres.session import Cursor, Session
from dmm.ports import LIVE, SHADOW, Run
from dmm.units.errors import UsageFault
from dmm.units.time import Nanos

EARLIER_RUNS = """SELECT r.run_id, r.started_at_ns FROM run mine JOIN run r
  ON r.symbol = mine.symbol
  AND r.kind = CASE WHEN mine.kind = %(shadow)s THEN %(live)s ELSE mine.kind END
  AND r.spec #>> '{instrument,venue}' IS NOT DISTINCT FROM mine.spec #>> '{instrument,venue}'
  AND r.spec #>> '{instrument,tick_size}'
      IS NOT DISTINCT FROM mine.spec #>> '{instrument,tick_size}'
WHERE mine.run_id = %(run_id)s
  AND (r.started_at_ns, r.run_id) < (mine.started_at_ns, mine.run_id)"""
"""Runs of one market begun earlier; its values are those of `market_of`."""


def market_of(run_id: str) -> dict[str, str]:
    """Return the values that `EARLIER_RUNS` asks for."""
    return {"run_id": run_id, "shadow": SHADOW, "live": LIVE}


class Part:
    """A part of the store; all parts share one session."""

    def __init__(self, session: Session) -> None:
        self._session = session


class Runs(Part):
    """Implements `ports.RunStore`."""

    def open_run(self, run: Run) -> Run:
        """Record a run, or return the one already recorded under its id.

        Raises
        ------
        UsageFault
            If parts of that run were pruned: it cannot be played again.
        """
        return self._session.transact(lambda cursor: _open_run(cursor, run))

    def run(self, run_id: str) -> Run:
        """Return a run; `UsageFault` if there is none of that id."""
        return self._session.transact(lambda cursor: _run(cursor, run_id))

    def latest_run(self) -> Run | None:
        """Return the run started last, shadows apart."""
        return self._session.transact(_latest_run)

    def runs(self, *, prefix: str = "", limit: int) -> list[Run]:
        """Return runs whose id begins with `prefix`, those started last first."""
        return self._session.transact(lambda cursor: _runs(cursor, prefix, limit))

    def finish_run(self, run_id: str, *, finished_at_ns: Nanos) -> None:
        """Mark a run as finished; again is a no-op."""
        self._session.transact(lambda cursor: _finish_run(cursor, run_id, finished_at_ns))


def lock_run(cursor: Cursor, run_id: str) -> None:
    """Let one transaction at a time write to a run's journal; `UsageFault` if there is no run."""
    cursor.execute("SELECT 1 FROM run WHERE run_id = %s FOR NO KEY UPDATE", [run_id])
    if cursor.fetchone() is None:
        raise UsageFault(f"run {run_id!r} is not in the journal; open it first")


def lock_for_append(cursor: Cursor, run_id: str) -> None:
    """Let one transaction at a time write to a run that still has everything.

    Raises
    ------
    UsageFault
        If there is no such run, or parts of it were pruned.
    """
    lock_run(cursor, run_id)
    # After the lock: whoever prunes holds it, and only the next statement sees its anchor.
    refuse_pruned_run(cursor, run_id)


def _open_run(cursor: Cursor, run: Run) -> Run:
    cursor.execute(
        """INSERT INTO run (run_id, kind, symbol, epochs, spec, started_at_ns, finished_at_ns)
           VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (run_id) DO NOTHING""",
        [
            run.run_id,
            run.kind,
            run.symbol,
            run.epochs,
            Jsonb(run.spec),
            run.started_at_ns,
            run.finished_at_ns,
        ],
    )
    refuse_pruned_run(cursor, run.run_id)
    return _run(cursor, run.run_id)


def _run(cursor: Cursor, run_id: str) -> Run:
    cursor.execute(
        """SELECT run_id, kind, symbol, epochs, spec, started_at_ns, finished_at_ns
           FROM run WHERE run_id = %s""",
        [run_id],
    )
    row = cursor.fetchone()
    if row is None:
        raise UsageFault(f"run {run_id!r} is not in the journal; `dmm runs` lists what is")
    return _from_row(row)


def _latest_run(cursor: Cursor) -> Run | None:
    cursor.execute(
        """SELECT run_id, kind, symbol, epochs, spec, started_at_ns, finished_at_ns
           FROM run WHERE kind <> %s ORDER BY started_at_ns DESC, run_id DESC LIMIT 1""",
        [SHADOW],
    )
    row = cursor.fetchone()
    return None if row is None else _from_row(row)


def _runs(cursor: Cursor, prefix: str, limit: int) -> list[Run]:
    cursor.execute(
        """SELECT run_id, kind, symbol, epochs, spec, started_at_ns, finished_at_ns
           FROM run WHERE starts_with(run_id, %s) ORDER BY started_at_ns DESC, run_id DESC
           LIMIT %s""",
        [prefix, limit],
    )
    return [_from_row(row) for row in cursor]


def _finish_run(cursor: Cursor, run_id: str, finished_at_ns: Nanos) -> None:
    lock_run(cursor, run_id)
    cursor.execute(
        "UPDATE run SET finished_at_ns = %s WHERE run_id = %s AND finished_at_ns IS NULL",
        [finished_at_ns, run_id],
    )


def _from_row(row: tuple[Any, ...]) -> Run:
    run_id, kind, symbol, epochs, spec, started_at_ns, finished_at_ns = row
    return Run(
        run_id=run_id,
        kind=kind,
        symbol=symbol,
        epochs=epochs,
        spec=spec,
        started_at_ns=started_at_ns,
        finished_at_ns=finished_at_ns,
    )

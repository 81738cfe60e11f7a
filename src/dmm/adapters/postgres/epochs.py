"""Claims and plans of epoch jobs."""

from __future__ import annotations

from collections import Counter
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from dmm.adapters.postgres.epoch_columns import COLUMNS, row_values
from dmm.adapters.postgres.intents import insert_intents, quarantine_intents
from dmm.adapters.postgres.ledger import post
from dmm.adapters.postgres.runs import Part
from dmm.adapters.postgres.session import Cursor
from dmm.settlement.epoch import EpochClaim, EpochPlan, EpochRow, Job, JobStatus, RowTable
from dmm.settlement.intent import Intent
from dmm.units.errors import InvariantBroken
from dmm.units.ids import Hash32
from dmm.units.time import Nanos

_SELECT = """SELECT run_id, job, scope, epoch, opened_at_ns, opened_chain_s, plan_hash, note,
row_counts FROM epoch_claim """


class Epochs(Part):
    """Implements `ports.EpochStore`."""

    def open_epoch(
        self, *, run_id: str, job: Job, scope: str, epoch: int, now_ns: Nanos, chain_time_s: int
    ) -> EpochClaim:
        """Claim an epoch, or return the claim already there, unchanged.

        Raises
        ------
        InvariantBroken
            If the scope's epoch belongs to another run: a scope names its run.
        """
        wanted = EpochClaim(
            run_id=run_id,
            job=job,
            scope=scope,
            epoch=epoch,
            opened_at_ns=now_ns,
            opened_chain_s=chain_time_s,
            plan_hash=None,
            note="",
            rows={},
        )
        return self._session.transact(lambda cursor: _open(cursor, wanted))

    def record_epoch(self, claim: EpochClaim, plan: EpochPlan) -> JobStatus:
        """Record a plan in one transaction: claim, rows, intents, postings.

        The same plan again is `ALREADY`; another plan is `QUARANTINED` and leaves everything as it
        is except the claim's quarantine mark. An intent id known with other content quarantines
        that intent and the claim, and nothing of the plan is recorded.

        Raises
        ------
        InvariantBroken
            If the epoch was never opened, a row does not fit its table, or a posting overdraws.
        """
        return self._session.transact(lambda cursor: _record(cursor, claim, plan))

    def epoch_rows(self, run_id: str, table: RowTable, epoch: int | None = None) -> list[EpochRow]:
        """Return rows that jobs left, by epoch and ordinal."""
        return self._session.transact(lambda cursor: _rows(cursor, run_id, table, epoch))

    def epoch_claims(self, run_id: str) -> list[EpochClaim]:
        """Return all claims of a run."""
        return self._session.transact(lambda cursor: _claims(cursor, run_id))


def _open(cursor: Cursor, wanted: EpochClaim) -> EpochClaim:
    key = [wanted.job.value, wanted.scope, wanted.epoch]
    cursor.execute(
        """INSERT INTO epoch_claim (job, scope, epoch, run_id, opened_at_ns, opened_chain_s)
           VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (job, scope, epoch) DO NOTHING""",
        [*key, wanted.run_id, wanted.opened_at_ns, wanted.opened_chain_s],
    )
    cursor.execute(_SELECT + "WHERE job = %s AND scope = %s AND epoch = %s", key)
    claim = _claim(cursor.fetchall()[0])
    if claim.run_id != wanted.run_id:
        raise InvariantBroken(
            f"{claim.job.value} {claim.scope!r} epoch {claim.epoch} belongs to run {claim.run_id}, "
            f"not {wanted.run_id}: the scope must name its run"
        )
    return claim


def _record(cursor: Cursor, claim: EpochClaim, plan: EpochPlan) -> JobStatus:
    key = [claim.job.value, claim.scope, claim.epoch]
    cursor.execute(
        """SELECT run_id, plan_hash, quarantined FROM epoch_claim
           WHERE job = %s AND scope = %s AND epoch = %s FOR NO KEY UPDATE""",
        key,
    )
    held = cursor.fetchone()
    if held is None or held[0] != claim.run_id:
        raise InvariantBroken(
            f"{claim.job.value} {claim.scope!r} epoch {claim.epoch} is not claimed by run "
            f"{claim.run_id}; open it first"
        )
    _, plan_hash, quarantined = held
    if plan_hash == plan.plan_hash:
        return JobStatus.ALREADY
    others = _known_otherwise(cursor, plan.intents) if plan_hash is None else []
    if plan_hash is not None or quarantined or others:
        quarantine_intents(
            cursor, others, reason=f"{claim.job.value} {claim.scope} epoch {claim.epoch} replanned"
        )
        cursor.execute(
            """UPDATE epoch_claim SET quarantined = true
               WHERE job = %s AND scope = %s AND epoch = %s""",
            key,
        )
        return JobStatus.QUARANTINED
    _insert_rows(cursor, claim, plan.rows)
    insert_intents(cursor, claim.run_id, plan.intents)
    post(cursor, plan.postings)
    counts = dict(sorted(Counter(row.table.value for row in plan.rows).items()))
    cursor.execute(
        """UPDATE epoch_claim SET plan_hash = %s, note = %s, row_counts = %s
           WHERE job = %s AND scope = %s AND epoch = %s""",
        [plan.plan_hash, plan.note, Jsonb(counts), *key],
    )
    return JobStatus.RECORDED


def _known_otherwise(cursor: Cursor, intents: tuple[Intent, ...]) -> list[Intent]:
    """Return intents whose id stands in the journal with other content, locking those known."""
    cursor.execute(
        """SELECT intent_id, content_hash FROM intent WHERE intent_id = ANY(%s)
           ORDER BY intent_id FOR NO KEY UPDATE""",
        [[intent.intent_id for intent in intents]],
    )
    known: dict[bytes, bytes] = dict(cursor.fetchall())
    return [
        intent
        for intent in intents
        if known.setdefault(intent.intent_id, intent.content_hash) != intent.content_hash
    ]


def _insert_rows(cursor: Cursor, claim: EpochClaim, rows: tuple[EpochRow, ...]) -> None:
    for table in RowTable:
        names = ["job", "scope", "epoch", "ordinal", "run_id", *COLUMNS[table]]
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table.value),
            sql.SQL(", ").join(map(sql.Identifier, names)),
            sql.SQL(", ").join([sql.Placeholder()] * len(names)),
        )
        key = [claim.job.value, claim.scope, claim.epoch]
        cursor.executemany(
            statement,
            [
                [*key, row.ordinal, claim.run_id, *row_values(row)]
                for row in rows
                if row.table is table
            ],
        )


def _rows(cursor: Cursor, run_id: str, table: RowTable, epoch: int | None) -> list[EpochRow]:
    columns = COLUMNS[table]
    cursor.execute(
        sql.SQL(
            """SELECT ordinal, {} FROM {}
               WHERE run_id = %(run_id)s AND (%(epoch)s::bigint IS NULL OR epoch = %(epoch)s)
               ORDER BY epoch, ordinal, job, scope"""
        ).format(sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(table.value)),
        {"run_id": run_id, "epoch": epoch},
    )
    return [
        EpochRow(table=table, ordinal=ordinal, body=dict(zip(columns, values, strict=True)))
        for ordinal, *values in cursor
    ]


def _claims(cursor: Cursor, run_id: str) -> list[EpochClaim]:
    cursor.execute(_SELECT + "WHERE run_id = %s ORDER BY epoch, job, scope", [run_id])
    return [_claim(row) for row in cursor]


def _claim(row: tuple[Any, ...]) -> EpochClaim:
    run_id, job, scope, epoch, opened_at_ns, opened_chain_s, plan_hash, note, rows = row
    return EpochClaim(
        run_id=run_id,
        job=Job(job),
        scope=scope,
        epoch=epoch,
        opened_at_ns=opened_at_ns,
        opened_chain_s=opened_chain_s,
        plan_hash=None if plan_hash is None else Hash32(plan_hash),
        note=note,
        rows=rows,
    )

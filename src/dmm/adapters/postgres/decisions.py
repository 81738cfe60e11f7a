"""The hash chain of quoting decisions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dmm.adapters.postgres.partitions import open_partitions, refuse_pruned_part
from dmm.adapters.postgres.runs import Part, lock_for_append
from dmm.adapters.postgres.session import Cursor
from dmm.ledger.anchor import JournalTable
from dmm.quoting.decision import DecisionRecord
from dmm.units.errors import InvariantBroken
from dmm.units.ids import ZERO_HASH, Hash32
from dmm.units.time import Nanos

_COPY = """COPY decision (run_id, seq, epoch, decided_at_ns, body, previous_hash, link_hash)
FROM STDIN (FORMAT binary)"""

_COPY_TYPES = ("text", "int8", "int8", "int8", "bytea", "bytea", "bytea")


class Decisions(Part):
    """Implements the decisions of `ports.QuoteStore`."""

    def append_decisions(self, records: Sequence[DecisionRecord]) -> None:
        """Append links of the run's chain; the same link again is a no-op.

        Raises
        ------
        InvariantBroken
            If another link stands at a sequence number, the chain would break, or the records are
            of several runs.
        UsageFault
            If there is no such run, or parts of it were pruned.
        """
        if not records:
            return
        run_ids = {record.run_id for record in records}
        if len(run_ids) > 1:
            raise InvariantBroken(f"one call appends to one run's chain, got {sorted(run_ids)}")
        self._session.transact(lambda cursor: _append(cursor, records))

    def decisions(self, run_id: str, epoch: int | None = None) -> list[DecisionRecord]:
        """Return a run's decisions in order, of one epoch or of all.

        Raises
        ------
        UsageFault
            If any of them was pruned.
        """
        return self._session.transact(lambda cursor: _decisions(cursor, run_id, epoch))


def _append(cursor: Cursor, records: Sequence[DecisionRecord]) -> None:
    run_id = records[0].run_id
    lock_for_append(cursor, run_id)
    # By range: the planner finds a range's partition at once, a list's number by number.
    seqs = [record.seq for record in records]
    cursor.execute(
        "SELECT seq, link_hash FROM decision WHERE run_id = %s AND seq BETWEEN %s AND %s",
        [run_id, min(seqs), max(seqs)],
    )
    known: dict[int, bytes] = dict(cursor.fetchall())
    new: list[DecisionRecord] = []
    for record in records:
        if record.seq not in known:
            known[record.seq] = record.link_hash
            new.append(record)
        elif known[record.seq] != record.link_hash:
            raise InvariantBroken(
                f"decision {record.seq} of run {run_id} is known with another link; the journal "
                "and the worker disagree"
            )
    if not new:
        return
    _check_chain(cursor, run_id, new)
    open_partitions(
        cursor,
        JournalTable.DECISION,
        run_id,
        first_place=new[0].seq,
        last_place=new[-1].seq,
    )
    with cursor.copy(_COPY) as copy:
        copy.set_types(_COPY_TYPES)
        for record in new:
            copy.write_row(
                (
                    record.run_id,
                    record.seq,
                    record.epoch,
                    record.decided_at_ns,
                    record.body,
                    record.previous_hash,
                    record.link_hash,
                )
            )


def _check_chain(cursor: Cursor, run_id: str, new: list[DecisionRecord]) -> None:
    """Name the first link that does not stand on the one before; the schema refuses it as well."""
    cursor.execute(
        "SELECT seq, link_hash FROM decision WHERE run_id = %s ORDER BY seq DESC LIMIT 1", [run_id]
    )
    last = cursor.fetchone()
    seq, link = last if last is not None else (None, ZERO_HASH)
    for record in new:
        follows = seq is None or record.seq == seq + 1
        if not follows or record.previous_hash != link:
            after = "the start" if seq is None else f"decision {seq}"
            raise InvariantBroken(
                f"decision {record.seq} of run {run_id} does not follow {after}: the hash chain "
                "would break"
            )
        seq, link = record.seq, record.link_hash


def _decisions(cursor: Cursor, run_id: str, epoch: int | None) -> list[DecisionRecord]:
    cursor.execute(
        """SELECT run_id, seq, epoch, decided_at_ns, body, previous_hash, link_hash
           FROM decision
           WHERE run_id = %(run_id)s AND (%(epoch)s::bigint IS NULL OR epoch = %(epoch)s)
           ORDER BY seq""",
        {"run_id": run_id, "epoch": epoch},
    )
    records = [_from_row(row) for row in cursor]
    refuse_pruned_part(cursor, JournalTable.DECISION, run_id, epoch=epoch)
    return records


def _from_row(row: tuple[Any, ...]) -> DecisionRecord:
    run_id, seq, epoch, decided_at_ns, body, previous_hash, link_hash = row
    return DecisionRecord(
        run_id=run_id,
        seq=seq,
        epoch=epoch,
        decided_at_ns=Nanos(decided_at_ns),
        body=body,
        previous_hash=Hash32(previous_hash),
        link_hash=Hash32(link_hash),
    )

"""Pruning: an anchor takes a partition's place, in one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from psycopg import errors, sql

from dmm.adapters.postgres.audit_log import append_audit
from dmm.adapters.postgres.partitions import anchors
from dmm.adapters.postgres.runs import Part, lock_run
from dmm.adapters.postgres.session import Cursor
from dmm.ledger.anchor import (
    Anchor,
    Extent,
    JournalTable,
    Partition,
    Row,
    RowDigest,
    check_stands,
)
from dmm.ports import Pruning
from dmm.units.errors import InvariantBroken, UsageFault
from dmm.units.ids import Json
from dmm.units.time import Nanos

PRUNE_LOCK_MS_MAX = 500
"""How long pruning waits for a table; meanwhile its readers and writers wait behind it."""

_COLUMNS = {
    JournalTable.DECISION: """run_id, seq, epoch, decided_at_ns, body, previous_hash, link_hash""",
    JournalTable.FILL: """run_id, fill_id, epoch, ordinal, venue, symbol, client_id, side, price,
        size, mid, fee_atoms, filled_at_ns, is_hedge""",
    JournalTable.MARKET_SLICE: """run_id, epoch, started_at_ns, ended_at_ns, events, decisions,
        quotes, fills, position_lots, mid_half_ticks, spread_captured_atoms, fees_atoms, bids, asks,
        grid_mid_half_ticks, trade_at_ns, trade_depth_half_ticks, trade_size_lots, trade_is_buy""",
}
"""What a row's line holds."""

_PAGE_ROWS = {
    JournalTable.DECISION: 5_000,
    JournalTable.FILL: 5_000,
    JournalTable.MARKET_SLICE: 4,
}
"""How many rows are read at a time: some megabytes at the most."""

# Decisions first, from the front: the order of `JournalTable`.
_LIVE = """SELECT p.partition, p.table_name, p.run_id, p.first_place, p.end_place
FROM journal_partition p JOIN run r USING (run_id)
WHERE NOT EXISTS (SELECT 1 FROM journal_anchor a WHERE a.partition = p.partition) """

_OLD = """AND r.finished_at_ns < %s AND EXISTS (SELECT 1 FROM run later
  WHERE (later.started_at_ns, later.run_id) > (r.started_at_ns, r.run_id))
ORDER BY r.finished_at_ns, r.run_id, p.table_name, p.first_place LIMIT %s"""

_AGE = """SELECT finished_at_ns, NOT EXISTS (SELECT 1 FROM run later
  WHERE (later.started_at_ns, later.run_id) > (run.started_at_ns, run.run_id))
FROM run WHERE run_id = %s"""


class _Busy(Exception):
    """Others use what is needed; the transaction is taken back."""


class Retention(Part):
    """Implements `ports.RetentionStore`."""

    def prunable(self, *, finished_before_ns: Nanos, limit: int) -> list[Partition]:
        """Return partitions of runs that finished earlier, in the order in which they must go.

        The latest run keeps its own: jobs that name no run read it.
        """
        return self._session.transact(
            lambda cursor: _partitions(cursor, _OLD, [finished_before_ns, limit])
        )

    def partitions(self, run_id: str) -> list[Partition]:
        """Return what a run still has, by table and place."""
        return self._session.transact(
            lambda cursor: _partitions(
                cursor, "AND p.run_id = %s ORDER BY p.table_name, p.first_place", [run_id]
            )
        )

    def partition_rows(self, partition: Partition) -> Iterator[Row]:
        """Yield a partition's rows in order, a page at a time.

        Each page is a transaction of its own; what changed in between shows in the digest.

        Raises
        ------
        UsageFault
            If there is no such partition, or it was pruned.
        """
        after: Row | None = None
        while page := self._session.transact(
            lambda cursor, after=after: _checked_page(cursor, partition, after)  # type: ignore[misc]
        ):
            yield from page
            after = page[-1]

    def prune(self, partition: Partition, pruning: Pruning) -> Anchor | None:
        """Put an anchor in a partition's place, in one transaction; again returns that anchor.

        Returns None, and changes nothing, while others use the table: ask again.

        Raises
        ------
        UsageFault
            If there is no such partition, or its run is not finished, too young or the latest.
        InvariantBroken
            If the rows have another digest, break the chain or do not stand on the anchor before.
        """
        try:
            return self._session.transact(lambda cursor: _prune(cursor, partition, pruning))
        except _Busy:
            return None

    def anchors(self, run_id: str | None = None) -> list[Anchor]:
        """Return anchors of one run or of all, by run, table and place."""
        return self._session.transact(
            lambda cursor: anchors(
                cursor, "WHERE %(run)s::text IS NULL OR a.run_id = %(run)s", run=run_id
            )
        )


def _partitions(cursor: Cursor, rest: str, values: list[Any]) -> list[Partition]:
    cursor.execute(_LIVE + rest, values)
    return [
        Partition(
            name=name,
            table=JournalTable(table),
            run_id=run_id,
            first_place=first,
            end_place=end,
        )
        for name, table, run_id, first, end in cursor
    ]


def _prune(cursor: Cursor, partition: Partition, pruning: Pruning) -> Anchor:
    # Two settings of this transaction: the run's row and the table are both given up early.
    cursor.execute(f"SET LOCAL lock_timeout = {PRUNE_LOCK_MS_MAX}")
    try:
        lock_run(cursor, partition.run_id)
        known = anchors(cursor, "WHERE a.partition = %(name)s", name=partition.name)
        if known:
            return known[0]
        _check_known(cursor, partition)
        _check_old(cursor, partition, pruning)
        extent = _checked_extent(cursor, partition, pruning)
        # All reading is done: the table is shut for no longer than the writes below take.
        cursor.execute(
            sql.SQL("LOCK TABLE ONLY {} IN ACCESS EXCLUSIVE MODE").format(
                sql.Identifier(partition.table.value)
            )
        )
        anchor = Anchor(
            partition=partition,
            extent=extent,
            archive=pruning.archive,
            operator=pruning.operator,
            reason=pruning.reason,
            pruned_at_ns=pruning.now_ns,
        )
        _write(cursor, anchor)
        cursor.execute("SELECT drop_partition(%s)", [partition.name])
    except errors.LockNotAvailable:
        raise _Busy from None
    return anchor


def _check_known(cursor: Cursor, partition: Partition) -> None:
    """No name in a statement comes from a caller: it must be that of a partition we made."""
    if partition not in _partitions(cursor, "AND p.partition = %s", [partition.name]):
        found = anchors(cursor, "WHERE a.partition = %(name)s", name=partition.name)
        why = f"it was pruned ({found[0].reason})" if found else "`partitions` lists what is"
        raise UsageFault(f"there is no partition {partition.name!r} in the journal: {why}")


def _check_old(cursor: Cursor, partition: Partition, pruning: Pruning) -> None:
    cursor.execute(_AGE, [partition.run_id])
    finished_at_ns, is_latest = cursor.fetchall()[0]
    if finished_at_ns is None:
        why = "is not finished and would be played again from its start"
    elif finished_at_ns >= pruning.finished_before_ns:
        why = f"finished at {finished_at_ns} ns, not before {pruning.finished_before_ns} ns"
    elif is_latest:
        why = "is the latest, which jobs read that name no run"
    else:
        return
    raise UsageFault(f"partition {partition.name} stays: run {partition.run_id} {why}")


def _checked_extent(cursor: Cursor, partition: Partition, pruning: Pruning) -> Extent:
    digest, after = RowDigest(partition), None
    while page := _page(cursor, partition, after):
        for row in page:
            digest.add(row)
        after = page[-1]
    extent = digest.extent()
    if pruning.digest is not None and pruning.digest != extent.digest:
        raise InvariantBroken(
            f"partition {partition.name} has digest {extent.digest.hex()}, its archive "
            f"{pruning.archive} {pruning.digest.hex()}: rows were changed behind the journal's "
            "back; compare both"
        )
    if partition.table is JournalTable.DECISION:
        before = anchors(
            cursor,
            "WHERE a.table_name = 'decision' AND a.run_id = %(run)s "
            "AND a.last_place = %(first)s - 1",
            run=partition.run_id,
            first=partition.first_place,
        )
        check_stands(partition, extent, before[0].extent if before else None)
    return extent


def _write(cursor: Cursor, anchor: Anchor) -> None:
    part, extent = anchor.partition, anchor.extent
    cursor.execute(
        """INSERT INTO journal_anchor (partition, run_id, table_name, first_place, last_place,
             first_epoch, last_epoch, row_count, first_previous_hash, last_link_hash, digest,
             archive, operator, reason, pruned_at_ns)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        [
            part.name,
            part.run_id,
            part.table.value,
            extent.first_place,
            extent.last_place,
            extent.first_epoch,
            extent.last_epoch,
            extent.rows,
            extent.first_previous_hash,
            extent.last_link_hash,
            extent.digest,
            anchor.archive,
            anchor.operator,
            anchor.reason,
            anchor.pruned_at_ns,
        ],
    )
    # The audit log is a chain that nobody prunes: an anchor rewritten later disagrees with it.
    body: dict[str, Json] = {
        "partition": part.name,
        "run_id": part.run_id,
        "rows": extent.rows,
        "digest": extent.digest.hex(),
        "last_link_hash": extent.last_link_hash.hex() if extent.last_link_hash else None,
        "archive": anchor.archive,
        "reason": anchor.reason,
    }
    append_audit(cursor, anchor.operator, "prune", body, anchor.pruned_at_ns)


def _checked_page(cursor: Cursor, partition: Partition, after: Row | None) -> list[Row]:
    _check_known(cursor, partition)
    return _page(cursor, partition, after)


def _page(cursor: Cursor, partition: Partition, after: Row | None) -> list[Row]:
    """Read the rows after one from the partition itself, so that its table is not locked."""
    order = sql.SQL(", ").join(map(sql.Identifier, partition.table.order))
    values: list[Any] = [] if after is None else [after[name] for name in partition.table.order]
    beyond = sql.SQL("WHERE ({}) > ({})").format(
        order, sql.SQL(", ").join(map(sql.Literal, values))
    )
    cursor.execute(
        sql.SQL("SELECT {} FROM {} {} ORDER BY {} LIMIT {}").format(
            sql.SQL(_COLUMNS[partition.table]),
            sql.Identifier(partition.name),
            beyond if values else sql.SQL(""),
            order,
            sql.Literal(_PAGE_ROWS[partition.table]),
        )
    )
    names = [column.name for column in cursor.description or ()]
    return [{name: _plain(value) for name, value in zip(names, row, strict=True)} for row in cursor]


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value

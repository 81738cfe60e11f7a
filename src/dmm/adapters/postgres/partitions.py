"""Partitions that writers make, and the anchors that writers and readers must not pass by."""

from __future__ import annotations

from typing import Any

from dmm.adapters.postgres.session import Cursor
from dmm.ledger.anchor import Anchor, Extent, JournalTable, Partition
from dmm.units.errors import UsageFault

_ANCHORS = """SELECT a.partition, a.run_id, a.table_name, p.first_place, p.end_place, a.first_place,
a.last_place, a.first_epoch, a.last_epoch, a.row_count, a.first_previous_hash, a.last_link_hash,
a.digest, a.archive, a.operator, a.reason, a.pruned_at_ns
FROM journal_anchor a JOIN journal_partition p USING (partition) """


def open_partitions(
    cursor: Cursor, table: JournalTable, run_id: str, *, first_place: int, last_place: int
) -> None:
    """Make the partitions that rows from `first_place` to `last_place` need, if they are missing.

    The caller holds the run's lock and writes at least one row to each.
    """
    cursor.execute(
        "SELECT open_partitions(%s, %s, %s, %s)", [table.value, run_id, first_place, last_place]
    )


def refuse_pruned_run(cursor: Cursor, run_id: str) -> None:
    """Refuse a run that lost a partition: it can neither be played again nor go on."""
    cursor.execute(
        _ANCHORS + "WHERE a.run_id = %s ORDER BY a.pruned_at_ns, a.partition LIMIT 1", [run_id]
    )
    row = cursor.fetchone()
    if row is not None:
        raise UsageFault(
            f"run {run_id} cannot be played again: {_was_pruned(anchor_from_row(row))}; start a "
            "new run"
        )


def refuse_pruned_part(
    cursor: Cursor, table: JournalTable, run_id: str, *, epoch: int | None = None
) -> None:
    """Refuse to answer for rows that were pruned; None asks for all epochs.

    Call it after the rows were read in the same transaction: what is pruned in between is seen.
    """
    cursor.execute(
        _ANCHORS
        + """WHERE a.run_id = %(run_id)s AND a.table_name = %(table)s
             AND (%(epoch)s::bigint IS NULL OR %(epoch)s BETWEEN a.first_epoch AND a.last_epoch)
             ORDER BY a.first_place LIMIT 1""",
        {"run_id": run_id, "table": table.value, "epoch": epoch},
    )
    row = cursor.fetchone()
    if row is not None:
        raise UsageFault(f"run {run_id} is no longer whole: {_was_pruned(anchor_from_row(row))}")


def anchors(cursor: Cursor, where: str, **values: str | int | None) -> list[Anchor]:
    """Return anchors under a condition on ``a``, by run, table and place."""
    cursor.execute(_ANCHORS + where + " ORDER BY a.run_id, a.table_name, a.first_place", values)
    return [anchor_from_row(row) for row in cursor]


def anchor_from_row(row: tuple[Any, ...]) -> Anchor:
    """Return an anchor from its row."""
    name, run_id, table, first, end, first_place, last_place, *rest = row
    first_epoch, last_epoch, rows, previous, link, digest, archive, operator, reason, at_ns = rest
    return Anchor(
        partition=Partition(
            name=name,
            table=JournalTable(table),
            run_id=run_id,
            first_place=first,
            end_place=end,
        ),
        extent=Extent(
            rows=rows,
            first_place=first_place,
            last_place=last_place,
            first_epoch=first_epoch,
            last_epoch=last_epoch,
            first_previous_hash=previous,
            last_link_hash=link,
            digest=digest,
        ),
        archive=archive,
        operator=operator,
        reason=reason,
        pruned_at_ns=at_ns,
    )


def _was_pruned(anchor: Anchor) -> str:
    part, extent = anchor.partition, anchor.extent
    kept = f"its rows are in archive {anchor.archive}" if anchor.archive else "they were not kept"
    return (
        f"{part.table.value} rows {extent.first_place} to {extent.last_place} were pruned "
        f"({anchor.reason}); anchor {part.name}, {kept}"
    )

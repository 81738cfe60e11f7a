"""What is left of a pruned part of the journal: its anchor, and the digest its rows must have.

A partition is a run's decisions, fills or slices between two places. Its rows have one byte form,
a line of canonical JSON each, and the digest is SHA-256 over these lines in order. So the lines of
an archived partition are proven by any tool that can hash a file, and a chain of decisions whose
beginning is gone goes on from the last link that the anchor names.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias, cast

from dmm.units.errors import InvariantBroken
from dmm.units.ids import ZERO_HASH, Hash32, Json, canonical_json, hash_link
from dmm.units.time import Nanos

Row: TypeAlias = "dict[str, Json]"
"""A row by column; bytes as lower-case hex."""


class JournalTable(StrEnum):
    """The tables that grow with every refresh of the quotes, in the order a run loses them."""

    DECISION = "decision"
    FILL = "fill"
    MARKET_SLICE = "market_slice"

    @property
    def order(self) -> tuple[str, ...]:
        """Return the columns that order a run's rows; the first is the place."""
        return _ORDER[self]


_ORDER = {
    JournalTable.DECISION: ("seq",),
    JournalTable.FILL: ("ordinal", "venue"),
    JournalTable.MARKET_SLICE: ("epoch",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """Rows of one run from `first_place` up to, not including, `end_place`; None: to the end."""

    name: str
    table: JournalTable
    run_id: str
    first_place: int
    end_place: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """What a partition holds: count, first and last place and epoch, digest of its lines.

    `first_previous_hash` and `last_link_hash` are the two ends of a part of the chain of decisions,
    None in the other tables.
    """

    rows: int
    first_place: int
    last_place: int
    first_epoch: int
    last_epoch: int
    first_previous_hash: Hash32 | None
    last_link_hash: Hash32 | None
    digest: Hash32


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """What stands for a pruned partition; `archive` names where its rows went, empty: nowhere."""

    partition: Partition
    extent: Extent
    archive: str
    operator: str
    reason: str
    pruned_at_ns: Nanos


class RowDigest:
    """Reads a partition's rows in order, refuses what cannot be, and sums them up."""

    def __init__(self, partition: Partition) -> None:
        self._partition = partition
        self._sha256 = hashlib.sha256()
        self._rows = 0
        self._first: Row = {}
        self._last: Row = {}
        self._last_order: tuple[Any, ...] = ()
        self._epochs: tuple[int, int] = (0, 0)
        self._link: Hash32 | None = None

    def add(self, row: Row) -> bytes:
        """Add the next row and return its line, with the newline that the digest covers too.

        Raises
        ------
        InvariantBroken
            If the row is of another run or place, out of order, or a link that breaks the chain.
        """
        table = self._partition.table
        order: tuple[Any, ...] = tuple(row.get(name) for name in table.order)
        self._check_place(row, order)
        if table is JournalTable.DECISION:
            self._link = self._checked_link(row)
        epoch = cast("int", row["epoch"])
        low, high = self._epochs if self._rows else (epoch, epoch)
        self._epochs = (min(low, epoch), max(high, epoch))
        self._first = self._first or row
        self._last, self._last_order = row, order
        self._rows += 1
        line = canonical_json(row) + b"\n"
        self._sha256.update(line)
        return line

    def extent(self) -> Extent:
        """Return what was added.

        Raises
        ------
        InvariantBroken
            If nothing was: a partition is made for its first row, so its rows were taken away.
        """
        if not self._rows:
            raise InvariantBroken(
                f"partition {self._partition.name} holds no row; restore it from a backup"
            )
        place = self._partition.table.order[0]
        is_chain = self._partition.table is JournalTable.DECISION
        return Extent(
            rows=self._rows,
            first_place=cast("int", self._first[place]),
            last_place=cast("int", self._last[place]),
            first_epoch=self._epochs[0],
            last_epoch=self._epochs[1],
            first_previous_hash=_hash(self._first, "previous_hash") if is_chain else None,
            last_link_hash=self._link,
            digest=Hash32(self._sha256.digest()),
        )

    def _check_place(self, row: Row, order: tuple[Any, ...]) -> None:
        part = self._partition
        fits = (
            row.get("run_id") == part.run_id
            and part.first_place <= order[0]
            and (part.end_place is None or order[0] < part.end_place)
        )
        if not fits or self._last_order >= order:
            raise InvariantBroken(
                f"row {order} of run {row.get('run_id')} does not belong into partition "
                f"{part.name} after {self._last_order or 'its beginning'}; restore it from a backup"
            )

    def _checked_link(self, row: Row) -> Hash32:
        previous, seq = _hash(row, "previous_hash"), cast("int", row["seq"])
        body = bytes.fromhex(cast("str", row["body"]))
        link = hash_link(previous, body)
        follows = self._link is None or (
            previous == self._link and seq == cast("int", self._last["seq"]) + 1
        )
        if not follows or link != _hash(row, "link_hash"):
            raise InvariantBroken(
                f"decision {seq} of run {row['run_id']} breaks the hash chain; it was changed "
                "behind the journal's back: restore it from a backup"
            )
        return link


def check_stands(partition: Partition, extent: Extent, before: Extent | None) -> None:
    """Refuse a part of a chain that neither begins it nor stands on the part before.

    Parameters
    ----------
    extent : of a partition of decisions
    before : of the one before, as an anchor or its rows have it; None when there was none

    Raises
    ------
    InvariantBroken
        If the first link is not the one after the last of `before`, or not the genesis.
    """
    seq, link = (0, ZERO_HASH) if before is None else (before.last_place + 1, before.last_link_hash)
    if (extent.first_place, extent.first_previous_hash) != (seq, link):
        raise InvariantBroken(
            f"partition {partition.name} begins with decision {extent.first_place}, which does "
            f"not stand on link {(link or ZERO_HASH).hex()} before decision {seq}: the chain is "
            "broken; restore what is missing from a backup"
        )


def _hash(row: Row, name: str) -> Hash32:
    return Hash32(bytes.fromhex(cast("str", row[name])))

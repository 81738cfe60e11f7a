"""What pruning asks of the journal and of the archive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from dmm.ledger.anchor import Anchor, Extent, Partition, Row
from dmm.units.ids import Hash32
from dmm.units.time import Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruning:
    """On whose word a partition goes, and on what condition.

    `finished_before_ns`: its run must have finished earlier. `digest`, when given, is what its rows
    must have, for example that of the archive `archive` names.
    """

    finished_before_ns: Nanos
    now_ns: Nanos
    operator: str
    reason: str
    archive: str = ""
    digest: Hash32 | None = None


class RetentionStore(Protocol):
    """Partitions of the journal that grow with every refresh, and the anchors of pruned ones.

    The ledger, intents, estimates, epoch rows and the audit log are in none and never pruned. A run
    that lost a partition takes no decision, fill or slice any more, and what it lost is refused by
    the name of its anchor wherever it is asked for.
    """

    def prunable(self, *, finished_before_ns: Nanos, limit: int) -> list[Partition]:
        """Return partitions of runs that finished earlier, in the order in which they must go.

        The latest run keeps its own: jobs that name no run read it.
        """
        ...

    def partitions(self, run_id: str) -> list[Partition]:
        """Return what a run still has, by table and place."""
        ...

    def partition_rows(self, partition: Partition) -> Iterator[Row]:
        """Yield a partition's rows in order, a page at a time.

        Raises
        ------
        UsageFault
            If there is no such partition, or it was pruned.
        """
        ...

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
        ...

    def anchors(self, run_id: str | None = None) -> list[Anchor]:
        """Return anchors of one run or of all, by run, table and place."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Archived:
    """A partition in an archive, as read back from it."""

    name: str
    partition: Partition
    extent: Extent


class Archive(Protocol):
    """Where rows go before their partition does."""

    def keep(self, partition: Partition, rows: Iterable[Row]) -> Archived:
        """Write a partition whole or not at all, and return what reading it back gives.

        Again with the same rows is a no-op.

        Raises
        ------
        InvariantBroken
            If it is there already with other rows, or what is read back is not what was written.
        ServiceFault
            If it cannot be written.
        """
        ...

    def read(self, name: str) -> Archived:
        """Read an archived partition, every row.

        Raises
        ------
        UsageFault
            If there is none of that name.
        Permanent
            If its content is unusable.
        """
        ...

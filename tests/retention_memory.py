"""Retention in memory: the same promises as the journal's, with the rows it has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields

from ports_memory import MemoryStore

from dmm.ledger.anchor import (
    Anchor,
    JournalTable,
    Partition,
    Row,
    RowDigest,
    check_stands,
)
from dmm.ledger.journal import Posting
from dmm.market.order import Fill
from dmm.ports import Pruning, Run
from dmm.quoting.decision import DecisionRecord, MarketSlice, SliceSummary
from dmm.units.errors import InvariantBroken, UsageFault
from dmm.units.time import Nanos


class MemoryRetention(MemoryStore):
    """A store whose runs lose partitions of `width` decisions, and their fills and slices whole."""

    def __init__(self, *, width: int = 100_000) -> None:
        super().__init__()
        self.width = width
        self.busy = 0
        self._anchors: dict[str, Anchor] = {}

    # -- what the anchors change for writers and readers

    def open_run(self, run: Run) -> Run:
        self._refuse_pruned(run.run_id)
        return super().open_run(run)

    def append_decisions(self, records: Sequence[DecisionRecord]) -> None:
        for record in records:
            self._refuse_pruned(record.run_id)
        super().append_decisions(records)

    def append_fills(self, fills: Sequence[Fill], postings: Sequence[Posting]) -> int:
        for fill in fills:
            self._refuse_pruned(fill.run_id)
        return super().append_fills(fills, postings)

    def close_slice(self, summary: SliceSummary) -> None:
        self._refuse_pruned(summary.run_id)
        super().close_slice(summary)

    def decisions(self, run_id: str, epoch: int | None = None) -> list[DecisionRecord]:
        self._refuse_part(JournalTable.DECISION, run_id, epoch)
        return super().decisions(run_id, epoch)

    def fills(self, run_id: str, epoch: int | None = None) -> list[Fill]:
        self._refuse_part(JournalTable.FILL, run_id, epoch)
        return super().fills(run_id, epoch)

    def slice(self, run_id: str, epoch: int) -> SliceSummary | None:
        self._refuse_part(JournalTable.MARKET_SLICE, run_id, epoch)
        return super().slice(run_id, epoch)

    def last_slice(self, run_id: str) -> SliceSummary | None:
        self._refuse_part(JournalTable.MARKET_SLICE, run_id, None)
        return super().last_slice(run_id)

    # -- retention

    def prunable(self, *, finished_before_ns: Nanos, limit: int) -> list[Partition]:
        old = [
            run
            for run in self._runs.values()
            if run.finished_at_ns is not None
            and run.finished_at_ns < finished_before_ns
            and run != self.latest_run()
        ]
        old.sort(key=lambda run: (run.finished_at_ns, run.run_id))
        return [part for run in old for part in self.partitions(run.run_id)][:limit]

    def partitions(self, run_id: str) -> list[Partition]:
        last = len(self._decisions.get(run_id, [])) - 1
        found = [
            self._partition(JournalTable.DECISION, run_id, first, first + self.width)
            for first in range(0, last + 1, self.width)
        ]
        if any(fill.run_id == run_id for fill in self._fills.values()):
            found.append(self._partition(JournalTable.FILL, run_id, 0, None))
        if any(run == run_id for run, _ in self._slices):
            found.append(self._partition(JournalTable.MARKET_SLICE, run_id, 0, None))
        return [part for part in found if part.name not in self._anchors]

    def partition_rows(self, partition: Partition) -> Iterator[Row]:
        self._check_known(partition)
        yield from self._rows_of(partition)

    def prune(self, partition: Partition, pruning: Pruning) -> Anchor | None:
        if partition.name in self._anchors:
            return self._anchors[partition.name]
        self._check_known(partition)
        run = self.run(partition.run_id)
        old = run.finished_at_ns is not None and run.finished_at_ns < pruning.finished_before_ns
        if not old or run == self.latest_run():
            why = "not finished" if run.finished_at_ns is None else "too young or the latest"
            raise UsageFault(f"partition {partition.name} stays: run {run.run_id} is {why}")
        digest = RowDigest(partition)
        for row in self._rows_of(partition):
            digest.add(row)
        extent = digest.extent()
        if pruning.digest not in (None, extent.digest):
            raise InvariantBroken(f"partition {partition.name} has another digest")
        if partition.table is JournalTable.DECISION:
            chain = [a.extent for a in self.anchors(partition.run_id) if a.extent.last_link_hash]
            last = next((e for e in chain if e.last_place == partition.first_place - 1), None)
            check_stands(partition, extent, last)
        if self.busy:
            self.busy -= 1
            return None
        anchor = Anchor(
            partition=partition,
            extent=extent,
            archive=pruning.archive,
            operator=pruning.operator,
            reason=pruning.reason,
            pruned_at_ns=pruning.now_ns,
        )
        self._anchors[partition.name] = anchor
        self.append_audit(
            actor=pruning.operator,
            action="prune",
            body={"partition": partition.name, "digest": extent.digest.hex()},
            now_ns=pruning.now_ns,
        )
        return anchor

    def anchors(self, run_id: str | None = None) -> list[Anchor]:
        found = [a for a in self._anchors.values() if run_id in (None, a.partition.run_id)]
        return sorted(
            found, key=lambda a: (a.partition.run_id, a.partition.table, a.extent.first_place)
        )

    def _partition(
        self, table: JournalTable, run_id: str, first: int, end: int | None
    ) -> Partition:
        return Partition(
            name=f"{table}_{run_id}_{first // self.width}",
            table=table,
            run_id=run_id,
            first_place=first,
            end_place=end,
        )

    def _rows_of(self, partition: Partition) -> list[Row]:
        run_id = partition.run_id
        match partition.table:
            case JournalTable.DECISION:
                chain = self._decisions[run_id][partition.first_place : partition.end_place]
                return [_plain(asdict(record)) for record in chain]
            case JournalTable.FILL:
                return [_plain(asdict(fill)) for fill in MemoryStore.fills(self, run_id)]
            case JournalTable.MARKET_SLICE:
                of_run = [(e, s) for (run, e), s in self._slices.items() if run == run_id]
                return [_slice_row(summary) for _, summary in sorted(of_run, key=lambda p: p[0])]

    def _check_known(self, partition: Partition) -> None:
        if partition not in self.partitions(partition.run_id):
            raise UsageFault(f"there is no partition {partition.name!r} in the journal")

    def _refuse_pruned(self, run_id: str) -> None:
        for anchor in self.anchors(run_id):
            raise UsageFault(f"run {run_id} cannot be played again: anchor {anchor.partition.name}")

    def _refuse_part(self, table: JournalTable, run_id: str, epoch: int | None) -> None:
        for anchor in self.anchors(run_id):
            epochs = range(anchor.extent.first_epoch, anchor.extent.last_epoch + 1)
            if anchor.partition.table is table and (epoch is None or epoch in epochs):
                raise UsageFault(f"run {run_id} is no longer whole: anchor {anchor.partition.name}")


def _plain(values: dict[str, object]) -> Row:
    return {k: v.hex() if isinstance(v, bytes) else v for k, v in values.items()}  # type: ignore[misc]


def _slice_row(summary: SliceSummary) -> Row:
    row: dict[str, object] = {
        field.name: getattr(summary, field.name)
        for field in fields(SliceSummary)
        if field.name != "market"
    }
    for field in fields(MarketSlice):
        row[field.name] = getattr(summary.market, field.name).tobytes()
    return _plain(row)

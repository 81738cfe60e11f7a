"""Retention: what is old is archived, anchored and pruned; what remains can still be verified."""

from __future__ import annotations

from dataclasses import dataclass

from dmm.ledger.anchor import Anchor, Extent, JournalTable, Partition, RowDigest, check_stands
from dmm.ports import Archive, Clock, Pruning, RetentionStore
from dmm.units.errors import InvariantBroken, UsageFault
from dmm.units.ids import ZERO_HASH, Hash32
from dmm.units.time import NS_PER_S, Nanos

PARTITIONS_MAX = 64
"""Partitions pruned by one call; the next call goes on."""

ATTEMPTS_MAX = 5
"""How often a partition is tried while others use its table."""

PAUSE_S = 0.5
"""Pause between two attempts, so that those who waited behind us come first, seconds."""

DAY_NS = 86_400 * NS_PER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Retained:
    """What one call pruned; `busy` names the partition at which it gave up, empty: none."""

    anchors: tuple[Anchor, ...]
    busy: str
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainProof:
    """A run's chain of decisions as it stands: `first_seq` is the first one not pruned.

    `links` are those that remain, `head` is the last link; `anchors` is how many partitions the
    first remaining link stands on.
    """

    run_id: str
    anchors: int
    first_seq: int
    links: int
    head: Hash32


def prune_journal(
    *,
    store: RetentionStore,
    clock: Clock,
    archive: Archive | None,
    keep_days: int,
    operator: str,
    partitions_max: int = PARTITIONS_MAX,
) -> Retained:
    """Prune partitions of runs that finished more than `keep_days` ago, oldest first.

    Each goes in a transaction of its own, so a crash leaves it whole or anchored. Where others use
    a table for longer than some attempts take, the call ends and says where: the next one goes on.

    Parameters
    ----------
    archive : keeps the rows first and reads them back; None keeps none of them
    keep_days : days by the clock since a run finished, >= 1
    operator : who asks, for the anchor and the audit log
    partitions_max : partitions this call may prune, > 0

    Raises
    ------
    UsageFault
        If a number is out of range.
    InvariantBroken
        If rows do not match their archive or their chain; that partition stays.
    ServiceFault
        If the archive cannot be written; nothing is pruned without it.
    """
    if keep_days < 1 or partitions_max < 1:
        raise UsageFault(
            f"keep at least 1 day and prune at least 1 partition, got {keep_days} and "
            f"{partitions_max}"
        )
    now_ns = clock.now_ns()
    finished_before_ns = Nanos(now_ns - keep_days * DAY_NS)
    found = store.prunable(finished_before_ns=finished_before_ns, limit=partitions_max + 1)
    done: list[Anchor] = []
    for partition in found[:partitions_max]:
        kept = archive.keep(partition, store.partition_rows(partition)) if archive else None
        pruning = Pruning(
            finished_before_ns=finished_before_ns,
            now_ns=now_ns,
            operator=operator,
            reason=f"run finished more than {keep_days} days ago",
            archive=kept.name if kept else "",
            digest=kept.extent.digest if kept else None,
        )
        anchor = _prune(store, clock, partition, pruning)
        if anchor is None:
            return Retained(anchors=tuple(done), busy=partition.name, more=True)
        done.append(anchor)
    return Retained(anchors=tuple(done), busy="", more=len(found) > partitions_max)


def _prune(
    store: RetentionStore, clock: Clock, partition: Partition, pruning: Pruning
) -> Anchor | None:
    for attempt in range(ATTEMPTS_MAX):
        if attempt:
            clock.sleep_s(PAUSE_S)
        anchor = store.prune(partition, pruning)
        if anchor is not None:
            return anchor
    return None


def verify_chain(*, store: RetentionStore, run_id: str) -> ChainProof:
    """Verify a run's decisions from its beginning or, where that was pruned, from its anchors.

    Every remaining link is hashed again from its bytes.

    Raises
    ------
    InvariantBroken
        If an anchor or a link does not stand on the one before.
    """
    last: Extent | None = None
    anchors = [
        anchor
        for anchor in store.anchors(run_id)
        if anchor.partition.table is JournalTable.DECISION
    ]
    for anchor in anchors:
        check_stands(anchor.partition, anchor.extent, last)
        last = anchor.extent
    first_seq = 0 if last is None else last.last_place + 1
    links = 0
    for partition in store.partitions(run_id):
        if partition.table is JournalTable.DECISION:
            extent = _extent(store, partition)
            check_stands(partition, extent, last)
            last, links = extent, links + extent.rows
    head = ZERO_HASH if last is None or last.last_link_hash is None else last.last_link_hash
    return ChainProof(
        run_id=run_id, anchors=len(anchors), first_seq=first_seq, links=links, head=head
    )


def prove_archive(*, store: RetentionStore, archive: Archive, name: str) -> Anchor:
    """Return the anchor that an archived partition's rows prove to be theirs.

    Parameters
    ----------
    name : of the archived partition, as the anchor or the operator has it

    Raises
    ------
    UsageFault
        If there is no such file, or the journal has no anchor for it.
    Permanent
        If its content is unusable.
    InvariantBroken
        If its rows are not those that were pruned.
    """
    held = archive.read(name)
    for anchor in store.anchors(held.partition.run_id):
        if anchor.partition.name == held.partition.name:
            if (anchor.partition, anchor.extent) != (held.partition, held.extent):
                raise InvariantBroken(
                    f"archive {held.name} has digest {held.extent.digest.hex()}, the anchor of "
                    f"{anchor.partition.name} {anchor.extent.digest.hex()}: these are not the rows "
                    "that were pruned; take another copy"
                )
            return anchor
    raise UsageFault(
        f"archive {held.name} is of partition {held.partition.name}, which has no anchor in this "
        "journal; name the journal it was pruned from"
    )


def _extent(store: RetentionStore, partition: Partition) -> Extent:
    digest = RowDigest(partition)
    for row in store.partition_rows(partition):
        digest.add(row)
    return digest.extent()

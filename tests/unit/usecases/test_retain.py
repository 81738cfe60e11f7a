"""Retention: what is young, unfinished, damaged or in use stays; what goes can be proven."""

from __future__ import annotations

from pathlib import Path

import journal_samples as make
import pytest
from chain_memory import NOBODY, NodeLog
from desk_memory import DESK, RUN, TREASURY, Desk
from journal_memory import MemoryJournal

from dmm.adapters.archive import FolderArchive
from dmm.ports import Archive, Run
from dmm.units.errors import InvariantBroken, ServiceFault, UsageFault
from dmm.units.time import Nanos
from dmm.usecases.audit import audit_all, record_funding
from dmm.usecases.retain import (
    ATTEMPTS_MAX,
    DAY_NS,
    PAUSE_S,
    Retained,
    prove_archive,
    prune_journal,
    verify_chain,
)

FINISHED_NS = 5 * DAY_NS
LINKS = make.decisions(25)


class Clock:
    def __init__(self) -> None:
        self.ns = FINISHED_NS + 31 * DAY_NS
        self.slept: list[float] = []

    def now_ns(self) -> Nanos:
        return Nanos(self.ns)

    def sleep_s(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal() -> MemoryJournal:
    """Return a journal with a finished run of three partitions of decisions, and a later run."""
    store = MemoryJournal()
    store.width = 10
    store.open_run(make.run())
    store.append_decisions(LINKS)
    store.append_fills([make.fill(2)], [make.funding()])
    store.close_slice(make.summary())
    store.finish_run(make.RUN, finished_at_ns=Nanos(FINISHED_NS))
    store.open_run(make.run("later", started_at_ns=500))
    return store


@pytest.fixture
def archive(tmp_path: Path) -> FolderArchive:
    return FolderArchive(tmp_path / "archive")


def prune(
    journal: MemoryJournal,
    clock: Clock,
    archive: Archive | None = None,
    *,
    keep_days: int = 30,
    partitions_max: int = 64,
) -> Retained:
    return prune_journal(
        store=journal,
        clock=clock,
        archive=archive,
        keep_days=keep_days,
        operator="ann",
        partitions_max=partitions_max,
    )


@pytest.mark.parametrize(("keep_days", "partitions_max"), [(0, 64), (-3, 64), (30, 0)])
def test_a_number_out_of_range_is_refused_before_anything_is_read(
    journal: MemoryJournal, clock: Clock, keep_days: int, partitions_max: int
) -> None:
    with pytest.raises(UsageFault, match="at least 1"):
        prune(journal, clock, keep_days=keep_days, partitions_max=partitions_max)
    assert journal.anchors() == []


def test_a_run_is_kept_to_the_last_nanosecond_of_its_days(
    journal: MemoryJournal, clock: Clock
) -> None:
    clock.ns = FINISHED_NS + 30 * DAY_NS
    assert prune(journal, clock) == Retained(anchors=(), busy="", more=False)
    clock.ns += 1
    assert len(prune(journal, clock).anchors) == 5


def test_nothing_is_pruned_that_could_not_be_archived(
    journal: MemoryJournal, clock: Clock, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ServiceFault, match="DMM_ARCHIVE_DIR"):
        prune(journal, clock, FolderArchive(tmp_path / "file" / "below"))
    assert journal.anchors() == []


def test_an_archive_of_other_rows_stops_the_call_and_keeps_the_partition(
    journal: MemoryJournal, clock: Clock, archive: FolderArchive, tmp_path: Path
) -> None:
    stranger = MemoryJournal()
    stranger.width = 10
    stranger.open_run(make.run())
    other = make.decisions(9)
    stranger.append_decisions(other)
    (taken,) = stranger.partitions(make.RUN)
    archive.keep(taken, stranger.partition_rows(taken))
    with pytest.raises(InvariantBroken, match="move the file away"):
        prune(journal, clock, archive)
    assert journal.anchors() == []
    assert [path.suffix for path in (tmp_path / "archive").iterdir()] == [".gz"]


def test_a_table_in_use_is_tried_a_few_times_and_then_left_for_the_next_call(
    journal: MemoryJournal, clock: Clock
) -> None:
    journal.busy = ATTEMPTS_MAX + 2
    assert prune(journal, clock) == Retained(anchors=(), busy="decision_run-7_0", more=True)
    assert clock.slept == [PAUSE_S] * (ATTEMPTS_MAX - 1)
    done = prune(journal, clock)
    assert (len(done.anchors), done.busy, done.more) == (5, "", False)
    assert clock.slept == [PAUSE_S] * (ATTEMPTS_MAX + 1)


def test_a_call_prunes_no_more_than_it_may_and_the_next_goes_on(
    journal: MemoryJournal, clock: Clock, archive: FolderArchive
) -> None:
    first = prune(journal, clock, archive, partitions_max=2)
    assert ([a.partition.first_place for a in first.anchors], first.more) == ([0, 10], True)
    second = prune(journal, clock, archive, partitions_max=3)
    assert (len(second.anchors), second.more) == (3, False)
    assert prune(journal, clock, archive) == Retained(anchors=(), busy="", more=False)


def test_a_crash_between_archive_and_anchor_is_repaired_by_the_next_call(
    journal: MemoryJournal, clock: Clock, archive: FolderArchive
) -> None:
    first = journal.partitions(make.RUN)[0]
    kept = archive.keep(first, journal.partition_rows(first))
    done = prune(journal, clock, archive)
    assert done.anchors[0].archive == kept.name
    assert done.anchors[0].extent == kept.extent


def test_an_anchor_says_who_when_why_and_where_the_rows_went(
    journal: MemoryJournal, clock: Clock, archive: FolderArchive, tmp_path: Path
) -> None:
    anchor = prune(journal, clock, archive).anchors[0]
    assert (anchor.operator, anchor.pruned_at_ns) == ("ann", clock.ns)
    assert anchor.reason == "run finished more than 30 days ago"
    assert anchor.archive == str(tmp_path / "archive" / "decision_run-7_0.jsonl.gz")
    assert [action for action, _, _ in journal.audit] == ["prune"] * 5


def test_without_an_archive_the_anchor_says_so(journal: MemoryJournal, clock: Clock) -> None:
    assert {anchor.archive for anchor in prune(journal, clock).anchors} == {""}


def test_the_chain_is_verified_from_its_anchors(journal: MemoryJournal, clock: Clock) -> None:
    heads = []
    for pruned in range(4):
        proof = verify_chain(store=journal, run_id=make.RUN)
        assert (proof.anchors, proof.links) == (pruned, max(0, 25 - 10 * pruned))
        heads.append(proof.head)
        prune(journal, clock, partitions_max=1)
    assert set(heads) == {LINKS[-1].link_hash}


def test_a_chain_without_links_is_verified_as_such(journal: MemoryJournal) -> None:
    proof = verify_chain(store=journal, run_id="later")
    assert (proof.anchors, proof.first_seq, proof.links, proof.head) == (0, 0, 0, bytes(32))


def test_an_archive_is_proven_against_its_anchor_and_no_other(
    journal: MemoryJournal, clock: Clock, archive: FolderArchive, tmp_path: Path
) -> None:
    anchors = prune(journal, clock, archive).anchors
    for anchor in anchors:
        assert prove_archive(store=journal, archive=archive, name=anchor.archive) == anchor
    with pytest.raises(UsageFault, match="no anchor in this journal"):
        prove_archive(store=MemoryJournal(), archive=archive, name=anchors[0].archive)
    stranger = MemoryJournal()
    stranger.width = 10
    stranger.open_run(make.run())
    stranger.append_decisions(make.decisions(3))
    (short,) = stranger.partitions(make.RUN)
    forged = FolderArchive(tmp_path / "forged").keep(short, stranger.partition_rows(short))
    with pytest.raises(InvariantBroken, match="not the rows that were pruned"):
        prove_archive(store=journal, archive=archive, name=forged.name)


def test_the_audit_is_the_same_before_and_after_pruning(clock: Clock) -> None:
    desk = Desk()
    log = NodeLog(final=100, head=110)
    log.move(NOBODY, TREASURY, "DCT", 5_000, height=30)
    log.move(NOBODY, DESK, "BTC", 90, height=40)
    record_funding(store=desk.store, log=log, clock=desk.clock, height=40, wait_s_max=5)
    desk.store.append_decisions(make.decisions(3, run_id=RUN))
    desk.store.append_fills([make.fill(2, run_id=RUN)], [])
    desk.store.finish_run(RUN, finished_at_ns=Nanos(desk.clock.ns))
    desk.store.open_run(
        Run(
            run_id="later",
            kind="demo",
            symbol="BTCUSDT",
            epochs=3,
            spec={},
            started_at_ns=Nanos(desk.clock.ns + 5),
        )
    )
    before = audit_all(store=desk.store, log=log), desk.store.balances()
    clock.ns = desk.clock.ns + 90 * DAY_NS
    assert len(prune(desk.store, clock).anchors) == 2
    after = audit_all(store=desk.store, log=log), desk.store.balances()
    assert after == before
    assert before[0].difference == 0

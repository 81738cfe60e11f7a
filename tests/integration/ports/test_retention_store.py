"""What every store promises about pruning: nothing goes without an anchor, nothing silently."""

from __future__ import annotations

from collections.abc import Callable

import journal_samples as make
import pytest

from dmm.ledger.anchor import JournalTable, Partition, RowDigest
from dmm.ports import Pruning, Store
from dmm.units.errors import InvariantBroken, UsageFault
from dmm.units.ids import ZERO_HASH, Hash32
from dmm.units.time import Nanos

FINISHED_NS = 700
PRUNING = Pruning(
    finished_before_ns=Nanos(800),
    now_ns=Nanos(9_000),
    operator="ann",
    reason="run finished more than 30 days ago",
)


@pytest.fixture
def journal(any_store: Store) -> Store:
    """Return a store with a run that is not finished, and a later one."""
    any_store.open_run(make.run())
    any_store.append_decisions(make.decisions(7))
    any_store.append_fills([make.fill(3), make.fill(2)], [make.funding()])
    any_store.close_slice(make.summary())
    any_store.open_run(make.run("later", started_at_ns=500))
    return any_store


def finish(journal: Store) -> None:
    journal.finish_run(make.RUN, finished_at_ns=Nanos(FINISHED_NS))


def part(journal: Store, table: JournalTable = JournalTable.DECISION) -> Partition:
    (found,) = [one for one in journal.partitions(make.RUN) if one.table is table]
    return found


def prune_all(journal: Store) -> None:
    finish(journal)
    for one in journal.prunable(finished_before_ns=Nanos(800), limit=99):
        assert journal.prune(one, PRUNING) is not None


def test_a_run_that_is_not_finished_loses_nothing(journal: Store) -> None:
    assert journal.prunable(finished_before_ns=Nanos(10**18), limit=99) == []
    for one in journal.partitions(make.RUN):
        with pytest.raises(UsageFault, match="run-7 is not finished"):
            journal.prune(one, PRUNING)
    assert journal.decisions(make.RUN) == make.decisions(7)


def test_a_run_that_finished_lately_loses_nothing(journal: Store) -> None:
    finish(journal)
    assert journal.prunable(finished_before_ns=Nanos(FINISHED_NS), limit=99) == []
    young = Pruning(
        finished_before_ns=Nanos(FINISHED_NS), now_ns=Nanos(9_000), operator="ann", reason="r"
    )
    with pytest.raises(UsageFault, match="stays"):
        journal.prune(part(journal), young)


def test_the_latest_run_loses_nothing(journal: Store) -> None:
    journal.append_decisions(make.decisions(3, run_id="later"))
    journal.finish_run("later", finished_at_ns=Nanos(FINISHED_NS))
    (latest,) = journal.partitions("later")
    assert latest not in journal.prunable(finished_before_ns=Nanos(800), limit=99)
    with pytest.raises(UsageFault, match="latest"):
        journal.prune(latest, PRUNING)


def test_a_partition_nobody_made_is_refused(journal: Store) -> None:
    finish(journal)
    known = part(journal)
    for name in ("run", "decision", "no_such"):
        made_up = Partition(
            name=name,
            table=known.table,
            run_id=known.run_id,
            first_place=known.first_place,
            end_place=known.end_place,
        )
        with pytest.raises(UsageFault, match=name):
            journal.prune(made_up, PRUNING)
        with pytest.raises(UsageFault, match=name):
            list(journal.partition_rows(made_up))


def test_rows_of_another_digest_than_the_archives_stay(journal: Store) -> None:
    finish(journal)
    other = Pruning(
        finished_before_ns=Nanos(800),
        now_ns=Nanos(9_000),
        operator="ann",
        reason="r",
        archive="elsewhere",
        digest=Hash32(b"\x07" * 32),
    )
    for one in journal.partitions(make.RUN):
        with pytest.raises(InvariantBroken, match="digest"):
            journal.prune(one, other)
    assert journal.anchors() == []
    assert journal.decisions(make.RUN) == make.decisions(7)


def test_pruning_twice_leaves_the_first_anchor(journal: Store) -> None:
    finish(journal)
    one = part(journal)
    first = journal.prune(one, PRUNING)
    again = journal.prune(
        one, Pruning(finished_before_ns=Nanos(1), now_ns=Nanos(2), operator="bob", reason="again")
    )
    assert first == again
    assert journal.anchors() == [first]


def test_an_anchor_says_what_it_stands_for(journal: Store) -> None:
    finish(journal)
    one = part(journal)
    digest = RowDigest(one)
    for row in journal.partition_rows(one):
        digest.add(row)
    anchor = journal.prune(one, PRUNING)
    assert anchor is not None
    links = make.decisions(7)
    assert anchor.extent == digest.extent()
    assert (anchor.extent.rows, anchor.extent.first_place, anchor.extent.last_place) == (7, 0, 6)
    assert anchor.extent.first_previous_hash == ZERO_HASH
    assert anchor.extent.last_link_hash == links[-1].link_hash
    assert (anchor.operator, anchor.reason, anchor.pruned_at_ns) == ("ann", PRUNING.reason, 9_000)
    assert journal.anchors(make.RUN) == [anchor]
    assert journal.anchors("later") == []


READS: dict[str, Callable[[Store], object]] = {
    "decisions": lambda s: s.decisions(make.RUN),
    "decisions of an epoch": lambda s: s.decisions(make.RUN, 2),
    "fills": lambda s: s.fills(make.RUN),
    "fills of an epoch": lambda s: s.fills(make.RUN, 2),
    "a slice": lambda s: s.slice(make.RUN, 2),
    "the last slice": lambda s: s.last_slice(make.RUN),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_what_was_pruned_is_refused_by_its_anchor_and_never_an_empty_answer(
    journal: Store, read: Callable[[Store], object]
) -> None:
    assert read(journal)
    prune_all(journal)
    with pytest.raises(UsageFault, match=r"run-7 .*anchor (decision|fill|market_slice)_run-7_0"):
        read(journal)


WRITES: dict[str, Callable[[Store], object]] = {
    "resuming": lambda s: s.open_run(make.run()),
    "a decision again": lambda s: s.append_decisions(make.decisions(7)),
    "a fill again": lambda s: s.append_fills([make.fill(2)], []),
    "a slice again": lambda s: s.close_slice(make.summary()),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_run_that_lost_a_partition_cannot_be_played_again(
    journal: Store, write: Callable[[Store], object]
) -> None:
    finish(journal)
    write(journal)
    assert journal.prune(part(journal), PRUNING) is not None
    with pytest.raises(UsageFault, match=r"run run-7 cannot be played again: .*decision_run-7_0"):
        write(journal)


def test_what_is_not_pruned_is_still_read(journal: Store) -> None:
    finish(journal)
    journal.prune(part(journal), PRUNING)
    assert journal.fills(make.RUN) == [make.fill(2), make.fill(3)]
    assert journal.slice(make.RUN, 2) is not None
    assert journal.slice(make.RUN, 9) is None
    assert journal.decisions(make.RUN, 9) == []
    assert journal.run(make.RUN).finished_at_ns == FINISHED_NS


def test_partitions_go_oldest_run_first_and_decisions_before_what_came_of_them(
    journal: Store,
) -> None:
    finish(journal)
    journal.open_run(make.run("older", started_at_ns=5))
    journal.append_decisions(make.decisions(2, run_id="older"))
    journal.finish_run("older", finished_at_ns=Nanos(600))
    found = journal.prunable(finished_before_ns=Nanos(800), limit=99)
    assert [(one.run_id, one.table) for one in found] == [
        ("older", JournalTable.DECISION),
        (make.RUN, JournalTable.DECISION),
        (make.RUN, JournalTable.FILL),
        (make.RUN, JournalTable.MARKET_SLICE),
    ]
    assert journal.prunable(finished_before_ns=Nanos(800), limit=2) == found[:2]


def test_the_books_are_the_same_after_pruning(journal: Store) -> None:
    before = journal.balances()
    prune_all(journal)
    assert journal.partitions(make.RUN) == []
    assert (
        journal.balances()
        == before
        == {
            make.AVAILABLE.account_id: make.HUGE,
            make.OUTSIDE.account_id: -make.HUGE,
        }
    )

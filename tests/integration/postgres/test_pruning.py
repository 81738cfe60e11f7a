"""Pruning in Postgres: whole or not at all, against writers, thieves and cut connections."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import journal_samples as make
import psycopg
import pytest
from cut_connection import STATEMENTS_MAX, CutAt

from dmm.adapters.archive import FolderArchive
from dmm.adapters.postgres import retention
from dmm.adapters.postgres.store import PostgresStore
from dmm.ledger.anchor import Anchor, JournalTable, Partition
from dmm.ports import Pruning
from dmm.units.errors import InvariantBroken, Retryable, UsageFault
from dmm.units.ids import ZERO_HASH
from dmm.units.time import Nanos
from dmm.usecases.retain import prove_archive, prune_journal, verify_chain

WIDTH = 10
LINKS = make.decisions(37)
PRUNING = Pruning(
    finished_before_ns=Nanos(800), now_ns=Nanos(9_000), operator="ann", reason="old enough"
)


class Clock:
    def now_ns(self) -> Nanos:
        return Nanos(10**18)

    def sleep_s(self, seconds: float) -> None:
        pass


@pytest.fixture
def narrow(database_url: str) -> Iterator[None]:
    """Make partitions of ten decisions, so that a run has several."""
    with psycopg.connect(database_url) as admin:
        (kept,) = admin.execute("SELECT pg_get_functiondef('partition_width'::regproc)").fetchall()
        admin.execute(
            f"CREATE OR REPLACE FUNCTION partition_width(of_table text) RETURNS bigint "
            f"LANGUAGE sql IMMUTABLE AS 'SELECT CASE of_table WHEN ''decision'' THEN {WIDTH} "
            f"WHEN ''market_slice'' THEN 2 END'"
        )
    yield
    with psycopg.connect(database_url) as admin:
        admin.execute(str(kept[0]))


@pytest.fixture
def journal(narrow: None, store: PostgresStore) -> PostgresStore:
    """Return a journal with a finished run of four partitions of decisions, and a later run."""
    store.open_run(make.run())
    store.append_decisions(LINKS[:14])
    store.append_decisions(LINKS[14:])
    store.append_fills([make.fill(3), make.fill(2)], [make.funding()])
    for epoch in (2, 3, 5):
        store.close_slice(make.summary(epoch))
    store.finish_run(make.RUN, finished_at_ns=Nanos(700))
    store.open_run(make.run("later", started_at_ns=500))
    return store


def tampered(database_url: str, statement: str) -> None:
    with psycopg.connect(database_url) as thief:
        thief.execute("SET session_replication_role = replica")
        thief.execute(statement)


def tables_of(database_url: str) -> set[str]:
    with psycopg.connect(database_url) as connection:
        found = connection.execute(
            "SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'"
        ).fetchall()
    return {str(name) for (name,) in found}


def decision_parts(journal: PostgresStore) -> list[Partition]:
    return [p for p in journal.partitions(make.RUN) if p.table is JournalTable.DECISION]


def test_a_changed_decision_is_never_pruned(journal: PostgresStore, database_url: str) -> None:
    tampered(database_url, "ALTER TABLE decision DROP CONSTRAINT decision_link")
    try:
        tampered(database_url, "UPDATE decision SET body = 'forged' WHERE seq = 4")
        with pytest.raises(InvariantBroken, match="decision 4 of run run-7 breaks the hash chain"):
            journal.prune(decision_parts(journal)[0], PRUNING)
    finally:
        # What the thief did goes with its rows, so that the law holds for what is left.
        tampered(
            database_url,
            "DELETE FROM decision; ALTER TABLE decision ADD CONSTRAINT decision_link "
            "CHECK (link_hash = sha256(previous_hash || sha256(body)))",
        )


@pytest.mark.parametrize(
    "theft",
    [
        "DELETE FROM decision WHERE seq = 9",
        "DELETE FROM decision WHERE seq = 5",
        "DELETE FROM decision WHERE seq < 10",
        "UPDATE decision SET seq = 99 WHERE seq = 9; UPDATE decision SET seq = 9 WHERE seq = 8",
    ],
)
def test_missing_decisions_are_noticed_before_or_with_the_next_partition(
    journal: PostgresStore, database_url: str, theft: str
) -> None:
    tampered(database_url, theft.replace("seq = 99", "seq = 39"))
    with pytest.raises(InvariantBroken):
        prune_journal(store=journal, clock=Clock(), archive=None, keep_days=1, operator="ann")
    assert len(journal.anchors()) < 2


def test_a_row_changed_after_it_was_archived_stays(
    journal: PostgresStore, database_url: str, tmp_path: Path
) -> None:
    (fills,) = [p for p in journal.partitions(make.RUN) if p.table is JournalTable.FILL]
    kept = FolderArchive(tmp_path).keep(fills, journal.partition_rows(fills))
    tampered(database_url, "UPDATE fill SET price = price + 1 WHERE ordinal = 3")
    pruning = replace(PRUNING, archive=kept.name, digest=kept.extent.digest)
    with pytest.raises(InvariantBroken, match="behind the journal's back"):
        journal.prune(fills, pruning)
    assert journal.anchors() == []
    assert len(journal.fills(make.RUN)) == 2


def test_partitions_go_from_the_front_only(journal: PostgresStore) -> None:
    with pytest.raises(InvariantBroken, match="does not stand on"):
        journal.prune(decision_parts(journal)[1], PRUNING)


def test_pruning_cut_off_at_any_statement_leaves_the_rows_or_the_anchor(
    journal: PostgresStore, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    partition = decision_parts(journal)[0]
    wire = CutAt(monkeypatch, database_url)
    for statements in range(STATEMENTS_MAX):
        wire.left = statements
        with contextlib.suppress(Retryable):
            journal.prune(partition, PRUNING)
            break
        wire.left = STATEMENTS_MAX
        assert journal.anchors() == []
        assert partition.name in tables_of(database_url)
        assert journal.decisions(make.RUN) == LINKS
        with psycopg.connect(database_url) as connection:
            assert connection.execute("SELECT count(*) FROM audit_log").fetchall() == [(0,)]
    wire.left = STATEMENTS_MAX
    assert statements > 9
    assert [anchor.partition for anchor in journal.anchors()] == [partition]
    assert partition.name not in tables_of(database_url)


def test_a_chain_is_verified_across_its_anchors(journal: PostgresStore) -> None:
    whole = verify_chain(store=journal, run_id=make.RUN)
    assert (whole.anchors, whole.first_seq, whole.links) == (0, 0, 37)
    for number, partition in enumerate(decision_parts(journal), start=1):
        journal.prune(partition, PRUNING)
        proof = verify_chain(store=journal, run_id=make.RUN)
        first = min(number * WIDTH, 37)
        assert (proof.anchors, proof.first_seq, proof.links) == (number, first, 37 - first)
        assert proof.head == whole.head == LINKS[-1].link_hash


def test_a_remaining_link_that_does_not_stand_on_the_anchor_is_noticed(
    journal: PostgresStore, database_url: str
) -> None:
    journal.prune(decision_parts(journal)[0], PRUNING)
    tampered(database_url, "UPDATE journal_anchor SET last_link_hash = sha256('forged')")
    with pytest.raises(InvariantBroken, match="run-7_1 begins with decision 10"):
        verify_chain(store=journal, run_id=make.RUN)
    with pytest.raises(InvariantBroken, match="does not stand on"):
        journal.prune(decision_parts(journal)[0], PRUNING)


def test_epochs_that_remain_whole_are_read_behind_an_anchor(
    narrow: None, store: PostgresStore
) -> None:
    early = make.decisions(10, epoch=4)
    late = make.decisions(6, first=10, previous=early[-1].link_hash, epoch=5)
    store.open_run(make.run())
    store.append_decisions([*early, *late])
    store.finish_run(make.RUN, finished_at_ns=Nanos(700))
    store.open_run(make.run("later", started_at_ns=500))
    store.prune(decision_parts(store)[0], PRUNING)
    assert store.decisions(make.RUN, 5) == late
    with pytest.raises(UsageFault, match=r"decision rows 0 to 9 were pruned .*decision_run-7_0"):
        store.decisions(make.RUN, 4)
    with pytest.raises(UsageFault, match="decision_run-7_0"):
        store.decisions(make.RUN)


def test_the_database_takes_a_link_on_an_anchor_and_no_other(
    journal: PostgresStore, database_url: str
) -> None:
    for partition in decision_parts(journal):
        journal.prune(partition, PRUNING)
    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT open_partition('decision', 'run-7', 40)")
        insert = """INSERT INTO decision SELECT 'run-7', 40, 2, 5, 'x', h, sha256(h || sha256('x'))
                    FROM (SELECT %s::bytea h) links"""
        for wrong in (LINKS[-1].previous_hash, ZERO_HASH):
            connection.execute("SAVEPOINT here")
            with pytest.raises(psycopg.IntegrityError):
                connection.execute(insert, [wrong])
            connection.execute("ROLLBACK TO SAVEPOINT here")
        with pytest.raises(psycopg.IntegrityError, match="decision_run-7_3 was pruned"):
            connection.execute("SELECT open_partition('decision', 'run-7', 37)")
        connection.rollback()
        # An anchor that ends with 39 would carry decision 40.
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE journal_anchor SET last_place = 39, row_count = 10 "
            "WHERE partition = 'decision_run-7_3'"
        )
        connection.execute("SET session_replication_role = DEFAULT")
        connection.execute("SELECT open_partition('decision', 'run-7', 40)")
        connection.execute(insert, [LINKS[-1].link_hash])
        connection.rollback()


def test_a_worker_that_appends_meanwhile_loses_nothing(
    journal: PostgresStore, database_url: str
) -> None:
    records = make.decisions(400, run_id="later")
    faults: list[BaseException] = []

    def append() -> None:
        try:
            with PostgresStore(database_url) as worker:
                for first in range(0, len(records), 4):
                    worker.append_decisions(records[first : first + 4])
        except BaseException as fault:  # noqa: BLE001 - handed to the test below
            faults.append(fault)

    thread = threading.Thread(target=append)
    thread.start()
    done = prune_journal(store=journal, clock=Clock(), archive=None, keep_days=1, operator="ann")
    thread.join()
    assert faults == []
    assert len(done.anchors) == 7
    assert journal.decisions("later") == records
    assert verify_chain(store=journal, run_id="later").links == 400


def test_a_table_in_use_is_given_up_early_and_left_whole(
    journal: PostgresStore, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "PRUNE_LOCK_MS_MAX", 20)
    with psycopg.connect(database_url) as reader:
        reader.execute("SELECT count(*) FROM decision")
        done = prune_journal(
            store=journal, clock=Clock(), archive=None, keep_days=1, operator="ann"
        )
        assert (done.anchors, done.busy) == ((), "decision_run-7_0")
        assert journal.decisions(make.RUN) == LINKS
    done = prune_journal(store=journal, clock=Clock(), archive=None, keep_days=1, operator="ann")
    assert (len(done.anchors), done.busy, done.more) == (7, "", False)


def test_pruning_waits_for_no_reader_while_it_reads(
    journal: PostgresStore, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hashing takes long; the table is locked only when it is done, and `run` never."""
    seen: list[tuple[str, str]] = []
    page = retention._page

    def watched(*arguments: object) -> object:
        with psycopg.connect(database_url) as other:
            seen.extend(
                other.execute(  # type: ignore[arg-type]
                    """SELECT c.relname, l.mode
                       FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
                       JOIN pg_stat_activity a USING (pid) WHERE a.application_name = 'dmm'"""
                ).fetchall()
            )
        return page(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(retention, "_page", watched)
    journal.prune(decision_parts(journal)[0], PRUNING)
    assert ("decision_run-7_0", "AccessShareLock") in seen
    assert not [lock for lock in seen if "Exclusive" in lock[1]]


def test_dropping_a_partition_shuts_its_table_but_not_the_table_of_runs(
    journal: PostgresStore, database_url: str
) -> None:
    held = (
        "SELECT c.relname FROM pg_locks l JOIN pg_class c ON c.oid = l.relation "
        "WHERE l.pid = pg_backend_pid() AND l.mode IN ('AccessExclusiveLock', 'ExclusiveLock', "
        "'ShareRowExclusiveLock') AND c.relkind IN ('r', 'p')"
    )
    with psycopg.connect(database_url) as connection:
        connection.execute(
            """INSERT INTO journal_anchor VALUES ('fill_run-7_0', 'run-7', 'fill', 2, 3, 2, 2, 2,
               NULL, NULL, sha256('x'), '', 'ann', 'r', 9000)"""
        )
        connection.execute("SELECT drop_partition('fill_run-7_0')")
        assert {str(name) for (name,) in connection.execute(held)} == {"fill"}
        connection.rollback()


def test_two_that_prune_at_once_leave_one_anchor(journal: PostgresStore, database_url: str) -> None:
    got: list[Anchor | None] = []

    def prune() -> None:
        with PostgresStore(database_url) as other:
            got.append(other.prune(partition, PRUNING))

    partition = decision_parts(journal)[0]
    threads = [threading.Thread(target=prune) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    anchors = [a for a in journal.anchors() if a.partition == partition]
    assert len(anchors) == 1
    assert anchors[0] in got


def test_an_archived_journal_is_proven_file_by_file_and_bounded_by_call(
    journal: PostgresStore, tmp_path: Path
) -> None:
    archive = FolderArchive(tmp_path / "archive")
    calls = 0
    more = True
    while more:
        done = prune_journal(
            store=journal,
            clock=Clock(),
            archive=archive,
            keep_days=1,
            operator="ann",
            partitions_max=3,
        )
        assert 0 < len(done.anchors) <= 3
        more, calls = done.more, calls + 1
    assert calls == 3
    anchors = journal.anchors()
    assert len(anchors) == 7
    assert {p.name for p in (tmp_path / "archive").iterdir()} == {
        f"{a.partition.name}.jsonl.gz" for a in anchors
    }
    for anchor in anchors:
        assert prove_archive(store=journal, archive=archive, name=anchor.archive) == anchor
        assert prove_archive(
            store=journal, archive=archive, name=f"{anchor.partition.name}.jsonl.gz"
        )


def test_the_audit_log_holds_every_anchor(journal: PostgresStore, database_url: str) -> None:
    anchor = journal.prune(decision_parts(journal)[0], PRUNING)
    assert anchor is not None
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT actor, action, body ->> 'digest' FROM audit_log")
        assert rows.fetchall() == [("ann", "prune", anchor.extent.digest.hex())]


def test_a_batch_over_several_partitions_makes_all_of_them(
    narrow: None, store: PostgresStore, database_url: str
) -> None:
    store.open_run(make.run())
    store.append_decisions(LINKS)
    assert tables_of(database_url) == {f"decision_run-7_{n}" for n in range(4)}
    store.append_decisions(LINKS)
    assert store.decisions(make.RUN) == LINKS


def test_a_run_id_that_cannot_be_a_name_gets_partitions_all_the_same(
    store: PostgresStore,
) -> None:
    odd = ("Ärger; DROP TABLE run --", "x" * 128, "UPPER")
    for number, run_id in enumerate(odd):
        store.open_run(make.run(run_id, started_at_ns=number))
        store.append_decisions(make.decisions(3, run_id=run_id))
    for run_id in odd:
        assert store.decisions(run_id) == make.decisions(3, run_id=run_id)
    names = {store.partitions(run_id)[0].name for run_id in odd}
    assert len(names) == 3
    assert all(len(name) <= 63 for name in names)


def test_first_appends_of_many_runs_at_once_all_get_their_partition(
    narrow: None, store: PostgresStore, database_url: str
) -> None:
    runs = [f"r{n}" for n in range(6)]
    for number, run_id in enumerate(runs):
        store.open_run(make.run(run_id, started_at_ns=number))
    faults: list[BaseException] = []

    def append(run_id: str) -> None:
        try:
            with PostgresStore(database_url) as other:
                other.append_decisions(make.decisions(35, run_id=run_id))
                other.append_fills([make.fill(2, run_id=run_id)], [])
        except BaseException as fault:  # noqa: BLE001 - handed to the test below
            faults.append(fault)

    threads = [threading.Thread(target=append, args=(run_id,)) for run_id in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert all(len(store.decisions(run_id)) == 35 for run_id in runs)


def test_a_resume_that_waits_for_the_prune_is_refused_by_its_anchor(
    journal: PostgresStore, database_url: str
) -> None:
    """The append waits on the run's lock; the anchor is committed before it goes on."""
    faults: list[BaseException] = []

    def append() -> None:
        try:
            with PostgresStore(database_url) as other:
                other.append_decisions(LINKS)
        except BaseException as fault:  # noqa: BLE001 - handed to the test below
            faults.append(fault)

    with psycopg.connect(database_url) as pruner:
        pruner.execute("SELECT 1 FROM run WHERE run_id = 'run-7' FOR NO KEY UPDATE")
        thread = threading.Thread(target=append)
        thread.start()
        _until_somebody_waits(database_url)
        pruner.execute(
            """INSERT INTO journal_anchor VALUES ('fill_run-7_0', 'run-7', 'fill', 2, 3, 2, 2, 2,
               NULL, NULL, sha256('x'), '', 'ann', 'r', 9000)"""
        )
    thread.join()
    assert [type(fault) for fault in faults] == [UsageFault]
    assert "fill_run-7_0" in str(faults[0])


def _until_somebody_waits(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as admin:
        for _ in range(500):
            waiting = admin.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone()
            if waiting:
                return
            time.sleep(0.01)
    pytest.fail("nobody waits for the run's lock")

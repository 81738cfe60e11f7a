"""Backups: one snapshot, provable, and a restored journal that signs nothing."""

from __future__ import annotations

import gzip
import threading
from pathlib import Path

import journal_samples as make
import psycopg
import pytest
from psycopg import sql

from dmm.adapters.postgres.backup import HEADER_BYTES_MAX, backup, inspect, restore
from dmm.adapters.postgres.migrate import migrate
from dmm.adapters.postgres.roles import Role, as_member
from dmm.adapters.postgres.store import PostgresStore
from dmm.sandbox.postgres.install import wheel_install
from dmm.units.errors import Permanent, Retryable, ServiceFault, UsageFault
from dmm.units.time import Nanos

BIN = wheel_install() / "bin"
NOW = Nanos(7_000)


def save(url: str, path: Path) -> Path:
    backup(url, path, program=str(BIN / "pg_dump"), now_ns=NOW)
    return path


def bring_back(url: str, path: Path) -> None:
    restore(url, path, program=str(BIN / "psql"), until_s=9_999, now_ns=Nanos(8_000))


def rows_of(url: str) -> dict[str, list[tuple[object, ...]]]:
    with psycopg.connect(url) as connection:
        names = connection.execute(
            """SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
               AND relkind IN ('r', 'p') AND NOT relispartition AND relname <> 'adopt_only'"""
        ).fetchall()
        return {
            str(name): connection.execute(
                sql.SQL("SELECT * FROM {} t ORDER BY t::text").format(sql.Identifier(str(name)))
            ).fetchall()
            for (name,) in names
        }


def laws_of(url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            """SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
               UNION SELECT conrelid::regclass || conname || pg_get_constraintdef(oid)
               FROM pg_constraint WHERE conrelid <> 0
               UNION SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
               UNION SELECT p.prosrc || p.prosecdef || coalesce(p.proconfig::text, '')
               FROM pg_proc p WHERE pronamespace = 'public'::regnamespace
               UNION SELECT relname || '/' || coalesce(relacl::text, '') FROM pg_class
               WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
               ORDER BY 1"""
        ).fetchall()


@pytest.fixture
def lived(store: PostgresStore, database_url: str) -> str:
    """Return a journal with something of everything."""
    make.record(store, make.intent(0), make.intent(1))
    store.append_decisions(make.decisions(5))
    store.append_fills([make.fill(2)], [])
    store.close_slice(make.summary())
    store.append_policy(make.policy_record(0))
    store.record_quote(make.trade(3))
    claimed = make.take(store)
    make.send(store, claimed)
    store.kill(reason="é\\ 'quoted'", operator="ann", now_ns=Nanos(5))
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO deployment VALUES ('evm', 'treasury', '0x1', 3, 0)")
    return database_url


def test_a_restored_journal_is_the_same_to_the_row_and_the_law(
    lived: str, blank_url: str, tmp_path: Path
) -> None:
    path = save(lived, tmp_path / "journal.backup")
    bring_back(blank_url, path)
    assert rows_of(blank_url) == rows_of(lived)
    assert laws_of(blank_url) == laws_of(lived)
    with PostgresStore(blank_url) as restored:
        restored.append_decisions(make.decisions(7))
        assert restored.decisions(make.RUN) == make.decisions(7)


def test_a_restored_journal_adopts_only(lived: str, blank_url: str, tmp_path: Path) -> None:
    bring_back(blank_url, save(lived, tmp_path / "journal.backup"))
    with PostgresStore(blank_url) as restored:
        held = restored.adopt_only("evm")
    assert held is not None
    assert (held.until_s, held.reason) == (9_999, "restored from a backup")


def test_a_backup_says_what_it_is(lived: str, tmp_path: Path) -> None:
    path = save(lived, tmp_path / "journal.backup")
    made = inspect(path)
    assert made.made_at_ns == NOW
    assert made.payload_bytes == path.stat().st_size - HEADER_BYTES_MAX
    with psycopg.connect(lived) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == (
            made.schema,
        )
    assert gzip.decompress(path.read_bytes()[HEADER_BYTES_MAX:]).startswith(b"--")


@pytest.mark.parametrize("place", [HEADER_BYTES_MAX + 50, -1])
def test_a_changed_backup_is_refused_before_anything_is_touched(
    place: int, lived: str, blank_url: str, tmp_path: Path
) -> None:
    path = save(lived, tmp_path / "journal.backup")
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(Permanent, match="it was cut or changed"):
        bring_back(blank_url, path)
    assert rows_of(blank_url) == {}


def test_a_cut_backup_is_refused(lived: str, blank_url: str, tmp_path: Path) -> None:
    path = save(lived, tmp_path / "journal.backup")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(Permanent, match="cut or changed"):
        bring_back(blank_url, path)


def test_what_is_no_backup_is_named(blank_url: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"hello")
    with pytest.raises(UsageFault, match="is no journal backup"):
        bring_back(blank_url, tmp_path / "x")
    with pytest.raises(UsageFault, match="cannot be read"):
        bring_back(blank_url, tmp_path / "missing")


def test_nothing_is_written_over(lived: str, tmp_path: Path) -> None:
    path = save(lived, tmp_path / "journal.backup")
    with pytest.raises(UsageFault, match="never written over"):
        save(lived, path)
    with pytest.raises(UsageFault, match=r"holds \d+ tables"):
        bring_back(lived, path)


def test_a_restore_that_fails_leaves_the_database_empty(
    lived: str, blank_url: str, tmp_path: Path
) -> None:
    path = save(lived, tmp_path / "journal.backup")
    with psycopg.connect(blank_url, autocommit=True) as connection:
        connection.execute("CREATE FUNCTION refuse_change() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    with pytest.raises(ServiceFault, match="refuse_change"):
        bring_back(blank_url, path)
    assert rows_of(blank_url) == {}


def test_a_backup_that_fails_leaves_no_file(lived: str, tmp_path: Path) -> None:
    with pytest.raises(ServiceFault, match="cannot be run"):
        backup(lived, tmp_path / "x", program="/nowhere/pg_dump", now_ns=NOW)
    with as_member(lived, Role.AUDITOR) as url, pytest.raises(ServiceFault, match="permission"):
        save(url, tmp_path / "x")
    with pytest.raises(ServiceFault, match="cannot be written"):
        save(lived, tmp_path / "missing" / "x")
    assert list(tmp_path.iterdir()) == []


def test_a_database_without_a_journal_has_nothing_to_back_up(
    blank_url: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageFault, match="holds no journal"):
        save(blank_url, tmp_path / "x")
    with pytest.raises(Retryable, match="unreachable"):
        save("postgresql://dmm:hunter2@127.0.0.1:1/dmm", tmp_path / "x")


def test_a_backup_of_an_older_version_is_migrated(blank_url: str, tmp_path: Path) -> None:
    migrate(blank_url, "0004")
    with PostgresStore(blank_url) as store:
        store.open_run(make.run())
        store.append_decisions(make.decisions(2))
    path = save(blank_url, tmp_path / "old.backup")
    assert inspect(path).schema == "0004"
    with psycopg.connect(blank_url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    bring_back(blank_url, path)
    with PostgresStore(blank_url) as restored:
        assert restored.decisions(make.RUN) == make.decisions(2)
        assert restored.final_head("evm") is None


def test_a_backup_taken_while_others_write_is_one_instant(
    lived: str, blank_url: str, tmp_path: Path
) -> None:
    """Every posting in the file is in its accounts' totals: the ledger's sums hold."""
    stop = threading.Event()

    def write() -> None:
        with PostgresStore(lived) as writer:
            number = 0
            while not stop.is_set():
                writer.post([make.posting(f"s{number}", make.OUTSIDE, make.AVAILABLE, 3)])
                number += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        path = save(lived, tmp_path / "journal.backup")
    finally:
        stop.set()
        thread.join()
    bring_back(blank_url, path)
    with psycopg.connect(blank_url) as connection:
        row = connection.execute(
            """SELECT count(*) FROM account a WHERE a.credits - a.debits <>
                 (SELECT coalesce(sum(amount), 0) FROM transfer t WHERE t.credit = a.account_id)
               - (SELECT coalesce(sum(amount), 0) FROM transfer t WHERE t.debit = a.account_id)"""
        ).fetchone()
    assert row == (0,)

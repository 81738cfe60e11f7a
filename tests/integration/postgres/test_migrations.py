"""The schema: versions go up and down, and every description of it agrees."""

from __future__ import annotations

import journal_samples as make
import psycopg
import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg import sql
from sqlalchemy.engine import make_url

from dmm.adapters.postgres import tables
from dmm.adapters.postgres.epoch_columns import COLUMNS
from dmm.adapters.postgres.migrate import downgrade, migrate
from dmm.adapters.postgres.store import PostgresStore
from dmm.ports import Pruning
from dmm.settlement.epoch import RowTable
from dmm.units.errors import Retryable, ServiceFault
from dmm.units.time import Nanos
from dmm.usecases.retain import verify_chain

METADATA = tables.RunRow.metadata
KEY = {"job", "scope", "epoch", "ordinal", "run_id"}


def names(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        found = connection.execute(
            """SELECT tablename FROM pg_tables WHERE schemaname = 'public'
               UNION SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"""
        ).fetchall()
    return {str(name) for (name,) in found}


def test_versions_go_up_down_and_up_again(blank_url: str) -> None:
    migrate(blank_url)
    first = names(blank_url)
    downgrade(blank_url, "base")
    assert names(blank_url) == {"alembic_version"}
    migrate(blank_url)
    assert names(blank_url) == first


def fill_v0001(url: str) -> None:
    """Put runs into a journal of version 0001, as its store did."""
    with psycopg.connect(url) as connection:
        for number, run_id in enumerate((make.RUN, "other")):
            connection.execute(
                "INSERT INTO run VALUES (%s, 'demo', 'ETHUSDT', 3, '{}', %s, 700)",
                [run_id, number],
            )
            for one in make.decisions(9, run_id=run_id):
                connection.execute(
                    "INSERT INTO decision VALUES (%s, %s, %s, %s, %s, %s, %s)",
                    [
                        run_id,
                        one.seq,
                        one.epoch,
                        one.decided_at_ns,
                        one.body,
                        one.previous_hash,
                        one.link_hash,
                    ],
                )
            one = make.fill(2, run_id=run_id)
            connection.execute(
                """INSERT INTO fill VALUES (%s, %s, 2, 2, 'paper', 'ETHUSDT', 'c2', 'buy', 4321, 17,
                   8641, -23, 5002, true)""",
                [one.fill_id, run_id],
            )
            connection.execute(
                """INSERT INTO market_slice VALUES (%s, 2, 6, 12, 9, 4, 3, 5, -31, 8643, -7, 77,
                   '[[4321, 11]]', '[]', int8send(8641), int8send(9), int8send(3), int8send(29),
                   decode('01', 'hex'))""",
                [run_id],
            )


def rows_of(url: str) -> dict[str, list[tuple[object, ...]]]:
    with psycopg.connect(url) as connection:
        return {
            table: connection.execute(
                sql.SQL("SELECT * FROM {} ORDER BY 1, 2, 3").format(sql.Identifier(table))
            ).fetchall()
            for table in ("decision", "fill", "market_slice", "run")
        }


def laws_of(url: str) -> list[tuple[object, ...]]:
    """Return triggers, constraints and indexes, as the database would print them."""
    with psycopg.connect(url) as connection:
        return connection.execute(
            """SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
               UNION SELECT conrelid::regclass || conname || pg_get_constraintdef(oid)
               FROM pg_constraint WHERE conrelid <> 0
               UNION SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
               UNION SELECT prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace
               ORDER BY 1"""
        ).fetchall()


def test_partitions_keep_every_row_on_the_way_up_and_down(blank_url: str) -> None:
    migrate(blank_url, "0001")
    fill_v0001(blank_url)
    rows, laws = rows_of(blank_url), laws_of(blank_url)
    assert [len(found) for found in rows.values()] == [18, 2, 2, 2]
    migrate(blank_url)
    assert rows_of(blank_url) == rows
    with PostgresStore(blank_url) as store:
        assert store.decisions(make.RUN) == make.decisions(9)
        assert [part.name for part in store.partitions("other")] == [
            "decision_other_0",
            "fill_other_0",
            "market_slice_other_0",
        ]
        store.append_decisions(make.decisions(12))
        assert verify_chain(store=store, run_id=make.RUN).links == 12
    rows = rows_of(blank_url)
    downgrade(blank_url, "0001")
    assert rows_of(blank_url) == rows
    assert laws_of(blank_url) == laws


def test_the_way_down_is_refused_once_a_partition_was_pruned(blank_url: str) -> None:
    migrate(blank_url, "0001")
    fill_v0001(blank_url)
    migrate(blank_url)
    pruning = Pruning(
        finished_before_ns=Nanos(800), now_ns=Nanos(900), operator="ann", reason="old"
    )
    with PostgresStore(blank_url) as store:
        store.prune(store.partitions(make.RUN)[0], pruning)
        with pytest.raises(ServiceFault, match="1 partitions were pruned and their anchors"):
            downgrade(blank_url, "0001")
        assert len(store.anchors()) == 1
        assert store.decisions("other") == make.decisions(9, run_id="other")


def test_a_halt_that_holds_keeps_its_latch_on_the_way_down(blank_url: str) -> None:
    migrate(blank_url, "0002")
    before = laws_of(blank_url)
    migrate(blank_url, "0003")
    with PostgresStore(blank_url) as store:
        store.open_run(make.run())
        store.halt(run_id=make.RUN, reason="drawdown", now_ns=Nanos(5))
        with pytest.raises(ServiceFault, match="the desk is halted: reset it"):
            downgrade(blank_url, "0002")
        store.reset_halt(operator="ann", reason="hedged", now_ns=Nanos(6))
        halted = store.halted()
    assert halted is not None
    assert not halted.halted
    downgrade(blank_url, "0002")
    assert laws_of(blank_url) == before


def test_a_broken_chain_is_not_moved_into_partitions(blank_url: str) -> None:
    migrate(blank_url, "0001")
    fill_v0001(blank_url)
    with psycopg.connect(blank_url) as thief:
        thief.execute("SET session_replication_role = replica")
        thief.execute("DELETE FROM decision WHERE seq = 4 AND run_id = 'other'")
    rows = rows_of(blank_url)
    with pytest.raises(ServiceFault, match="decision 5 of run other breaks the hash chain"):
        migrate(blank_url)
    assert rows_of(blank_url) == rows


def test_migrating_a_migrated_database_is_a_no_op(database_url: str) -> None:
    before = names(database_url)
    migrate(database_url)
    assert names(database_url) == before


def test_a_migration_that_fails_leaves_nothing(blank_url: str) -> None:
    with psycopg.connect(blank_url) as connection:
        connection.execute("CREATE TABLE rfq_quote (x int)")
    with pytest.raises(ServiceFault, match="rfq_quote"):
        migrate(blank_url)
    assert names(blank_url) == {"rfq_quote"}


def test_a_database_that_is_not_there_is_retryable_and_hides_the_password() -> None:
    with pytest.raises(Retryable, match="DMM_DATABASE_URL") as fault:
        migrate("postgresql://dmm:hunter2@127.0.0.1:1/dmm")
    assert "hunter2" not in str(fault.value)


def test_a_journal_without_its_schema_is_a_service_fault(blank_url: str) -> None:
    with PostgresStore(blank_url) as store, pytest.raises(ServiceFault, match="migrate"):
        store.latest_run()


def test_the_row_classes_agree_with_the_migrated_schema(database_url: str) -> None:
    engine = sqlalchemy.create_engine(
        make_url(database_url).set(drivername="postgresql+psycopg"),
        poolclass=sqlalchemy.NullPool,
    )
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, METADATA)
    assert differences == []


@pytest.mark.parametrize("table", RowTable)
def test_the_closed_map_of_columns_is_that_of_the_table(table: RowTable) -> None:
    columns = {column.name for column in METADATA.tables[table.value].columns}
    assert set(COLUMNS[table]) == columns - KEY

"""The schema: versions go up and down, and every description of it agrees."""

from __future__ import annotations

import psycopg
import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.engine import make_url

from dmm.adapters.postgres import tables
from dmm.adapters.postgres.epoch_columns import COLUMNS
from dmm.adapters.postgres.migrate import downgrade, migrate
from dmm.adapters.postgres.store import PostgresStore
from dmm.settlement.epoch import RowTable
from dmm.units.errors import Retryable, ServiceFault

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

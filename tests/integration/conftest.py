"""One embedded PostgreSQL for the whole session, an emptied journal for every test."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from journal_memory import MemoryJournal
from psycopg import sql

from dmm.adapters.postgres.migrate import migrate
from dmm.adapters.postgres.store import PostgresStore
from dmm.ports import Store
from dmm.sandbox.postgres import EmbeddedPostgres

KEPT = ("alembic_version", "legal_transition")
"""Tables whose rows are part of the schema."""

_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    # Not below pytest's own folder: as root that is closed to the account the server runs under.
    folder = Path(tempfile.mkdtemp(prefix="dmm-postgres-"))
    folder.chmod(0o755)
    server = EmbeddedPostgres(folder / "server")
    try:
        server.start()
        with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
            # No test here cuts the power, and waiting for the disk takes most of their time.
            admin.execute("ALTER SYSTEM SET fsync = off")
            admin.execute("SELECT pg_reload_conf()")
        migrate(server.url())
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture
def database_url(postgres: EmbeddedPostgres) -> str:
    """Return the URL of a migrated journal without rows; a template takes 100 times longer."""
    url = postgres.url()
    with psycopg.connect(url) as admin:
        partitions = admin.execute(
            "SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'"
        ).fetchall()
        for (partition,) in partitions:
            admin.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(partition)))
        tables = admin.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> ALL(%s)",
            [list(KEPT)],
        ).fetchall()
        # The journal's own triggers refuse every delete; as a replica the session skips them.
        admin.execute("SET LOCAL session_replication_role = replica")
        for (table,) in tables:
            admin.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
    return url


@pytest.fixture
def blank_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """Return the URL of a database of the test's own, without a schema."""
    name = f"blank_{next(_numbers)}"
    postgres.create_database(name)
    yield postgres.url(name)
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def store(database_url: str) -> Iterator[PostgresStore]:
    with PostgresStore(database_url) as opened:
        yield opened


@pytest.fixture(params=["postgres", "memory"])
def any_store(request: pytest.FixtureRequest) -> Store:
    """Return each store there is: what passes here is a promise of the port, not of one adapter."""
    found: Store = (
        MemoryJournal() if request.param == "memory" else request.getfixturevalue("store")
    )
    return found

"""Is the database the one we need: reachable, migrated, and how late its clock reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

from dmm.adapters.postgres.session import Cursor, Session
from dmm.units.time import Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseHealth:
    """What a database says of itself; `revision` is empty when the journal's schema is missing."""

    server: str
    now_ns: Nanos
    revision: str
    head: str

    @property
    def is_migrated(self) -> bool:
        """Tell whether the schema is the one this code was written for."""
        return self.revision == self.head


def look(url: str) -> DatabaseHealth:
    """Ask a database for its version, its time and the revision of its schema.

    Parameters
    ----------
    url : ``postgresql://…``

    Raises
    ------
    Retryable
        If it cannot be reached.
    """
    session = Session(url)
    try:
        server, now_ns, has_schema = session.transact(_read_server)
        revision = session.transact(_read_revision) if has_schema else ""
    finally:
        session.close()
    return DatabaseHealth(server=server, now_ns=now_ns, revision=revision, head=_head())


def _read_server(cursor: Cursor) -> tuple[str, Nanos, bool]:
    cursor.execute(
        "SELECT current_setting('server_version'),"
        " (extract(epoch FROM clock_timestamp()) * 1000000000)::bigint,"
        " to_regclass('alembic_version') IS NOT NULL"
    )
    row = cursor.fetchone()
    if row is None:
        raise AssertionError("a SELECT without FROM gives one row")
    return str(row[0]), Nanos(row[1]), bool(row[2])


def _read_revision(cursor: Cursor) -> str:
    cursor.execute("SELECT version_num FROM alembic_version")
    row = cursor.fetchone()
    return str(row[0]) if row else ""


def _head() -> str:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    return ScriptDirectory.from_config(config).get_current_head() or ""

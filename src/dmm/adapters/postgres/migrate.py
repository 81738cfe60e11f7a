"""Bring a database's schema to a version; no ini file, no command line."""

from __future__ import annotations

from pathlib import Path

import psycopg
import sqlalchemy
from alembic import command
from alembic.config import Config
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError

from dmm.adapters.postgres.session import where
from dmm.units.errors import Retryable, ServiceFault

HEAD = "head"

LOCK_KEY = 0x646D6D
"""Advisory lock under which versions run: two processes may start at once."""

LOCK_MS_MAX = 60_000
"""How long to wait for another process that migrates, milliseconds."""


def migrate(url: str, revision: str = HEAD) -> None:
    """Upgrade the database to a revision; one already there is a no-op.

    Parameters
    ----------
    url : ``postgresql://…`` of an existing database
    revision : a revision id, or ``head``

    Raises
    ------
    Retryable
        If the database cannot be reached, or another process is still migrating it.
    ServiceFault
        If a statement fails; the schema is then as it was before.
    """
    _run(url, revision, upgrades=True)


def downgrade(url: str, revision: str) -> None:
    """Take versions back down to a revision; ``base`` removes the schema and all data.

    Raises
    ------
    Retryable
        If the database cannot be reached.
    ServiceFault
        If a statement fails; the schema is then as it was before.
    """
    _run(url, revision, upgrades=False)


def _run(url: str, revision: str, *, upgrades: bool) -> None:
    engine = sqlalchemy.create_engine(
        make_url(url).set(drivername="postgresql+psycopg"), poolclass=sqlalchemy.NullPool
    )
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {LOCK_MS_MAX}")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK_KEY})")
            config.attributes["connection"] = connection
            (command.upgrade if upgrades else command.downgrade)(config, revision)
    except OperationalError as error:
        raise Retryable(
            f"database {where(url)} unreachable ({error.orig}); start it or check DMM_DATABASE_URL"
        ) from error
    except (DBAPIError, psycopg.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise ServiceFault(f"migration of {where(url)} to {revision} failed: {cause}") from error
    finally:
        engine.dispose()

"""The pre-migrated database a fresh server starts from: its own migration costs seconds.

``python -m dmm.sandbox.prefect`` makes it again for the installed Prefect, beside this file.
The name carries Prefect's version: another version does not find it and migrates by itself. The
seed holds the schema and the revision it stands at, and no other row.
"""

from __future__ import annotations

import contextlib
import gzip
import importlib.metadata
import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

from dmm.units.errors import ServiceFault

MIGRATION_S_MAX = 180.0
"""How long Prefect may take to migrate an empty database, seconds."""


def installed_version() -> str:
    """Return the version of the installed Prefect, without importing it."""
    return importlib.metadata.version("prefect")


def seed_path(version: str) -> Path:
    """Return where the seed of a version lies, whether or not there is one."""
    return Path(__file__).with_name(f"seed-{version}.db.gz")


def plant(database: Path) -> bool:
    """Put the seed in place as a new database; tell whether there was one for this version.

    An existing database is left alone.
    """
    seed = seed_path(installed_version())
    if database.exists() or not seed.exists():
        return False
    # Moved into place whole: a start that is killed here leaves no half a database behind.
    draft = database.with_suffix(".draft")
    draft.write_bytes(gzip.decompress(seed.read_bytes()))
    draft.replace(database)
    return True


def is_current(database: Path) -> bool:
    """Tell whether a database stands at the revision of the installed version's seed."""
    seed = seed_path(installed_version())
    if not database.exists() or not seed.exists():
        return False
    with sqlite3.connect(":memory:") as wanted:
        wanted.deserialize(gzip.decompress(seed.read_bytes()))
        expected = revision(wanted)
    with contextlib.closing(sqlite3.connect(database)) as present:
        try:
            return revision(present) == expected
        except sqlite3.DatabaseError:
            return False


def revision(connection: sqlite3.Connection) -> list[tuple[str]]:
    """Return the revisions a database stands at."""
    return connection.execute("SELECT version_num FROM alembic_version ORDER BY 1").fetchall()


def make_seed() -> Path:
    """Migrate an empty database with the installed Prefect and keep it, packed.

    Raises
    ------
    ServiceFault
        If Prefect's migration fails; the text ends with its last words.
    """
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "prefect.db"
        _migrate(database)
        with contextlib.closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("VACUUM")
        seed = seed_path(installed_version())
        # Without a time of day in its header the file differs only when the schema does.
        seed.write_bytes(gzip.compress(database.read_bytes(), compresslevel=9, mtime=0))
    return seed


def _migrate(database: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "server", "database", "upgrade", "--yes"],
        env={
            "HOME": str(database.parent),
            "LANG": "C.UTF-8",
            "PATH": os.defpath,
            "PREFECT_HOME": str(database.parent),
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{database}",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            # The migration writes some constraints in the order of a set.
            "PYTHONHASHSEED": "0",
        },
        cwd=database.parent,
        capture_output=True,
        text=True,
        timeout=MIGRATION_S_MAX,
        check=False,
    )
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines() or ["no output"]
        raise ServiceFault(f"Prefect could not migrate an empty database: {words[-1][:200]}")

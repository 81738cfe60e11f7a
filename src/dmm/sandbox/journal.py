"""The journal of a state folder, whether its desk is running or not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dmm.sandbox.postgres import EmbeddedPostgres
from dmm.sandbox.state import StateFolder
from dmm.sandbox.wiring import Wiring
from dmm.units.errors import UsageFault

POSTGRES_FOLDER = "postgres"
"""Where a run keeps its database, below the run's folder."""


@contextmanager
def journal_url(folder: StateFolder) -> Iterator[str]:
    """Give the URL of a state folder's database; start it when no desk runs on the folder.

    What was started is stopped again at the end.

    Raises
    ------
    UsageFault
        If the folder holds no run.
    ServiceFault
        If the database cannot be started or reached.
    """
    database = folder.run / POSTGRES_FOLDER
    if not (database / "data").exists():
        raise UsageFault(
            f"{folder.root} holds no journal: run `dmm demo` first, or name another --state"
        )
    if folder.is_taken:
        yield Wiring.load(folder.run).database_url
        return
    with folder:
        server = EmbeddedPostgres(database)
        server.start()
        try:
            yield server.url()
        finally:
            server.stop()

"""``dmm backup`` and ``dmm restore``: a journal into one file, and back into adopt-only mode."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from dmm import observe
from dmm.adapters.clock import SystemClock
from dmm.entrypoints.control import state_folder
from dmm.sandbox.journal import POSTGRES_FOLDER, journal_url
from dmm.sandbox.state import StateFolder
from dmm.settings import settings
from dmm.units.errors import ServiceFault, UsageFault
from dmm.units.time import NS_PER_S

if TYPE_CHECKING:
    from dmm.adapters.postgres.backup import Backup

CLOCK_SLACK_S = 3_600
"""How far this machine's clock may be behind the chain's when adopt-only mode's end is set."""


def run_backup(*, out: Path, state: Path | None, as_json: bool) -> None:
    """Write the journal of a state folder, or the one the environment names, to a file."""
    from dmm.adapters.postgres.backup import backup

    observe.configure_logging("ERROR")
    with _journal(state) as url:
        made = backup(url, out, program=_program("pg_dump"), now_ns=SystemClock().now_ns())
    _print(made, out, "backup", as_json=as_json)


def run_restore(path: Path, *, state: Path | None, as_json: bool) -> None:
    """Bring a backup back into an empty database and enter adopt-only mode."""
    from dmm.adapters.postgres.backup import inspect, restore

    observe.configure_logging("ERROR")
    config = settings()
    # The file is proven before a database is made for it.
    inspect(path)
    now_ns = SystemClock().now_ns()
    until_s = now_ns // NS_PER_S + config.intent_deadline_s + CLOCK_SLACK_S
    with _empty_database(state) as url:
        made = restore(url, path, program=_program("psql"), until_s=until_s, now_ns=now_ns)
    _print(made, path, "restored", as_json=as_json)
    if not as_json:
        typer.echo(
            f"the journal adopts only, until chain time {until_s}: start the settler, it signs "
            "nothing before that"
        )


@contextmanager
def _journal(state: Path | None) -> Iterator[str]:
    config = settings()
    if state is None and "database_url" in config.model_fields_set:
        yield config.database_url.get_secret_value()
        return
    with journal_url(StateFolder(state_folder(state))) as url:
        yield url


@contextmanager
def _empty_database(state: Path | None) -> Iterator[str]:
    """Give the database the environment names, or a new one on a state folder without a journal."""
    from dmm.sandbox.postgres import EmbeddedPostgres

    config = settings()
    if state is None and "database_url" in config.model_fields_set:
        yield config.database_url.get_secret_value()
        return
    folder = StateFolder(state_folder(state))
    database = folder.run / POSTGRES_FOLDER
    if (database / "data").exists():
        raise UsageFault(
            f"{folder.root} holds a journal: restore into a new --state, nothing is written over"
        )
    with folder, EmbeddedPostgres(database) as server:
        yield server.url()


def _program(name: str) -> str:
    """Return a client program: that of the wheel, else the machine's own."""
    from dmm.sandbox.postgres.install import wheel_install

    try:
        return str(wheel_install() / "bin" / name)
    except ServiceFault:
        found = shutil.which(name)
        if found is None:
            raise
        return found


def _print(made: Backup, path: Path, what: str, *, as_json: bool) -> None:
    if as_json:
        body = {
            what: str(path),
            "schema": made.schema,
            "server": made.server,
            "made_at_ns": made.made_at_ns,
            "bytes": made.payload_bytes,
            "sha256": made.sha256,
        }
        typer.echo(json.dumps(body))
    else:
        typer.echo(
            f"{what}: {path}, schema {made.schema} of PostgreSQL {made.server}, "
            f"{made.payload_bytes} bytes, sha256 {made.sha256}"
        )

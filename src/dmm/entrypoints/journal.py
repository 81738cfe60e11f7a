"""``dmm runs`` and ``dmm replay-journal``: what a state folder's journal holds, decided again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from dmm import observe
from dmm.entrypoints.control import state_folder
from dmm.sandbox.journal import journal_url
from dmm.sandbox.state import StateFolder
from dmm.settings import settings
from dmm.units.errors import UsageFault
from dmm.units.ids import Hash32

if TYPE_CHECKING:
    from dmm.adapters.postgres.store import PostgresStore
    from dmm.ports import Store
    from dmm.usecases.replay_journal import JournalReplay

LATEST = "latest"
PREFIX_MIN = 6
"""Fewest characters by which a run may be named."""

HEAD_BYTES = 32

RUNS_MAX = 100
"""Runs listed, the latest first."""


@contextmanager
def journal_of(state: Path | None) -> Iterator[PostgresStore]:
    """Open the journal of a state folder, or the one the environment names."""
    from dmm.adapters.postgres.store import PostgresStore

    observe.configure_logging("ERROR")
    config = settings()
    if state is None and "database_url" in config.model_fields_set:
        store = PostgresStore(config.database_url.get_secret_value())
        try:
            yield store
        finally:
            store.close()
        return
    with journal_url(StateFolder(state_folder(state))) as url:
        store = PostgresStore(url)
        try:
            yield store
        finally:
            store.close()


def run_list(*, state: Path | None, as_json: bool) -> None:
    """Print the runs of a journal, the latest first."""
    with journal_of(state) as store:
        runs = store.runs(limit=RUNS_MAX)
    rows = [
        {
            "run_id": run.run_id,
            "kind": run.kind,
            "symbol": run.symbol,
            "epochs": run.epochs,
            "started_at_ns": run.started_at_ns,
            "finished_at_ns": run.finished_at_ns,
        }
        for run in runs
    ]
    if as_json:
        typer.echo(json.dumps(rows))
        return
    for row in rows:
        ended = "finished" if row["finished_at_ns"] else "open"
        typer.echo(f"{row['run_id']}  {row['kind']:<5} {row['symbol']:<14} {ended}")


def _head(text: str) -> Hash32:
    try:
        noted = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        noted = b""
    if len(noted) != HEAD_BYTES:
        raise UsageFault(f"--head must be {HEAD_BYTES} bytes in hex, got {text!r}")
    return Hash32(noted)


def run_replay(run_id: str, *, head: str | None, state: Path | None, as_json: bool) -> int:
    """Replay a run's journal and return the exit code: 1 for any mismatch."""
    from dmm.usecases.replay_journal import replay_journal

    noted = None if head is None else _head(head)
    with journal_of(state) as store:
        found = replay_journal(store=store, run_id=resolve(store, run_id), noted=noted)
    if as_json:
        typer.echo(json.dumps(to_json(found)))
    else:
        _print(found)
    return 0 if found.is_sound else 1


def resolve(store: Store, name: str) -> str:
    """Return the id of the run that a name means: an id, its beginning, or ``latest``.

    Raises
    ------
    UsageFault
        If no run, or more than one, is meant.
    """
    if name == LATEST:
        latest = store.latest_run()
        if latest is None:
            raise UsageFault("the journal holds no run: `dmm demo` makes one")
        return latest.run_id
    if len(name) < PREFIX_MIN:
        raise UsageFault(f"run {name!r}: give at least {PREFIX_MIN} characters of its id")
    found = store.runs(prefix=name, limit=2)
    if len(found) != 1:
        many = "more than one run begins" if found else "no run begins"
        raise UsageFault(f"{many} with {name!r}: `dmm runs` lists them")
    return found[0].run_id


def to_json(found: JournalReplay) -> dict[str, object]:
    """Return a replay's result as plain values."""
    return {
        "run_id": found.run_id,
        "sound": found.is_sound,
        "epochs": found.epochs,
        "decisions": found.decisions,
        "quotes": found.quotes,
        "head": found.head.hex(),
        "mismatched": found.mismatched,
        "mismatches": [{"seq": one.seq, "what": one.what} for one in found.mismatches],
    }


def _print(found: JournalReplay) -> None:
    head = f"run {found.run_id}: {found.decisions} decisions of {found.epochs} epochs"
    if found.is_sound:
        typer.echo(
            f"{head} derived again byte for byte, {found.quotes} resting orders; "
            f"the chain ends at {found.head.hex()}"
        )
        return
    typer.echo(f"{head}: {found.mismatched} mismatches")
    for one in found.mismatches:
        typer.echo(f"  decision {one.seq}: {one.what}")

"""``dmm shadow report``: what a desk that only watched would have earned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from dmm.entrypoints.journal import LATEST, journal_of, resolve
from dmm.market.instrument import Instrument
from dmm.ports import SHADOW
from dmm.units.amount import format_atoms
from dmm.units.errors import UsageFault

if TYPE_CHECKING:
    from dmm.ports import Store
    from dmm.usecases.shadow import ShadowReport

RUNS_MAX = 1_000
"""Runs looked through for the latest shadow."""


def run_report(name: str, *, against: str | None, state: Path | None, as_json: bool) -> None:
    """Print a shadow run's figures, beside the live run of the same time."""
    from dmm.usecases.shadow import shadow_report

    with journal_of(state) as store:
        run_id = shadow_run(store, name)
        other = None if against is None else resolve(store, against)
        found = shadow_report(store=store, run_id=run_id, against=other)
        instrument = Instrument.from_json(store.run(run_id).spec["instrument"])  # type: ignore[arg-type]
    if as_json:
        typer.echo(json.dumps(found.to_json()))
        return
    for line in lines(found, instrument):
        typer.echo(line)


def shadow_run(store: Store, name: str) -> str:
    """Return the id of the shadow run that a name means: an id, its beginning, or ``latest``.

    Raises
    ------
    UsageFault
        If none, or more than one, is meant.
    """
    if name != LATEST:
        return resolve(store, name)
    for run in store.runs(limit=RUNS_MAX):
        if run.kind == SHADOW:
            return run.run_id
    raise UsageFault("the journal holds no shadow run: `dmm up --shadow` makes one")


def lines(found: ShadowReport, instrument: Instrument) -> list[str]:
    """Return the report as a table, a line each."""
    decimals = instrument.cash.decimals
    columns = [found.shadow.to_json(), *([found.live.to_json()] if found.live else [])]
    heads = ["shadow", *(["live"] if found.live else [])]
    seconds = (found.window_ns[1] - found.window_ns[0]) / 1e9
    against = f", beside run {found.live_run_id}" if found.live else ", no live run beside it"
    table = [
        f"run {found.run_id}: {found.symbol}, {seconds:.0f} s{against}; its fills are hypothetical",
        f"{'':>18}" + "".join(f"{head:>18}" for head in heads),
    ]
    for name in columns[0]:
        label = name.removesuffix("_atoms")
        texts = [_text(name, column[name], decimals) for column in columns]
        table.append(f"{label:>18}" + "".join(f"{text:>18}" for text in texts))
    return table


def _text(name: str, value: object, decimals: int) -> str:
    if value is None:
        return "-"
    if name.endswith("_atoms"):
        return format_atoms(int(str(value)), decimals=decimals)
    return f"{value:.3f}" if isinstance(value, float) else str(value)

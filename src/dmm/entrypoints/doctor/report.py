"""All checks of one look at the machine and the desk, as a table or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dmm.entrypoints.doctor.check import Check
from dmm.entrypoints.doctor.desk import check_desk, find_desk
from dmm.entrypoints.doctor.machine import check_machine
from dmm.settings import PROJECT_ROOT
from dmm.units.errors import ServiceFault, UsageFault

DEMO_FOLDER = PROJECT_ROOT / ".dmm" / "demo"
"""Where the machine is asked for room when no state folder is named."""


def run_doctor(*, as_json: bool, state: Path | None) -> int:
    """Look at the machine, and at the desk if one runs; print every check and return 0 or 1.

    Parameters
    ----------
    as_json : print ``{"ok": …, "checks": [{"name", "ok", "detail", "cure"}, …]}`` instead
    state : state folder of the embedded services; None looks at the
        services of the settings, or at what `dmm demo` and `dmm up` started
    """
    checks = list(_checks(state))
    ok = all(check.ok for check in checks)
    if as_json:
        typer.echo(json.dumps({"ok": ok, "checks": [asdict(check) for check in checks]}))
    else:
        _print(checks)
    return 0 if ok else 1


def _checks(state: Path | None) -> Iterator[Check]:
    yield from check_machine(state or DEMO_FOLDER)
    try:
        found = find_desk(state)
    except UsageFault as fault:
        cure = "correct it; infra/settings.sample.toml explains every setting"
        yield Check(name="settings", ok=False, detail=str(fault), cure=cure)
        return
    except ServiceFault as fault:
        cure = "stop the desk and start it again"
        yield Check(name="desk", ok=False, detail=str(fault), cure=cure)
        return
    if found is None:
        yield Check(name="desk", ok=True, detail="none runs: its services were not looked at")
        return
    yield Check(name="desk", ok=True, detail=found.origin)
    yield from check_desk(found)


def _print(checks: list[Check]) -> None:
    table = Table(title="Doctor", title_justify="left")
    table.add_column("")
    for name in ("check", "finding", "cure"):
        table.add_column(name, overflow="fold")
    for check in checks:
        mark = "[green]✔[/green]" if check.ok else "[red]✘[/red]"
        table.add_row(mark, escape(check.name), escape(check.detail), escape(check.cure))
    Console().print(table)

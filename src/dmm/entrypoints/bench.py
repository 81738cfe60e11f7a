"""``dmm bench NAME``: the benchmarks in ``bench/``, each a module or package with `measure`."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import typer

from dmm.settings import PROJECT_ROOT
from dmm.units.errors import UsageFault

BENCH_FOLDER = PROJECT_ROOT / "bench"


def run_bench(name: str, *, as_json: bool, tape: Path | None, smoke: bool) -> None:
    """Run one benchmark and print its figures.

    Raises
    ------
    UsageFault
        If there is no benchmark of that name.
    """
    files = [*BENCH_FOLDER.glob("[a-z]*.py"), *BENCH_FOLDER.glob("[a-z]*/__init__.py")]
    known = sorted(path.parent.name if path.stem == "__init__" else path.stem for path in files)
    if name not in known:
        raise UsageFault(f"no benchmark {name!r}: choose one of {', '.join(known) or 'none here'}")
    if tape is not None and not tape.is_file():
        raise UsageFault(f"{tape}: no such recording")
    # The folder stands beside the sources and is no part of an installed wheel.
    if str(PROJECT_ROOT) not in sys.path:
        sys.path.insert(0, str(PROJECT_ROOT))
    module = importlib.import_module(f"{BENCH_FOLDER.name}.{name}")
    figures = module.measure(tape.resolve() if tape else None, smoke=smoke)
    if as_json:
        typer.echo(json.dumps(figures))
        return
    for key, value in figures.items():
        typer.echo(f"{key:>16}  {value}")

"""``dmm bench NAME``: the benchmarks in ``bench/``, each a module with `measure`."""

from __future__ import annotations

import importlib.util
import json
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
    known = sorted(path.stem for path in BENCH_FOLDER.glob("[a-z]*.py"))
    if name not in known:
        raise UsageFault(f"no benchmark {name!r}: choose one of {', '.join(known) or 'none here'}")
    if tape is not None and not tape.is_file():
        raise UsageFault(f"{tape}: no such recording")
    spec = importlib.util.spec_from_file_location(f"bench_{name}", BENCH_FOLDER / f"{name}.py")
    if spec is None or spec.loader is None:
        raise UsageFault(f"benchmark {name!r} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    figures = module.measure(tape.resolve() if tape else None, smoke=smoke)
    if as_json:
        typer.echo(json.dumps(figures))
        return
    for key, value in figures.items():
        typer.echo(f"{key:>16}  {value}")

"""``dmm backtest``: from a recording to a verdict, as a table, as JSON, and as one HTML file."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from dmm.adapters.feeds.recording import read_recording
from dmm.adapters.reports.backtest_rows import counted
from dmm.entrypoints.calibrate import parse_tick
from dmm.entrypoints.pool import is_pool, run_pool_backtest
from dmm.simulation.experiment.backtest import Backtest
from dmm.simulation.experiment.plan import DEFAULT_PLAN, plan_of_file
from dmm.units.errors import UsageFault
from dmm.units.json_text import parse_json
from dmm.usecases.backtest import chosen_curves, finish, open_session

FILE_BYTES_MAX = 1 << 20
"""Longest parameter or grid file."""

TABLE_WIDTH = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestRequest:
    """What was asked for on the command line."""

    tape: Sequence[Path]
    params: Path | None = None
    grid: Path | None = None
    report: Path | None = None
    tick_size: str | None = None
    allow_gaps: bool = False
    seed: int = 1
    as_json: bool = False


def run_backtest(request: BacktestRequest) -> None:
    """Replay, judge and print; stdout is the result, progress goes to stderr.

    Raises
    ------
    UsageFault
        If a file cannot be read, or a parameter or the grid is wrong: by name and value.
    TapeFault
        If the tape cannot be used.
    ServiceFault
        If the report cannot be written.
    """
    if is_pool(request.tape):
        _backtest_pool(request)
        return
    plan = (
        DEFAULT_PLAN if request.params is None else plan_of_file(_object("params", request.params))
    )
    grid = None if request.grid is None else _object("grid", request.grid)
    recording = read_recording(
        request.tape,
        allow_gaps=request.allow_gaps,
        tick_size=None if request.tick_size is None else parse_tick(request.tick_size),
    )
    session = open_session(recording, plan=plan, grid=grid)
    sets = counted(len(session.grid.sets), "set")
    _tell(f"{counted(session.events, 'event')}, {sets}: replaying")
    threads = max(1, min(os.cpu_count() or 1, len(session.grid.sets)))
    with ThreadPoolExecutor(threads) as pool:
        started = time.perf_counter()
        trials = session.run(blocks=threads, mapper=pool.map)
        seconds = time.perf_counter() - started
    _tell(f"replayed in {seconds:.2f} s: judging")
    result = finish(session, trials, rng=np.random.default_rng(request.seed))
    body = backtest_json(result, seconds=seconds)
    if request.report is not None:
        from dmm.adapters.reports.backtest import write_backtest_report

        write_backtest_report(result, chosen_curves(session, result), body, request.report)
        _tell(f"report: {request.report}")
    if request.as_json:
        sys.stdout.write(json.dumps(body, allow_nan=False) + "\n")
    else:
        from dmm.adapters.reports.backtest_table import print_backtest

        print_backtest(
            result, body, Console() if sys.stdout.isatty() else Console(width=TABLE_WIDTH)
        )
    sys.stdout.flush()


def _backtest_pool(request: BacktestRequest) -> None:
    """Replay liquidity positions: a pool has no grid of policies, no report and no tick to name."""
    named = {"--grid": request.grid, "--report": request.report, "--tick-size": request.tick_size}
    for option, value in named.items():
        if value is not None:
            raise UsageFault(f"{option} is for tapes of events; these are a pool's minutes")
    run_pool_backtest(
        request.tape,
        params=None if request.params is None else _object("params", request.params),
        seed=request.seed,
        as_json=request.as_json,
    )


def backtest_json(result: Backtest, *, seconds: float) -> dict[str, Any]:
    """Return the object that ``--json`` prints.

    Parameters
    ----------
    seconds : of the replay of all sets, without reading the tape and compiling
    """
    return {
        "tape": list(result.names),
        "events": result.events,
        "sets": len(result.grid.sets),
        "seconds": round(seconds, 6),
        "events_per_s": round(result.events / seconds) if seconds > 0 else 0,
        "results": [dict(row) for row in result.conclusion.results],
        "verdict": result.verdict_json(),
    }


def _object(what: str, path: Path) -> dict[str, object]:
    """Return the JSON object of a file.

    Raises
    ------
    UsageFault
        If it cannot be read, is too long, is no JSON object, or names something twice.
    """
    try:
        with path.open("rb") as file:
            text = file.read(FILE_BYTES_MAX + 1)
        if len(text) > FILE_BYTES_MAX:
            raise UsageFault(f"--{what} {path} is longer than {FILE_BYTES_MAX:,} bytes")
        body = parse_json(text.decode(), pairs=_once)
    except OSError as error:
        raise UsageFault(f"--{what} {path}: {error.strerror}") from None
    except ValueError as error:
        raise UsageFault(f"--{what} {path} is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise UsageFault(f"--{what} {path} must hold an object, got {type(body).__name__}")
    return body


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    names = [name for name, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{twice[0]!r} is named twice")
    return dict(pairs)


def _tell(text: str) -> None:
    sys.stderr.write(f"dmm backtest: {text}\n")
    sys.stderr.flush()

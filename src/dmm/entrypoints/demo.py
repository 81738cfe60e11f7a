"""``dmm demo``: the main job, from services up to the audited result."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

from rich.console import Console

from dmm import observe
from dmm.adapters.reports.session import SessionResult
from dmm.adapters.reports.table import print_session
from dmm.quoting.presets import Preset
from dmm.sandbox.chains import LOCAL_CHAINS, left_out_text, runnable
from dmm.sandbox.conductor import Conductor
from dmm.sandbox.demo_program import preset_of
from dmm.sandbox.demo_tape import inspect
from dmm.sandbox.request import Request, resumed
from dmm.sandbox.stack import Stack
from dmm.sandbox.state import StateFolder
from dmm.settings import PROJECT_ROOT, settings
from dmm.units.errors import ServiceFault

FOLDER = PROJECT_ROOT / ".dmm" / "demo"
TABLE_WIDTH = 150

LOG_FILE = "desk.log"
"""What the process that starts the desk logs, in the run's folder."""


def run_demo(
    *,
    tape: Sequence[Path],
    epochs: int,
    seed: int,
    allow_gaps: bool,
    resume: bool,
    keep: bool,
    as_json: bool,
    state: Path | None,
    preset: str | None = None,
) -> int:
    """Run the demo and return the exit code: 1 for a difference or a settlement without an end."""
    started_s = time.monotonic()
    observe.configure_logging("ERROR")
    folder = StateFolder((state or FOLDER).absolute())
    first = None if preset is None else preset_of(preset)
    request = Request(
        tape=tuple(str(path.resolve()) for path in tape),
        epochs=epochs,
        seed=seed,
        allow_gaps=allow_gaps,
        chains=wanted_chains(),
        preset=first or Preset.STEADY,
    )
    if resume:
        request = resumed(request, folder.run, preset=first)
    chains, left_out = runnable(request.chains, PROJECT_ROOT)
    if resume and left_out:
        raise ServiceFault(f"the run cannot go on here: {left_out_text(left_out)}")
    with interruptible():
        played = inspect(request)
    say = Progress(started_s)
    with interruptible(), folder:
        say("DEMO: local chain, test tokens, paper orders" + ("" if tape else ", simulated market"))
        if resume:
            folder.prepare()
        else:
            folder.start_afresh()
        # The terminal is for people: what is logged goes beside the logs of the services.
        observe.configure_logging("INFO", path=folder.run / LOG_FILE)
        replace(request, chains=chains).save(folder.run)
        with Stack(folder, say=say, chains=chains, left_out=left_out) as stack:
            conductor = Conductor(request=request, tape=played, stack=stack, say=say)
            result = conductor.conduct(started_s=started_s)
            _print(result, as_json=as_json)
            if keep:
                _keep(stack)
    return 0 if result.is_sound else 1


def wanted_chains() -> tuple[str, ...]:
    """Return the chains the settings name, or every local one where they name none."""
    config = settings()
    return config.chains if "chains" in config.model_fields_set else LOCAL_CHAINS


def _print(result: SessionResult, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(result.to_json()) + "\n")
    else:
        console = Console() if sys.stdout.isatty() else Console(width=TABLE_WIDTH)
        print_session(result, console)
    sys.stdout.flush()


def _keep(stack: Stack) -> None:
    sys.stderr.write(f"Prefect UI at {stack.prefect_url} ({stack.prefect_login}); Ctrl-C stops\n")
    sys.stderr.flush()
    try:
        while True:
            signal.pause()
    except KeyboardInterrupt:
        return


class Progress:
    """Progress lines on stderr with the seconds since the command began."""

    def __init__(self, started_s: float) -> None:
        self._started_s = started_s

    def __call__(self, text: str) -> None:
        """Write one line."""
        sys.stderr.write(f"{time.monotonic() - self._started_s:6.1f} s  {text}\n")
        sys.stderr.flush()


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn SIGTERM, and SIGINT even where a shell ignored it, into `KeyboardInterrupt`."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {
        number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

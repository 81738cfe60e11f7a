"""``dmm kill``, ``resume``, ``reset``, ``gov release``, from another terminal than the desk's."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import typer

from dmm import observe
from dmm.adapters.kill_line import pull
from dmm.bootstrap import Desk
from dmm.ports import Latch
from dmm.sandbox.state import LOCK_FILE, RUN_FOLDER, StateFolder
from dmm.sandbox.wiring import WIRING_FILE, Wiring
from dmm.settings import PROJECT_ROOT, settings
from dmm.units.errors import Fault, ServiceFault, UsageFault
from dmm.usecases import control

STATE_FOLDERS = ("up", "demo")
"""Where a desk of this checkout may run, the likelier first."""


def state_folder(state: Path | None) -> Path:
    """Return the state folder meant: the one named, else the one a desk was started on last."""
    if state is not None:
        return state.absolute()
    folders = [PROJECT_ROOT / ".dmm" / name for name in STATE_FOLDERS]
    started = [f for f in folders if (f / RUN_FOLDER / WIRING_FILE).exists()]
    return max(
        started, key=lambda f: (f / RUN_FOLDER / WIRING_FILE).stat().st_mtime, default=folders[0]
    )


@contextmanager
def running_desk(state: Path | None) -> Iterator[Desk]:
    """Connect to the desk on a state folder, or to the one the environment describes.

    Raises
    ------
    ServiceFault
        If no desk runs on the folder, or one that is not up yet.
    """
    observe.configure_logging("ERROR")
    config = settings()
    if state is not None or "database_url" not in config.model_fields_set:
        config = _wiring_of(StateFolder(state_folder(state))).settings()
    desk = Desk(config)
    try:
        yield desk
    finally:
        desk.close()


def _wiring_of(folder: StateFolder) -> Wiring:
    """Return how the desk that runs on a folder is reached; what a stopped one left says nothing.

    Raises
    ------
    ServiceFault
        If there is none, or it is not up yet.
    """
    if not folder.is_taken:
        raise ServiceFault(
            f"no desk runs on {folder.root}: start it with `dmm up`, or name another --state"
        )
    wiring = folder.run / WIRING_FILE
    try:
        # Its owner takes the folder first and says where its services are when they are up.
        is_up = wiring.stat().st_mtime_ns >= (folder.root / LOCK_FILE).stat().st_mtime_ns
    except OSError:
        is_up = False
    if not is_up:
        raise ServiceFault(
            f"the desk on {folder.root} is not up yet: ask again when it says that it is"
        )
    return Wiring.load(folder.run)


def run_kill(*, reason: str, state: Path | None, as_json: bool) -> None:
    """Stop the worker by its line, which waits for no disk, then latch the kill switch.

    Raises
    ------
    ServiceFault
        If the latch could not be written; the text says whether the worker stopped all the same.
    """
    reason = reason.strip()
    if not reason:
        raise UsageFault("--reason is empty: say why the desk is killed")
    with running_desk(state) as desk:
        heard = pull(desk.settings.kill_socket, reason=reason)
        try:
            latch = control.kill(
                store=desk.store, clock=desk.clock, reason=reason, operator=operator()
            )
        except Fault as fault:
            stopped = "the worker heard the kill and cancels" if heard else "no worker heard it"
            raise ServiceFault(f"the kill switch is not latched, {stopped}: {fault}") from fault
    _print(latch, as_json=as_json)


def run_resume(*, state: Path | None, as_json: bool) -> None:
    """Release the kill switch by an executed release order."""
    with running_desk(state) as desk:
        latch = control.resume(
            store=desk.store, chain=desk.chain(), clock=desk.clock, operator=operator()
        )
    _print(latch, as_json=as_json)


def run_reset(*, reason: str, state: Path | None, as_json: bool) -> None:
    """Reset the halt that holds."""
    reason = reason.strip()
    if not reason:
        raise UsageFault("--reason is empty: say why the desk may go on")
    with running_desk(state) as desk:
        halt = control.reset(store=desk.store, clock=desk.clock, reason=reason, operator=operator())
        kill = desk.store.latch()
    if as_json:
        typer.echo(json.dumps(asdict(halt)))
        return
    typer.echo(f"reset halt {halt.halt_id}: its drawdown starts anew")
    if kill is not None and kill.killed:
        typer.echo(f"kill {kill.kill_id} still holds ({kill.reason}): the desk does not quote")


def run_gov_release(*, state: Path | None) -> None:
    """Execute the release of the present kill, signed by two of the three DEMO owners."""
    from dmm.sandbox.demo_governance import DemoGovernance
    from dmm.sandbox.evm.actors import Actors

    folder = state_folder(state) / RUN_FOLDER
    with running_desk(state) as desk:
        latch = desk.store.latch()
        if latch is None or not latch.killed:
            raise UsageFault("the kill switch does not hold: there is nothing to release")
        governance = DemoGovernance(desk=desk, actors=Actors.of(folder / "evm"))
        sequence = governance.execute_release(latch.kill_id)
        governance.wait_final(sequence)
    typer.echo(f"order {sequence} releases kill {latch.kill_id}; now run `dmm resume`")


def operator() -> str:
    """Return who sits at the terminal, for the audit log."""
    return getpass.getuser()


def _print(latch: Latch, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(latch)))
    elif latch.killed:
        typer.echo(f"killed (kill {latch.kill_id}): {latch.reason}")
    else:
        typer.echo(f"released kill {latch.kill_id}: the desk may quote again")

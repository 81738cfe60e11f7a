"""The command line's frame: its groups, the options all share, and how a fault is told."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, ParamSpec, TypeVar

import typer

from dmm.entrypoints.cli.wrong_call import OneLineGroup
from dmm.entrypoints.faults import exit_code, one_line
from dmm.units.errors import Fault

P = ParamSpec("P")
R = TypeVar("R")

app = typer.Typer(
    name="dmm",
    cls=OneLineGroup,
    help="A market-making desk that runs itself and can be audited.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
gov = typer.Typer(help="Governance of the local chain, signed by its DEMO multisig.")
app.add_typer(gov, name="gov")
settle = typer.Typer(help="What is on its way on chain, and what is in doubt.")
app.add_typer(settle, name="settle")
tapes = typer.Typer(help="Recordings: what they hold, and our own columnar form of them.")
app.add_typer(tapes, name="tape")
risks = typer.Typer(help="Risk of a run's position, and Greeks of options.")
app.add_typer(risks, name="risk")
shadows = typer.Typer(help="Shadow runs: what the desk would have done, with no order sent.")
app.add_typer(shadows, name="shadow")

State = Annotated[
    Path | None,
    typer.Option("--state", help="State folder of the embedded services.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


INTERRUPTED = 130
"""Exit code after SIGINT or SIGTERM."""

CONTEXT_DEPTH_MAX = 100
"""How far back from a fault its causes are looked at."""


def reported(command: Callable[P, R]) -> Callable[P, R]:
    """Turn faults into one line on stderr and an exit code."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except Fault as fault:
            typer.echo(f"dmm: {one_line(fault)}", err=True)
            code = INTERRUPTED if _followed_an_interrupt(fault) else exit_code(fault)
            raise typer.Exit(code) from None
        except KeyboardInterrupt:
            typer.echo("dmm: interrupted; everything it started is stopped", err=True)
            raise typer.Exit(INTERRUPTED) from None
        except (typer.Exit, SystemExit):
            raise
        except Exception as bug:  # noqa: BLE001 - the last line of defence: no traceback for users
            typer.echo(f"dmm: {_keep_traceback(bug)}", err=True)
            raise typer.Exit(1) from None

    return run


def _followed_an_interrupt(fault: BaseException) -> bool:
    """Tell whether a fault came up while stopping on a signal: the signal is what ended it."""
    earlier: BaseException | None = fault
    for _ in range(CONTEXT_DEPTH_MAX):
        if earlier is None or isinstance(earlier, KeyboardInterrupt):
            return earlier is not None
        earlier = earlier.__context__
    return False


def _keep_traceback(bug: Exception) -> str:
    from dmm.settings import PROJECT_ROOT

    text = f"unexpected {type(bug).__name__}: {one_line(bug)}"
    path = PROJECT_ROOT / ".dmm" / "fault.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(traceback.format_exception(bug)), encoding="utf-8")
    except OSError:
        return text
    return f"{text} (traceback in {path})"

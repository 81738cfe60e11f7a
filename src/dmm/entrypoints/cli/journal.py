"""Commands that read the journal of runs, and prune it."""

from __future__ import annotations

from typing import Annotated

import typer

from dmm.entrypoints.cli.app import AsJson, State, app, reported, shadows


@app.command()
@reported
def runs(state: State = None, as_json: AsJson = False) -> None:
    """List the runs in the journal, the latest first."""
    from dmm.entrypoints.journal import run_list

    run_list(state=state, as_json=as_json)


@app.command("replay-journal")
@reported
def replay_journal(
    run_id: Annotated[
        str, typer.Argument(metavar="ID", help="A run, the beginning of its id, or `latest`.")
    ],
    head: Annotated[
        str | None,
        typer.Option(metavar="HEX", help="A head of the chain noted before, as the log tells it."),
    ] = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Decide again from every journalled decision's inputs and compare the bytes."""
    from dmm.entrypoints.journal import run_replay

    raise typer.Exit(run_replay(run_id, head=head, state=state, as_json=as_json))


@shadows.callback()
def shadow() -> None:
    """Keep `report` a command of its own, however few there are."""


@shadows.command("report")
@reported
def shadow_report(
    run_id: Annotated[
        str,
        typer.Argument(metavar="RUN", help="A shadow run, the beginning of its id, or `latest`."),
    ],
    against: Annotated[
        str | None,
        typer.Option(help="A live run; the latest that ran at the same time unless given."),
    ] = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Print a shadow run's hypothetical profit, spread and fills, beside the live run's."""
    from dmm.entrypoints.shadow import run_report

    run_report(run_id, against=against, state=state, as_json=as_json)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def retain(context: typer.Context) -> None:
    """Prune the journal by hand, or prove what was pruned; `dmm retain --help`."""
    from dmm.entrypoints.retain import main as run_retain

    raise typer.Exit(run_retain(context.args))

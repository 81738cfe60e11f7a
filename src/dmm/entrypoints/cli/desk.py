"""Commands that run the desk and look after it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dmm.entrypoints.cli.app import AsJson, State, app, reported
from dmm.units.errors import UsageFault


@app.command()
@reported
def demo(
    tape: Annotated[
        list[Path] | None,
        typer.Option("--tape", help="A recording; several files are joined by sequence id."),
    ] = None,
    more: Annotated[list[Path] | None, typer.Argument(help="Further files of the tape.")] = None,
    epochs: Annotated[int, typer.Option(min=1, max=1_000, help="Equal slices of event time.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulated market.")] = 1,
    preset: Annotated[
        str | None,
        typer.Option(help="The first policy: bootstrap, steady (default) or defensive."),
    ] = None,
    allow_gaps: Annotated[
        bool, typer.Option("--allow-gaps", help="Play a gapped or truncated tape; count the gaps.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the run that was cut off, from its journal.")
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the services up after the result, until Ctrl-C.")
    ] = False,
    as_json: AsJson = False,
    state: State = None,
) -> None:
    """Play a tape through the whole desk, settle on the local chain, audit, report."""
    from dmm.entrypoints.demo import run_demo

    if more and not tape:
        raise UsageFault(f"{more[0]}: name recordings with --tape")
    code = run_demo(
        tape=[*(tape or []), *(more or [])],
        epochs=epochs,
        seed=seed,
        allow_gaps=allow_gaps,
        resume=resume,
        keep=keep,
        as_json=as_json,
        state=state,
        preset=preset,
    )
    raise typer.Exit(code)


@app.command()
@reported
def up(
    state: State = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulated market.")] = 1,
    preset: Annotated[
        str | None,
        typer.Option(help="The first policy: bootstrap, steady (default) or defensive."),
    ] = None,
    prefect_port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port of the Prefect UI; 0 picks a free one.")
    ] = 4200,
    shadow: Annotated[
        bool, typer.Option("--shadow", help="Watch only: hypothetical fills, no orders.")
    ] = False,
) -> None:
    """Start the desk and stay: worker quoting, settler settling, flows on their schedules."""
    from dmm.entrypoints.up import run_up

    code = run_up(state=state, seed=seed, prefect_port=prefect_port, shadow=shadow, preset=preset)
    raise typer.Exit(code)


@app.command()
@reported
def chaos(
    minutes: Annotated[
        int, typer.Option(min=1, max=10_000, help="Laps begin until this is over; one at least.")
    ] = 1,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Seed of the faults and the market; drawn and told without one."),
    ] = None,
    as_json: AsJson = False,
    state: State = None,
) -> None:
    """Run the demo under kills, reorganisations, lying nodes and a restore; audit at the end."""
    from dmm.entrypoints.chaos import run_chaos

    raise typer.Exit(run_chaos(minutes=minutes, seed=seed, as_json=as_json, state=state))


@app.command()
@reported
def doctor(as_json: AsJson = False, state: State = None) -> None:
    """Check Python, disk, ports, locked versions, database, chain and clock, each with a cure."""
    from dmm.entrypoints.doctor import run_doctor

    raise typer.Exit(run_doctor(as_json=as_json, state=state))


@app.command()
@reported
def bench(
    name: Annotated[str, typer.Argument(help="A module of the folder bench: spine, quote, …")],
    as_json: AsJson = False,
    tape: Annotated[Path | None, typer.Option(help="The recording to play.")] = None,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="A size that proves that it runs, and nothing else.")
    ] = False,
) -> None:
    """Run a benchmark."""
    from dmm.entrypoints.bench import run_bench

    run_bench(name, as_json=as_json, tape=tape, smoke=smoke)

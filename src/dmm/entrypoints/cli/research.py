"""Commands for quants: quote a model, measure a recording, backtest on it, risk of a position."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dmm.entrypoints.cli.app import AsJson, State, app, reported, risks


@app.command()
@reported
def quote(
    model: Annotated[
        str | None,
        typer.Option(help="as2008, dct, glft, glft-exact, cartea-jaimungal or hummingbot."),
    ] = None,
    inputs: Annotated[
        str | None, typer.Option(help="The formula's inputs: a JSON object, @FILE, or - for stdin.")
    ] = None,
    guard_percent: Annotated[
        float | None,
        typer.Option(help="Refuse a half-spread beyond this share of mid; 10 unless given."),
    ] = None,
    table: Annotated[
        str | None, typer.Option(help="as2008: simulate the table of the paper.")
    ] = None,
    gamma: Annotated[float | None, typer.Option(help="Risk aversion of the table.")] = None,
    paths: Annotated[
        int | None, typer.Option(help="Paths of the table; 1,000 unless given.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the table; 1 unless given.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print one quote of a model, or the simulated table of a paper."""
    from dmm.entrypoints.quote import QuoteRequest, run_quote

    request = QuoteRequest(
        model=model,
        inputs=inputs,
        guard_percent=guard_percent,
        table=table,
        gamma=gamma,
        paths=paths,
        seed=seed,
    )
    run_quote(request, as_json=as_json)


@app.command()
@reported
def calibrate(
    tape: Annotated[
        list[Path],
        typer.Argument(help="Recordings that continue each other, the earliest first."),
    ],
    fit_range: Annotated[
        str | None, typer.Option(help="Ticks over which κ and A are fitted; 0:20 unless given.")
    ] = None,
    arrival: Annotated[
        str | None,
        typer.Option(help="trade: each trade's depth; grid: the deepest of each 100 ms."),
    ] = None,
    tick_size: Annotated[
        str | None, typer.Option(help="Quote per base, where the tape does not tell it.")
    ] = None,
    symbol: Annotated[
        str | None, typer.Option(help="The coin or market, where a recording holds several.")
    ] = None,
    allow_gaps: Annotated[
        bool, typer.Option("--allow-gaps", help="Count the tape's flaws and go on.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the intervals.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Measure a recording: σ, κ and A with their confidence, order flow, liquidity."""
    from dmm.entrypoints.calibrate import run_calibrate

    run_calibrate(
        tape=tape,
        fit_range=fit_range,
        arrival=arrival,
        tick_size=tick_size,
        allow_gaps=allow_gaps,
        seed=seed,
        as_json=as_json,
        symbol=symbol,
    )


@app.command()
@reported
def backtest(
    tape: Annotated[
        list[Path],
        typer.Argument(help="Recordings that continue each other, the earliest first."),
    ],
    params: Annotated[
        Path | None, typer.Option(help="Policy, venue and judging as JSON; docs/experiments.md.")
    ] = None,
    grid: Annotated[
        Path | None, typer.Option(help="Sets of parameters to try, as JSON; docs/experiments.md.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write one HTML file that opens offline.")
    ] = None,
    tick_size: Annotated[
        str | None, typer.Option(help="Quote per base, where the tape does not tell it.")
    ] = None,
    allow_gaps: Annotated[
        bool, typer.Option("--allow-gaps", help="Count the tape's flaws and go on.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstraps.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Replay parameter sets on a recording in one pass, choose one and judge it."""
    from dmm.entrypoints.backtest import BacktestRequest, run_backtest

    run_backtest(
        BacktestRequest(
            tape=tape,
            params=params,
            grid=grid,
            report=report,
            tick_size=tick_size,
            allow_gaps=allow_gaps,
            seed=seed,
            as_json=as_json,
        )
    )


@app.command()
@reported
def proposals(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="A proposal or the beginning of its id; all without."),
    ] = None,
    body: Annotated[
        bool, typer.Option("--body", help="Write the order that the owners would execute.")
    ] = False,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """List what parameter searches proposed: winner, effect with its interval, open or not."""
    from dmm.entrypoints.proposals import run_proposals

    run_proposals(name, body=body, state=state, as_json=as_json)


@risks.callback(invoke_without_command=True)
@reported
def risk(
    context: typer.Context,
    run: Annotated[
        str | None,
        typer.Option("--run", help="A run or the beginning of its id; the latest unless given."),
    ] = None,
    level: Annotated[
        int, typer.Option(min=1, max=9_999, help="Level of VaR and CVaR in basis points.")
    ] = 9_900,
    horizon_s: Annotated[
        int, typer.Option(min=1, max=86_400, help="Length of a scenario, seconds.")
    ] = 1,
    hold_s: Annotated[
        int, typer.Option(min=1, max=86_400, help="How long a hedge takes under stress, seconds.")
    ] = 60,
    gas_per_fill: Annotated[
        int, typer.Option(min=0, help="Network fee with each fill, atoms of the cash asset.")
    ] = 0,
    gas_per_settlement: Annotated[
        int,
        typer.Option(min=0, help="Network fee of a settlement, atoms of the cash asset."),
    ] = 0,
    unwind_gas: Annotated[
        int, typer.Option(min=0, help="Network fee of closing, atoms of the cash asset.")
    ] = 0,
    cash_price_ppm: Annotated[
        int, typer.Option(min=1, help="Price of the cash asset, millionths of its reference.")
    ] = 1_000_000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of CVaR's interval.")] = 1,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Print positions, VaR and CVaR, concentration, stress and limits in use, from the journal."""
    if context.invoked_subcommand is not None:
        return
    from dmm.entrypoints.risk import run_risk
    from dmm.units.amount import Atoms
    from dmm.usecases.risk import RiskQuestion

    question = RiskQuestion(
        level_bps=level,
        horizon_s=horizon_s,
        hold_s=hold_s,
        gas_per_fill_atoms=Atoms(gas_per_fill),
        gas_per_settlement_atoms=Atoms(gas_per_settlement),
        unwind_gas_atoms=Atoms(unwind_gas),
        cash_price_ppm=cash_price_ppm,
    )
    run_risk(run, question, seed=seed, state=state, as_json=as_json)


@risks.command("greeks")
@reported
def risk_greeks(
    inputs: Annotated[
        str | None, typer.Option(help="An option or a book: JSON, @FILE, or - for stdin.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print value and Greeks of European options by Black-Scholes-Merton."""
    from dmm.entrypoints.risk import run_greeks

    run_greeks(inputs, as_json=as_json)

"""``dmm quote``: one quote of a named model, or the simulated table of a paper."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import typer

from dmm.entrypoints.inputs_option import read_inputs
from dmm.quoting.models.evaluate import Model, evaluate
from dmm.quoting.models.inputs import shown
from dmm.quoting.service import CONVENTIONS, DCTMarketMakerService
from dmm.units.errors import UsageFault

TABLES = ("as2008",)

PATHS_DEFAULT = 1_000
"""As many paths as the paper's own table."""

FORMULA_INPUTS = frozenset({"gamma", "sigma", "kappa", "horizon_s"})
"""Whoever gives one of them speaks the formula's language, not the SDK's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteRequest:
    """The options of the command as given; None where one was not."""

    model: str | None
    inputs: str | None
    guard_percent: float | None
    table: str | None
    gamma: float | None
    paths: int | None
    seed: int | None


def run_quote(request: QuoteRequest, *, as_json: bool) -> None:
    """Print a model's quote or a paper's table.

    Raises
    ------
    UsageFault
        If options do not fit together, or an input is missing or bad.
    """
    if (request.model is None) == (request.table is None):
        raise UsageFault(
            f"name one of --model {'|'.join(Model)} with --inputs, or --table {'|'.join(TABLES)} "
            "with --gamma"
        )
    if request.model is not None:
        _refuse_options(request, ("gamma", "paths", "seed"), "--table")
        _print_quote(_model_quote(request.model, request), as_json=as_json)
    else:
        _refuse_options(request, ("inputs", "guard_percent"), "--model")
        _print_table(_paper_table(request), as_json=as_json)


def _refuse_options(request: QuoteRequest, names: tuple[str, ...], belongs_to: str) -> None:
    for name in names:
        if getattr(request, name) is not None:
            raise UsageFault(f"--{name.replace('_', '-')} belongs to {belongs_to}")


def _model_quote(name: str, request: QuoteRequest) -> dict[str, str | float | None]:
    if name not in set(Model):
        raise UsageFault(f"--model {shown(name)}: takes {', '.join(Model)}")
    if request.inputs is None:
        raise UsageFault("--inputs is missing: a JSON object, @FILE, or - for stdin")
    model, given = Model(name), read_inputs(request.inputs)
    if model in CONVENTIONS and _is_telemetry(given):
        _refuse_options(request, ("guard_percent",), "inputs by the names of the formula")
        return DCTMarketMakerService(convention=model.value).quote(given).to_json()
    guard_percent = 10.0 if request.guard_percent is None else request.guard_percent
    if not 0 < guard_percent <= 100:
        raise UsageFault(f"--guard-percent {guard_percent}: takes a number > 0, up to 100")
    return evaluate(model, given, guard_share=guard_percent / 100).to_json()


def _is_telemetry(given: dict[str, object]) -> bool:
    """Tell whether these are the SDK's inputs, from which it makes the formula's own."""
    return "volatility" in given and FORMULA_INPUTS.isdisjoint(given)


def _paper_table(request: QuoteRequest) -> dict[str, object]:
    from dmm.simulation.paper_table import simulate_table

    if request.table not in TABLES:
        raise UsageFault(f"--table {shown(request.table)}: takes {', '.join(TABLES)}")
    if request.gamma is None:
        raise UsageFault("--gamma is missing: the risk aversion of the table, 1/price, like 0.1")
    table = simulate_table(
        gamma=request.gamma,
        paths=PATHS_DEFAULT if request.paths is None else request.paths,
        seed=1 if request.seed is None else request.seed,
    )
    return asdict(table)


def _print_quote(quote: dict[str, str | float | None], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(quote, allow_nan=False))
        return
    for name, value in quote.items():
        text = "none" if value is None else value if isinstance(value, str) else f"{value:.10g}"
        typer.echo(f"{name:>17}  {text}")


def _print_table(table: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(table, allow_nan=False))
        return
    typer.echo(f"gamma {table['gamma']}, {table['paths']:,} paths, seed {table['seed']}")
    typer.echo(f"{'strategy':>10} {'spread':>8} {'profit':>8} {'std':>8} {'final q':>8} {'std':>8}")
    for name in ("inventory", "symmetric"):
        row = table[name]
        if isinstance(row, dict):
            typer.echo(f"{name:>10} " + " ".join(f"{value:8.3f}" for value in row.values()))

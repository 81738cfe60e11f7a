"""A backtest as tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from dmm.adapters.reports.backtest_rows import best_rows, headings, money_of, size_of, words
from dmm.simulation.experiment.backtest import Backtest

ROWS_MAX = 12

SHOWN = ("pnl", "sharpe", "realized_spread", "fills", "fill_ratio", "inventory_variance")
"""The figures that a terminal has room for; the page has all."""

COLOURS = {"promotable": "green", "not_promotable": "red", "insufficient_data": "yellow"}


def print_backtest(result: Backtest, body: Mapping[str, Any], console: Console) -> None:
    """Print the verdict, the best sets, and every warning."""
    found, instrument = result.conclusion, result.instrument
    console.print(
        f"[bold]{instrument.symbol}[/bold] on {instrument.venue} · "
        f"{', '.join(result.names)} · {size_of(body)}",
        highlight=False,
    )
    console.print(_sets(result))
    standing = found.standing.value
    console.print(f"[bold {COLOURS[standing]}]{words(standing)}[/]")
    for reason in found.reasons:
        console.print(f"  {reason}", highlight=False)
    if found.counterfactual is not None:
        console.print(f"Against the base policy: {found.counterfactual.text}", highlight=False)
    for warning in result.warnings:
        console.print(f"[yellow]warning:[/yellow] {warning}", highlight=False)


def _sets(result: Backtest) -> Table:
    every = len(result.conclusion.results)
    rows = best_rows(result, rows_max=ROWS_MAX)
    title = f"Best {len(rows)} of {every} sets" if every > 1 else "Set"
    table = Table(title=title, title_justify="left")
    heads = headings(money_of(result.instrument))
    for name in ("set", "parameters", "score", *(heads[name] for name in SHOWN)):
        table.add_column(name, justify="left" if name == "parameters" else "right")
    for row in rows:
        mark = " ◀" if row.is_chosen else " base" if row.is_base else ""
        table.add_row(
            f"{row.at}{mark}",
            ", ".join(f"{name} {value}" for name, value in row.params.items()),
            row.score,
            *(row.figures[name] for name in SHOWN),
        )
    return table

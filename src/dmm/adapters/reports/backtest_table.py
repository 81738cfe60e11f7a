"""A backtest as tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from dmm.adapters.reports.backtest import Money, figure, money_of, words
from dmm.simulation.experiment.backtest import Backtest

ROWS_MAX = 12

COLOURS = {"promotable": "green", "not_promotable": "red", "insufficient_data": "yellow"}


def print_backtest(result: Backtest, body: Mapping[str, Any], console: Console) -> None:
    """Print the verdict, the best sets, and every warning."""
    found, instrument = result.conclusion, result.instrument
    console.print(
        f"[bold]{instrument.symbol}[/bold] on {instrument.venue} · "
        f"{', '.join(result.names)} · {body['events']:,} events · {body['sets']} sets · "
        f"{body['seconds']:.2f} s",
        highlight=False,
    )
    console.print(_sets(result, money_of(instrument)))
    standing = found.standing.value
    console.print(f"[bold {COLOURS[standing]}]{words(standing)}[/]")
    for reason in found.reasons:
        console.print(f"  {reason}", highlight=False)
    if found.counterfactual is not None:
        console.print(f"Against the base policy: {found.counterfactual.text}", highlight=False)
    for warning in result.warnings:
        console.print(f"[yellow]warning:[/yellow] {warning}", highlight=False)


def _sets(result: Backtest, money: Money) -> Table:
    found = result.conclusion
    order = np.argsort(-found.scores, kind="stable")[:ROWS_MAX].tolist()
    shown = list(dict.fromkeys([*order, found.chosen, found.in_force]))
    title = f"Best {len(shown)} of {len(found.results)} sets" if len(found.results) > 1 else "Set"
    table = Table(title=title, title_justify="left")
    for name in ("set", "parameters", "score", f"P&L, {money.unit}", "Sharpe", "spread, bps",
                 "fills", "fill ratio", "inv. var."):  # fmt: skip
        table.add_column(name, justify="left" if name == "parameters" else "right")
    for at in shown:
        row: dict[str, Any] = dict(found.results[at])
        mark = " ◀" if at == found.chosen else " base" if at == found.in_force else ""
        params = ", ".join(
            f"{name} {'online' if value is None else figure(value)}"
            for name, value in row["params"].items()
        )
        table.add_row(
            f"{at}{mark}",
            params,
            f"{found.scores[at]:.3f}",
            money.of(row["pnl"]),
            figure(row["sharpe"]),
            f"{row['realized_spread']:+.3f}",
            f"{row['fills']:,}",
            f"{100 * row['fill_ratio']:.2f} %",
            figure(row["inventory_variance"]),
        )
    return table

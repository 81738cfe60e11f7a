"""The session as a table for a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from dmm.adapters.reports.session import SessionResult

CHAIN_COLUMNS = (
    "settlements",
    "rewards",
    "buybacks",
    "quotes",
    "netted",
    "nets",
    "statements",
    "audited",
    "difference",
    "checked_at_block",
)
"""What the table of chains shows; "audited" counts the epochs' audits."""


def print_session(result: SessionResult, console: Console) -> None:
    """Print epochs, totals and settlements."""
    source = "simulated market (DEMO)" if result.is_simulated else ", ".join(result.tape)
    console.print(f"[bold]{result.symbol}[/bold] on {result.venue} · {source}")
    console.print("[dim]local chains, test tokens and counterparties are simulated: DEMO[/dim]")
    _print_epochs(result, console)
    _print_totals(result, console)
    _print_chains(result, console)
    _print_settlements(result, console)
    for warning in result.warnings:
        console.print(f"[yellow]warning:[/yellow] {warning}")


def _print_epochs(result: SessionResult, console: Console) -> None:
    table = Table(title="Epochs", title_justify="left")
    for name in (
        "epoch",
        "quotes",
        "fills",
        "lots before hedge",
        "P&L so far",
        "flows",
        "rows",
        "s",
    ):
        table.add_column(name, justify="right")
    for epoch in result.epochs:
        completed = sum(state == "Completed" for state in epoch.flow_runs.values())
        table.add_row(
            str(epoch.epoch),
            str(epoch.quotes),
            str(epoch.fills),
            str(epoch.position_lots),
            epoch.pnl,
            f"{completed}/{len(epoch.flow_runs)} completed",
            str(sum(epoch.rows.values())),
            f"{epoch.seconds:.1f}",
        )
    console.print(table)


def _print_totals(result: SessionResult, console: Console) -> None:
    table = Table(title="Session", show_header=False, title_justify="left")
    rows = {
        "feed messages": f"{result.events:,}",
        "quotes / fills": f"{result.quotes:,} / {result.fills:,}",
        "spread captured": f"{result.spread_captured} {result.cash_asset}",
        "inventory": result.position,
        "P&L": f"{result.pnl_quote} {result.cash_asset}",
        "rewards paid": result.rewards_paid,
        "buyback": result.buyback_paid,
        "settlements": f"{result.final} final, {result.failed} failed of {result.planned} planned",
        "audit": _audit_line(result),
        "report": result.report,
        "seconds": f"{result.seconds:.1f}",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    console.print(table)


def _print_chains(result: SessionResult, console: Console) -> None:
    table = Table(title="Chains", title_justify="left")
    table.add_column("chain")
    for name in CHAIN_COLUMNS:
        table.add_column(name.replace("_", " "), justify="right")
    for chain, counts in result.chain_counts.items():
        table.add_row(chain, *(str(counts.get(name, 0)) for name in CHAIN_COLUMNS))
    console.print(table)


def _audit_line(result: SessionResult) -> str:
    at = ", ".join(f"{chain} block {height}" for chain, height in result.checked_at_block.items())
    if result.difference_atoms == 0:
        return f"[green]✔ chain = ledger[/green], unexplained difference 0 at {at}"
    return f"[red]✘ unexplained difference {result.difference_atoms} atoms[/red] at {at}"


def _print_settlements(result: SessionResult, console: Console) -> None:
    table = Table(title="Settlements", title_justify="left")
    for name in ("chain", "kind", "amount", "recipient", "block", "transaction"):
        table.add_column(name, overflow="fold")
    for settled in result.settled:
        table.add_row(
            settled.chain,
            settled.kind,
            f"{settled.amount} {settled.asset}",
            settled.recipient,
            str(settled.height),
            settled.tx_id,
        )
    console.print(table)

"""What page and terminal tell of a backtest's sets: figures with units, rows, money."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dmm.market.instrument import Instrument
from dmm.simulation.experiment.backtest import Backtest

DIGITS_MAX = 9
"""Decimals of an amount."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """How atoms are shown: in whole units of the cash asset."""

    scale: float
    unit: str

    def of(self, atoms: float, *, signed: bool = True) -> str:
        """Return an amount as text with at least three digits that count."""
        if not atoms:
            return "0"
        value = atoms / self.scale
        size = math.floor(math.log10(abs(value)))
        return f"{value:{'+' if signed else ''},.{min(DIGITS_MAX, max(0, 2 - size))}f}"


def money_of(instrument: Instrument) -> Money:
    """Return how an instrument's cash is shown."""
    return Money(scale=float(10**instrument.cash.decimals), unit=instrument.cash.symbol)


def figure(value: object) -> str:
    """Return a number with about four digits that count, a dash for none."""
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or abs(value) >= 10_000:
        return f"{value:,.0f}"
    return f"{value:,.4g}"


def words(value: str) -> str:
    """Return a name without underscores."""
    return value.replace("_", " ")


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: ``1 set``, ``1,000 sets``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def parameter(value: object) -> str:
    """Return a parameter as text; one that is estimated while the desk quotes has no number."""
    return "online" if value is None else figure(value)


def size_of(body: Mapping[str, Any]) -> str:
    """Return how much was replayed and how long that took.

    Parameters
    ----------
    body : what ``--json`` prints
    """
    return (
        f"{counted(body['events'], 'event')} · {counted(body['sets'], 'set')} in one pass of "
        f"{body['seconds']:.2f} s"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A figure of a set: its heading with the unit, and how its value is written."""

    heading: str
    text: Callable[[Any, Money], str]


COLUMNS: Mapping[str, Column] = {
    "pnl": Column(heading="P&L, {unit}", text=lambda value, money: money.of(value)),
    "fees": Column(heading="fees, {unit}", text=lambda value, money: money.of(value)),
    "sharpe": Column(heading="Sharpe", text=lambda value, _: figure(value)),
    "max_drawdown": Column(
        heading="drawdown, {unit}", text=lambda value, money: money.of(value, signed=False)
    ),
    "realized_spread": Column(heading="spread, bps", text=lambda value, _: f"{value:+.3f}"),
    "fills": Column(heading="fills", text=lambda value, _: f"{value:,}"),
    "fill_ratio": Column(heading="fill ratio, %", text=lambda value, _: f"{100 * value:.2f}"),
    "inventory_variance": Column(
        heading="inv. variance, lots²", text=lambda value, _: figure(value)
    ),
}
"""By name in the results."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRow:
    """One set as text; `figures` are by the names of `COLUMNS`."""

    at: int
    is_chosen: bool
    is_base: bool
    is_unbeaten: bool
    """No other set is as good in every goal and better in one."""
    score: str
    params: dict[str, str]
    figures: dict[str, str]


def headings(money: Money) -> dict[str, str]:
    """Return the headings of the figures by their names."""
    return {name: column.heading.format(unit=money.unit) for name, column in COLUMNS.items()}


def best_rows(result: Backtest, *, rows_max: int) -> list[SetRow]:
    """Return the sets with the best score, the chosen one and what is in force among them.

    Parameters
    ----------
    rows_max : sets with the best score; at the most two more are added
    """
    found, money = result.conclusion, money_of(result.instrument)
    best = np.argsort(-found.scores, kind="stable")[:rows_max].tolist()
    front = set(found.front)
    return [
        SetRow(
            at=at,
            is_chosen=at == found.chosen,
            is_base=at == found.in_force,
            is_unbeaten=at in front,
            score=f"{found.scores[at]:.3f}",
            params={name: parameter(value) for name, value in _params(found.results[at]).items()},
            figures={
                name: column.text(found.results[at][name], money)
                for name, column in COLUMNS.items()
            },
        )
        for at in dict.fromkeys([*best, found.chosen, found.in_force])
    ]


def _params(row: Mapping[str, Any]) -> dict[str, object]:
    params: dict[str, object] = row["params"]
    return params

"""A backtest as one HTML file that opens offline: verdict, plots, tables, assumptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from dmm.adapters.reports.backtest_plots import (
    capture_plot,
    distance_plot,
    equity_plot,
    inventory_plot,
    line_over_parameter,
    markout_plot,
    price_plot,
    surface_plot,
)
from dmm.adapters.reports.backtest_rows import (
    best_rows,
    figure,
    headings,
    money_of,
    parameter,
    size_of,
    words,
)
from dmm.market.instrument import Instrument
from dmm.simulation.experiment.backtest import Backtest
from dmm.simulation.experiment.curves import Curves
from dmm.units.amount import BPS_ONE
from dmm.units.errors import ServiceFault

ROWS_MAX = 25
"""Sets in the table, those with the best score; all of them are in the JSON."""

SURFACES = (
    ("sharpe", "Sharpe ratio, annualised"),
    ("realized_spread", "realised spread, bps"),
    ("fill_ratio", "fill ratio"),
)


def write_backtest_report(
    result: Backtest, curves: Curves, body: Mapping[str, Any], path: Path
) -> None:
    """Write the report; nothing is left half-written.

    Parameters
    ----------
    body : what ``--json`` prints

    Raises
    ------
    ServiceFault
        If the file cannot be written.
    """
    environment = Environment(
        loader=PackageLoader("dmm.adapters.reports"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"figure": figure, "words": words, "parameter": parameter}
    text = environment.get_template("backtest.html").render(
        **_values(result, curves, body), plots=_plots(result, curves, body)
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.partial")
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise ServiceFault(
            f"report {path} cannot be written: {error.strerror}; name another file"
        ) from error


def _values(result: Backtest, curves: Curves, body: Mapping[str, Any]) -> dict[str, Any]:
    found, instrument = result.conclusion, result.instrument
    money = money_of(instrument)
    row, table = dict(found.results[found.chosen]), best_rows(result, rows_max=ROWS_MAX)
    return {
        "result": result,
        "instrument": instrument,
        "verdict": body["verdict"],
        "standing": found.standing.value,
        "money": money,
        "chosen": row,
        "params": row["params"],
        "minutes": float(curves.block_seconds[-1]) / 60,
        "body": body,
        "size": size_of(body),
        "table": table,
        "headings": headings(money),
        "names": list(found.results[0]["params"]),  # type: ignore[arg-type]
        "left_out": len(found.results) - len(table),
        "block_s": result.plan.judging.block_ns / 1e9,
        "curves": curves,
        "policy": result.grid.sets[found.chosen].policy,
    }


def _plots(result: Backtest, curves: Curves, body: Mapping[str, Any]) -> dict[str, Any]:
    found, instrument = result.conclusion, result.instrument
    policy, money = result.grid.sets[found.chosen].policy, money_of(instrument)
    chosen: dict[str, Any] = dict(found.results[found.chosen])
    drawn = {
        "equity": equity_plot(curves, scale=money.scale, unit=money.unit),
        "inventory": inventory_plot(
            curves,
            soft=(policy.soft_long_lots, policy.soft_short_lots),
            hard=(policy.hard_long_lots, policy.hard_short_lots),
        ),
        "price": price_plot(curves, tick=float(instrument.tick_size), unit=_price_unit(instrument)),
        "capture": capture_plot(curves, scale=money.scale, unit=money.unit),
        "markout": markout_plot(curves),
        "distance": distance_plot(curves, own=_own_distance(curves, chosen)),
    }
    plots: dict[str, Any] = {
        name: Markup(svg)  # noqa: S704 - our own SVG
        for name, svg in drawn.items()
    }
    plots["surfaces"] = [
        (title, Markup(svg))  # noqa: S704
        for title, svg in _surfaces(result.grid.axes, body["results"], found.chosen)
    ]
    return plots


def _surfaces(
    axes: Sequence[str], rows: Sequence[Mapping[str, object]], chosen: int
) -> list[tuple[str, str]]:
    """Return titles and plots: every figure over one parameter or over pairs of them."""
    if len(axes) == 1:
        return [
            (
                label,
                line_over_parameter(rows, x=axes[0], figure_of=name, label=label, chosen=chosen),
            )
            for name, label in SURFACES
        ]
    return [
        (label, surface_plot(rows, x=x, y=y, figure_of=name, label=label, chosen=chosen))
        for x, y in _pairs(axes)
        for name, label in SURFACES[: 3 if len(axes) == 2 else 2]
    ]


PAIRS_MAX = 3


def _pairs(axes: Sequence[str]) -> list[tuple[str, str]]:
    """Return pairs of parameters, the first ones together first."""
    pairs = [(x, y) for at, x in enumerate(axes) for y in axes[at + 1 :]]
    return pairs[:PAIRS_MAX]


def _own_distance(curves: Curves, chosen: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return the mean distance of the wanted quotes from the mid, and the set's fill ratio."""
    sides = np.concatenate([curves.mid - curves.bid, curves.ask - curves.mid])
    mids = np.concatenate([curves.mid, curves.mid])
    known = np.isfinite(sides)
    if not known.any():
        return None
    bps = float(np.mean(sides[known] / mids[known])) * BPS_ONE
    return max(bps, 1e-3), float(chosen["fill_ratio"])


def _price_unit(instrument: Instrument) -> str:
    if instrument.kind.value == "inverse":
        return f"quote per {instrument.cash.symbol}"
    return f"{instrument.cash.symbol} per {instrument.position.symbol}"

"""Plots of a session as SVG text: the same session gives the same bytes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure

from dmm.adapters.reports.session import Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# A colour-blind safe pair (Okabe and Ito 2008) for buys and sells.
BUY_COLOUR = "#0072b2"
SELL_COLOUR = "#d55e00"
LINE_COLOUR = "#3a4a5a"


def price_plot(series: Series, *, unit: str) -> str:
    """Return mid price and fills over event time as an SVG element."""
    figure, axes = _figure(height_in=3.2)
    axes.plot(series.seconds, series.mid, color=LINE_COLOUR, linewidth=0.8, label="mid")
    for is_buy, colour, marker, name in (
        (True, BUY_COLOUR, "^", "our buys"),
        (False, SELL_COLOUR, "v", "our sells"),
    ):
        chosen = [i for i, buy in enumerate(series.fill_is_buy) if buy is is_buy]
        axes.scatter(
            [series.fill_seconds[i] for i in chosen],
            [series.fill_price[i] for i in chosen],
            s=14,
            color=colour,
            marker=marker,
            label=f"{name} ({len(chosen)})",
            zorder=3,
        )
    axes.set_ylabel(unit)
    axes.legend(loc="best", fontsize=8, frameon=False)
    axes.ticklabel_format(axis="y", useOffset=False)
    return _svg(figure)


def line_plot(seconds: tuple[float, ...], values: tuple[float, ...], *, unit: str) -> str:
    """Return one line over event time as an SVG element."""
    figure, axes = _figure(height_in=2.0)
    axes.step(seconds, values, where="post", color=LINE_COLOUR, linewidth=0.9)
    axes.axhline(0, color="#b8c2cc", linewidth=0.6)
    axes.set_ylabel(unit)
    axes.ticklabel_format(axis="y", useOffset=False, style="plain")
    return _svg(figure)


def _figure(*, height_in: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(9.6, height_in), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("seconds of event time", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(visible=True, color="#e6eaee", linewidth=0.6)
    return figure, axes


def _svg(figure: Figure) -> str:
    target = io.StringIO()
    # A fixed salt and no date keep the bytes equal on a re-run; text stays text.
    with mpl.rc_context({"svg.hashsalt": "dmm", "svg.fonttype": "none"}):
        figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None})
    text = target.getvalue()
    return text[text.index("<svg") :]

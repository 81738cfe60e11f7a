"""Plots of a backtest as SVG text: the same backtest gives the same bytes.

Colours come from the page's style sheet by class, so that one file reads well by day and by night.
"""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dmm.simulation.experiment.curves import Curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

INK, GRID, BUY, SELL, LINE, FILL, ACCENT = (
    "#11223a", "#d8dee6", "#0072b2", "#d55e00", "#34495e", "#0072b3", "#009e73",
)  # fmt: skip
"""Drawn in these; the page replaces each by a variable of its light or dark scheme. Blue, orange
and green are a colour-blind safe set (Okabe & Ito 2008)."""

VARIABLES: Mapping[str, str] = {
    INK: "ink",
    GRID: "grid",
    BUY: "buy",
    SELL: "sell",
    LINE: "line",
    FILL: "area",
    ACCENT: "accent",
}

WIDE_IN, HALF_IN = 10.4, 5.1
FONT = 8.5
FILLS_SHOWN_MAX = 3_000
"""Fills drawn; more are thinned evenly and the legend says so."""

DISTANCE_TICKS_BPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 1_000)

_DRAWING = threading.Lock()
"""Pages are drawn in threads, and matplotlib's settings are the process's."""


def equity_plot(curves: Curves, *, scale: float, unit: str) -> str:
    """Return P&L over time above, its fall from the highest point below."""
    figure = Figure(figsize=(WIDE_IN, 3.9), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2.4, 1))
    seconds = np.concatenate([[0.0], curves.block_seconds])
    equity = np.concatenate([[0], curves.equity]) / scale
    gross = equity + np.concatenate([[0], curves.fees]) / scale
    _style(above, y_label=f"P&L, {unit}")
    above.axhline(0, color=GRID, linewidth=0.9)
    above.step(seconds, equity, where="post", color=BUY, linewidth=1.4, label="net of fees")
    if np.any(curves.fees):
        above.step(
            seconds, gross, where="post", color=SELL, linewidth=0.9, linestyle="--",
            label="before fees",
        )  # fmt: skip
    _legend(above, columns=2)
    drawdown = equity - np.maximum.accumulate(np.maximum(equity, 0))
    _style(below, y_label=f"drawdown, {unit}", x_label="minutes of event time")
    below.fill_between(seconds, drawdown, 0, step="post", color=SELL, alpha=0.35, linewidth=0)
    below.step(seconds, drawdown, where="post", color=SELL, linewidth=0.9)
    _minutes(below, seconds)
    return _svg(figure)


def inventory_plot(curves: Curves, *, soft: tuple[int, int], hard: tuple[int, int]) -> str:
    """Return the inventory over time in lots with the soft and hard limits, short ones negative."""
    figure = Figure(figsize=(WIDE_IN, 2.5), layout="constrained")
    axes = figure.subplots()
    _style(axes, y_label="inventory, lots", x_label="minutes of event time")
    end = max(float(curves.block_seconds[-1]), 1.0)
    seconds = np.append(curves.inventory_seconds, end)
    held = np.append(curves.inventory, curves.inventory[-1:])
    axes.axhspan(-soft[1], soft[0], color=GRID, alpha=0.35, linewidth=0, label="within soft limits")
    axes.axhline(0, color=GRID, linewidth=0.9)
    axes.step(seconds, held, where="post", color=LINE, linewidth=0.9, label="held")
    for limit in (hard[0], -hard[1]):
        if abs(limit) <= 2.5 * max(1, int(np.abs(held).max()), soft[0], soft[1]):
            axes.axhline(limit, color=SELL, linewidth=0.9, linestyle="--")
    axes.plot([], [], color=SELL, linewidth=0.9, linestyle="--", label="hard limits")
    _legend(axes, columns=3)
    _minutes(axes, seconds)
    return _svg(figure)


def price_plot(curves: Curves, *, tick: float, unit: str) -> str:
    """Return the mid, the band between the quotes the rule wanted, and the fills."""
    figure = Figure(figsize=(WIDE_IN, 4.2), layout="constrained")
    axes = figure.subplots()
    _style(axes, y_label=f"price, {unit}", x_label="minutes of event time")
    axes.fill_between(
        curves.seconds, curves.bid * tick, curves.ask * tick, color=FILL, alpha=0.22, linewidth=0,
        step="post", label="between wanted bid and ask",
    )  # fmt: skip
    axes.plot(curves.seconds, curves.mid * tick, color=LINE, linewidth=0.9, label="mid")
    thin = slice(None, None, max(1, -(-len(curves.fill_seconds) // FILLS_SHOWN_MAX)))
    for side, colour, marker, name in ((1, BUY, "^", "our buys"), (-1, SELL, "v", "our sells")):
        own = curves.fill_side == side
        axes.scatter(
            curves.fill_seconds[own][thin], curves.fill_price[own][thin] * tick, s=15,
            color=colour, marker=marker, label=f"{name} ({int(own.sum()):,})", zorder=3,
            linewidths=0,
        )  # fmt: skip
    axes.ticklabel_format(axis="y", useOffset=False, style="plain")
    _fit_to_trading(axes, curves, tick)
    _legend(axes, columns=4)
    _minutes(axes, curves.seconds)
    return _svg(figure)


def _fit_to_trading(axes: Axes, curves: Curves, tick: float) -> None:
    """Show what traded: a quote that stands far away for a moment must not flatten the rest."""
    seen = np.concatenate([curves.mid, curves.fill_price]) * tick
    spreads = (curves.ask - curves.bid)[np.isfinite(curves.ask - curves.bid)] * tick
    spread = float(np.median(spreads)) if spreads.size else 0.0
    pad = max(0.06 * float(np.ptp(seen)), spread, tick)
    axes.set_ylim(float(seen.min()) - pad, float(seen.max()) + pad)


def capture_plot(curves: Curves, *, scale: float, unit: str) -> str:
    """Return what fills gained against the mid at once, and what was left of it 1, 5, 30 s on."""
    figure = Figure(figsize=(HALF_IN, 3.0), layout="constrained")
    axes = figure.subplots()
    _style(axes, y_label=f"gain of all fills, {unit}", x_label="minutes of event time")
    axes.axhline(0, color=GRID, linewidth=0.9)
    gained = np.concatenate([[0], curves.captured])
    axes.step(
        np.concatenate([[0.0], curves.fill_seconds, curves.block_seconds[-1:]]),
        np.concatenate([gained, gained[-1:]]) / scale,
        where="post", color=ACCENT, linewidth=1.3, label="at the fill",
    )  # fmt: skip
    styles = (("-", BUY), ("--", LINE), (":", SELL))
    for (horizon_s, markout), (style, colour) in zip(curves.markouts.items(), styles, strict=True):
        axes.step(
            np.concatenate([[0.0], curves.block_seconds]),
            np.concatenate([[0], markout]) / scale,
            where="post", color=colour, linestyle=style, linewidth=1.1,
            label=f"{horizon_s} s later",
        )  # fmt: skip
    _legend(axes)
    _minutes(axes, curves.block_seconds)
    return _svg(figure)


def markout_plot(curves: Curves) -> str:
    """Return the mean gain of a fill in basis points by how long after it one looks."""
    figure = Figure(figsize=(HALF_IN, 3.0), layout="constrained")
    axes = figure.subplots()
    _style(axes, y_label="gain per turnover, bps", x_label="seconds after the fill")
    turnover = max(1, curves.turnover)
    captured = int(curves.captured[-1]) if len(curves.captured) else 0
    values = [captured, *(int(markout[-1]) for markout in curves.markouts.values())]
    labels = ["0", *(str(horizon_s) for horizon_s in curves.markouts)]
    bps = [10_000 * value / turnover for value in values]
    colours = [ACCENT if value >= 0 else SELL for value in bps]
    axes.bar(range(len(bps)), bps, color=colours, width=0.58)
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.set_xticks(range(len(bps)), labels)
    reach = max((abs(value) for value in bps), default=0.0) or 1.0
    for at, value in enumerate(bps):
        axes.text(
            at, value + (0.04 if value >= 0 else -0.04) * reach, f"{value:+.3f}", ha="center",
            va="bottom" if value >= 0 else "top", fontsize=FONT, color=INK,
        )  # fmt: skip
    axes.margins(y=0.18)
    axes.grid(visible=False, axis="x")
    return _svg(figure)


def distance_plot(curves: Curves, *, own: tuple[float, float] | None) -> str:
    """Return the share of resting lots that filled by their distance from the mid.

    Parameters
    ----------
    own : mean distance in basis points and fill ratio of the chosen set, if it quoted
    """
    figure = Figure(figsize=(HALF_IN, 3.0), layout="constrained")
    axes = figure.subplots()
    _style(axes, y_label="filled of accepted lots, %", x_label="distance from the mid, bps")
    axes.plot(
        curves.distance_bps, 100 * curves.fill_share, "o-", color=BUY, ms=4, linewidth=1.1,
        label="fixed distance",
    )  # fmt: skip
    if own is not None:
        axes.plot(
            [own[0]], [100 * own[1]], "D", color=SELL, ms=7, label="chosen set, mean distance"
        )
    axes.set_xscale("log")
    low, high = float(curves.distance_bps[0]), float(curves.distance_bps[-1])
    ticks = [one for one in DISTANCE_TICKS_BPS if 0.7 * low <= one <= 1.4 * high]
    axes.set_xticks(ticks, [f"{one:g}" for one in ticks])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    _legend(axes)
    return _svg(figure)


def surface_plot(
    rows: Sequence[Mapping[str, object]], *, x: str, y: str, figure_of: str, label: str, chosen: int
) -> str:
    """Return a figure over two parameters, the best of all others at each point.

    Parameters
    ----------
    rows : params and figures of all sets
    x, y : names of two parameters
    figure_of : name of the figure
    chosen : row to mark
    """
    across, up = _levels(rows, x), _levels(rows, y)
    table = np.full((len(up), len(across)), np.nan)
    for row in rows:
        params, value = row["params"], float(str(row[figure_of]))
        if isinstance(params, dict):
            at = up.index(params[y]), across.index(params[x])
            table[at] = value if np.isnan(table[at]) else max(table[at], value)
    figure = Figure(figsize=(HALF_IN, 3.3), layout="constrained")
    axes = figure.subplots()
    _style(axes, y_label=_name(y), x_label=_name(x))
    axes.grid(visible=False)
    edges = np.arange(len(across) + 1) - 0.5, np.arange(len(up) + 1) - 0.5
    shown = axes.pcolormesh(*edges, table, cmap="cividis")
    axes.set_xticks(
        range(len(across)), [_shown(value) for value in across], rotation=30, ha="right"
    )
    axes.set_yticks(range(len(up)), [_shown(value) for value in up])
    mark = rows[chosen]["params"]
    if isinstance(mark, dict):
        axes.plot(
            across.index(mark[x]), up.index(mark[y]), "s", ms=13, mfc="none", mec=SELL, mew=2.2
        )
    bar = figure.colorbar(shown, ax=axes, pad=0.02)
    bar.set_label(label, fontsize=FONT, color=INK)
    bar.ax.tick_params(labelsize=FONT - 0.5, colors=INK)
    bar.outline.set_visible(False)
    if bar.solids is not None:
        # Areas only, no picture in the page; their edges would show as stripes.
        bar.solids.set(rasterized=False, edgecolor="face")
    return _svg(figure)


def line_over_parameter(
    rows: Sequence[Mapping[str, object]], *, x: str, figure_of: str, label: str, chosen: int
) -> str:
    """Return a figure over the one parameter there is."""
    figure = Figure(figsize=(HALF_IN, 3.3), layout="constrained")
    axes = figure.subplots()
    _style(axes, y_label=label, x_label=_name(x))
    levels = _levels(rows, x)
    values = [
        max(float(str(row[figure_of])) for row in rows if _param(row, x) == level)
        for level in levels
    ]
    axes.plot(range(len(levels)), values, "o-", color=BUY, ms=4, linewidth=1.1)
    at = levels.index(_param(rows[chosen], x))
    axes.plot([at], [values[at]], "D", color=SELL, ms=7, label="chosen")
    axes.set_xticks(
        range(len(levels)), [_shown(value) for value in levels], rotation=30, ha="right"
    )
    _legend(axes)
    return _svg(figure)


def _param(row: Mapping[str, object], name: str) -> object:
    params = row["params"]
    return params.get(name) if isinstance(params, dict) else None


def _levels(rows: Sequence[Mapping[str, object]], name: str) -> list[object]:
    """Return a parameter's values in their order; an estimate taken online stands first."""
    found = {_param(row, name) for row in rows}
    numbers = sorted(value for value in found if isinstance(value, int | float))
    texts = sorted(str(value) for value in found if isinstance(value, str))
    return [*([None] if None in found else []), *numbers, *texts]


def _shown(value: object) -> str:
    if value is None:
        return "online"
    return f"{value:.4g}" if isinstance(value, int | float) else str(value)


NAMES = {"gamma": "γ per bp", "beta": "β, bps", "kappa": "κ per bp"}


def _name(parameter: str) -> str:
    return NAMES.get(parameter, parameter.replace("_", " "))


def _style(axes: Axes, *, y_label: str, x_label: str = "") -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GRID)
    axes.set_xlabel(x_label, fontsize=FONT, color=INK)
    axes.set_ylabel(y_label, fontsize=FONT, color=INK)
    axes.tick_params(labelsize=FONT - 0.5, colors=INK, color=GRID)
    axes.grid(visible=True, color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.patch.set_alpha(0)


def _minutes(axes: Axes, seconds: Floats) -> None:
    axes.set_xlim(0, max(float(seconds[-1]) if len(seconds) else 1.0, 1.0))
    axes.xaxis.set_major_formatter(lambda value, _at: f"{value / 60:g}")
    end_min = max(float(seconds[-1]) if len(seconds) else 60.0, 1.0) / 60
    step_min = next(
        (step for step in (0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 360, 1_440) if end_min / step <= 9),
        10_080,
    )
    axes.set_xticks(np.arange(0, 60 * end_min + 1e-9, 60 * step_min))


def _legend(axes: Axes, *, columns: int = 1) -> None:
    """Put the legend where there is room: that of several columns above the plot."""
    if not axes.get_legend_handles_labels()[0]:
        return
    if columns > 1:
        legend = axes.legend(
            loc="lower right", bbox_to_anchor=(1.0, 0.99), ncols=columns, fontsize=FONT - 0.5
        )
    else:
        legend = axes.legend(loc="best", fontsize=FONT - 0.5)
    legend.get_frame().set(facecolor="none", edgecolor="none")
    for text in legend.get_texts():
        text.set_color(INK)


def _svg(figure: Figure) -> str:
    """Return the figure without a ground of its own, its colours as variables of the page."""
    figure.patch.set_alpha(0)
    target = io.StringIO()
    # A fixed salt and no date keep the bytes equal on a re-run; text stays text.
    with _DRAWING, mpl.rc_context({"svg.hashsalt": "dmm", "svg.fonttype": "none"}):
        figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None})
    text = target.getvalue()
    text = text[text.index("<svg") :]
    for colour, name in VARIABLES.items():
        text = re.sub(colour, f"var(--{name})", text, flags=re.IGNORECASE)
    return re.sub(r"font: ([\d.]+)px [^;\"]+", r"font: \1px var(--font)", text)

"""Plots of what an epoch's estimates were measured from, as SVG text."""

from __future__ import annotations

import io
import threading
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dmm.calibration.arrival import FitRange, reached
from dmm.calibration.depth import Depths
from dmm.calibration.volatility import EWMA_KEEP

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINTS_MAX = 2_000
"""Points of a line; longer series are thinned evenly, since no screen shows more."""

MEASURED_COLOUR = "#0072b2"
FITTED_COLOUR = "#d55e00"
BAND_COLOUR = "#cfd8e0"

# Flows draw in threads, and matplotlib's settings are the process's.
_DRAWING = threading.Lock()


def volatility_plot(
    changes_half_ticks: NDArray[np.int64],
    *,
    in_use_ticks: float,
    bounds_ticks: tuple[float, float],
) -> str:
    """Return the EWMA of σ through a window with the σ in use and the interval of the plain one.

    Parameters
    ----------
    changes_half_ticks : of the mid over one second, one or more
    in_use_ticks : σ over one second, ticks
    bounds_ticks : 95 % interval of the plain σ, ticks; zeros when there is none
    """
    changes = changes_half_ticks / 2
    path = np.empty(changes.size)
    variance = float(np.mean(np.square(changes)))
    for at, change in enumerate(changes):
        variance = EWMA_KEEP * variance + (1 - EWMA_KEEP) * float(change) ** 2
        path[at] = variance**0.5
    seconds = np.arange(1, changes.size + 1)
    kept = slice(None, None, max(1, -(-changes.size // POINTS_MAX)))
    figure, axes = _figure("seconds observed", "σ over 1 s, ticks")
    if bounds_ticks[1] > 0:
        axes.axhspan(*bounds_ticks, color=BAND_COLOUR, alpha=0.6, label="plain σ, 95 %")
    axes.plot(seconds[kept], path[kept], color=MEASURED_COLOUR, linewidth=0.9, label="EWMA σ")
    axes.axhline(in_use_ticks, color=FITTED_COLOUR, linewidth=1.0, label="in use")
    return _svg(figure, axes)


def arrival_plot(
    depths: Depths, *, fit_range: FitRange, lines: dict[str, tuple[float, float]]
) -> str:
    """Return ln λ by depth with straight lines through it.

    Parameters
    ----------
    depths : of the window
    fit_range : in ticks
    lines : κ per tick and A per second by what they are, for example the fit and those in use
    """
    x_ticks, rate_per_s = reached(depths, fit_range)
    figure, axes = _figure("depth beyond the mid, ticks", "ln λ, λ per second")
    axes.plot(x_ticks, np.log(rate_per_s), "o", color=MEASURED_COLOUR, ms=4, label="measured")
    ends = np.array([fit_range.from_ticks, fit_range.to_ticks], dtype=np.float64)
    for (name, (kappa, rate)), style in zip(lines.items(), ("-", "--", ":"), strict=False):
        if rate > 0:
            axes.plot(ends, np.log(rate) - kappa * ends, style, color=FITTED_COLOUR, label=name)
    return _svg(figure, axes)


def _figure(x_label: str, y_label: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7.2, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(x_label, fontsize=8)
    axes.set_ylabel(y_label, fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(visible=True, color="#e6eaee", linewidth=0.6)
    return figure, axes


def _svg(figure: Figure, axes: Axes) -> str:
    axes.legend(loc="best", fontsize=8, frameon=False)
    target = io.StringIO()
    # A fixed salt and no date keep the bytes equal on a re-run; text stays text.
    with _DRAWING, mpl.rc_context({"svg.hashsalt": "dmm", "svg.fonttype": "none"}):
        figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None})
    text = target.getvalue()
    return text[text.index("<svg") :]

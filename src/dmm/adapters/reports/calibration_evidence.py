"""An epoch's estimate as markdown: the verdict, the numbers with their evidence, and a plot."""

from __future__ import annotations

import base64

import numpy as np
from numpy.typing import NDArray

from dmm.adapters.reports.calibration_plots import arrival_plot, volatility_plot
from dmm.calibration.arrival import FitRange
from dmm.calibration.depth import Depths
from dmm.calibration.estimates import MICRO, MILLI, NANO, Estimate, RecordedEstimate

SCALES = {"_microticks": MICRO, "_ubps": MICRO, "_micro": MICRO, "_nano": NANO, "_milli": MILLI}
"""Scales of journalled integers by what their names hold, the longer names first."""

UNITS = {
    "sigma_microticks": "ticks per √s",
    "ewma_ubps": "bps per √s",
    "kappa_nano": "per tick",
    "mle_nano": "per tick",
    "approved_kappa_nano": "per tick",
    "a_micro": "per second",
    "a_bid_micro": "per second",
    "a_ask_micro": "per second",
}


def volatility_markdown(record: RecordedEstimate, changes_half_ticks: NDArray[np.int64]) -> str:
    """Return the report of an epoch's σ; without a plot when its window has no change of mid.

    Parameters
    ----------
    changes_half_ticks : of the mid over one second, those that σ was measured on
    """
    estimate = record.estimate
    shown = {"sigma_microticks": estimate.sigma_microticks}
    text = _head(record) + _table(shown, estimate)
    if not changes_half_ticks.size:
        return text
    bounds = [
        estimate.evidence.get(f"sigma_microticks_{end}", 0) / MICRO for end in ("low", "high")
    ]
    plot = volatility_plot(
        changes_half_ticks,
        in_use_ticks=estimate.sigma_microticks / MICRO,
        bounds_ticks=(bounds[0], bounds[1]),
    )
    return text + _image(plot, f"sigma up to epoch {record.epoch}")


def arrival_markdown(record: RecordedEstimate, depths: Depths) -> str:
    """Return the report of an epoch's κ and A; without a plot when its window has no depth."""
    estimate, evidence = record.estimate, record.estimate.evidence
    names = ("kappa_nano", "a_micro", "a_bid_micro", "a_ask_micro")
    text = _head(record) + _table({name: getattr(estimate, name) for name in names}, estimate)
    if not depths.depth_half_ticks.size:
        return text
    lines = {"in use": (estimate.kappa_nano / NANO, estimate.a_micro / MICRO)}
    if "kappa_nano" in evidence and "a_micro" in evidence:
        measured = evidence["kappa_nano"] / NANO, evidence["a_micro"] / MICRO
        lines = {"measured fit": measured, **lines}
    fit_range = FitRange()
    if "fit_to_ticks" in evidence:
        fit_range = FitRange(
            from_ticks=evidence["fit_from_ticks"], to_ticks=evidence["fit_to_ticks"]
        )
    plot = arrival_plot(depths, fit_range=fit_range, lines=lines)
    return text + _image(plot, f"arrivals by depth up to epoch {record.epoch}")


def _head(record: RecordedEstimate) -> str:
    estimate = record.estimate
    why = f": {record.reasons}" if record.reasons else ""
    return (
        f"## {record.symbol}, {record.kind} of epoch {record.epoch}\n\n"
        f"**{estimate.verdict.value}**{why}. In use: version {estimate.version}.\n\n"
        f"{_window(estimate)}"
        f"Link `{record.link_hash[:16]}` after `{record.previous_hash[:16]}`.\n\n"
    )


def _window(estimate: Estimate) -> str:
    """Return in words how much was read; nothing where a row does not say."""
    evidence = estimate.evidence
    if "window_slices" not in evidence:
        return ""
    cut = "; older ones were left out, the bound of a window is reached" * evidence["window_cut"]
    runs = evidence["window_runs"]
    return (
        f"Measured on {evidence['window_observed_s']} s of {evidence['window_wanted_s']} s wanted: "
        f"{evidence['window_slices']} closed epochs of {runs} run{'s' * (runs != 1)}{cut}.\n\n"
    )


def _table(in_use: dict[str, int], estimate: Estimate) -> str:
    rows = ["| what | value | unit |", "|---|---:|---|"]
    rows += [_row(f"in use: {name}", name, value) for name, value in in_use.items()]
    rows += [_row(name, name, value) for name, value in sorted(estimate.evidence.items())]
    return "\n".join(rows) + "\n\n"


def _row(label: str, name: str, value: int) -> str:
    scale = next((scale for part, scale in SCALES.items() if part in name), 1)
    unit = next((unit for part, unit in UNITS.items() if name.startswith(part)), "")
    for part in SCALES:
        label = label.replace(part, "")
    shown = f"{value / scale:.6g}" if scale > 1 else str(value)
    return f"| {label} | {shown} | {unit} |"


def _image(svg: str, alt: str) -> str:
    data = base64.b64encode(svg.encode()).decode()
    return f"![{alt}](data:image/svg+xml;base64,{data})\n"

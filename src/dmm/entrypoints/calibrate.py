"""``dmm calibrate``: what a recording says about volatility, arrivals, flow and liquidity."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from pathlib import Path

import numpy as np
from rich.console import Console

from dmm.adapters.feeds import open_tape
from dmm.adapters.feeds.formats import format_of
from dmm.adapters.feeds.prices import open_prices
from dmm.adapters.reports.calibration import Body, calibration_json, print_calibration
from dmm.adapters.reports.calibration_series import series_json
from dmm.calibration.arrival import DEFAULT_RANGE, FIT_TICKS_MAX, FitRange
from dmm.calibration.measure import measure
from dmm.calibration.observation import (
    RAW_READING,
    ArrivalMode,
    Reading,
    hour_reading,
    observe_tape,
)
from dmm.calibration.price_series import measure_series
from dmm.market.tape import FLAWS, TapeReport
from dmm.units.errors import UsageFault

HOUR_SUFFIX = "_update.json"
"""Ends the name of an hour of one-second updates; every other recording is read as raw."""

TABLE_WIDTH = 120

TOLD = (*FLAWS, "silences", "one_level_books")
"""Counters of the tape that a reader of the result must know of."""


def run_calibrate(
    *,
    tape: Sequence[Path],
    fit_range: str | None,
    arrival: str | None,
    tick_size: str | None,
    allow_gaps: bool,
    seed: int,
    as_json: bool,
    symbol: str | None = None,
) -> None:
    """Measure a tape, or prices by the interval, and print the result on stdout.

    Raises
    ------
    UsageFault
        If an option is no range, mode or positive number, or a file cannot be read.
    TapeFault
        If the tape cannot be used.
    """
    asked = DEFAULT_RANGE if fit_range is None else parse_range(fit_range)
    tick = None if tick_size is None else parse_tick(tick_size)
    if not format_of(tape).is_tape:
        if arrival is not None:
            raise UsageFault(f"--arrival {arrival}: prices by the interval hold no trades")
        series = open_prices(tape, tick_size=tick, symbol=symbol)
        found = measure_series(series, rng=np.random.default_rng(seed))
        _print(series_json(found, fit_range=asked), as_json=as_json)
        return
    reading = reading_of(tape, arrival=arrival)
    feed = open_tape(tape, allow_gaps=allow_gaps, tick_size=tick, symbol=symbol)
    seen = observe_tape(feed.events(), reading=reading, allow_flaws=allow_gaps)
    measured = measure(seen, feed.instrument, reading=reading, seed=seed, fit_range=asked)
    _print(calibration_json(measured, tape_warnings=flaws_of(feed.report)), as_json=as_json)


def _print(body: Body, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(body, allow_nan=False) + "\n")
    else:
        console = Console() if sys.stdout.isatty() else Console(width=TABLE_WIDTH)
        print_calibration(body, console)
    sys.stdout.flush()


def parse_range(text: str) -> FitRange:
    """Return the fit range of ``FROM:TO`` in whole ticks.

    Raises
    ------
    UsageFault
        If it is no such pair, does not rise or is too wide.
    """
    match = re.fullmatch(r"(\d{1,9}):(\d{1,9})", text)
    if match is None:
        raise UsageFault(f"--fit-range {text!r} must be FROM:TO in whole ticks, for example 0:20")
    try:
        return FitRange(from_ticks=int(match[1]), to_ticks=int(match[2]))
    except ValueError:
        raise UsageFault(
            f"--fit-range {text} must rise and lie within 0:{FIT_TICKS_MAX}, for example 0:20"
        ) from None


def parse_tick(text: str) -> Decimal:
    """Return a tick size.

    Raises
    ------
    UsageFault
        If it is no positive, finite decimal.
    """
    try:
        tick = Decimal(text)
    except InvalidOperation:
        raise UsageFault(f"--tick-size {text!r} is no number: give quote per base") from None
    if not (tick.is_finite() and tick > 0):
        raise UsageFault(f"--tick-size {text} must be a positive, finite number")
    return tick


def reading_of(tape: Sequence[Path], *, arrival: str | None) -> Reading:
    """Return how a tape is read; `arrival` overrules how its depths are taken.

    Raises
    ------
    UsageFault
        If there is no such way.
    """
    hours = sum(path.name.endswith(HOUR_SUFFIX) for path in tape)
    reading = hour_reading(hours) if hours else RAW_READING
    if arrival is None:
        return reading
    if arrival not in set(ArrivalMode):
        raise UsageFault(f"--arrival {arrival!r} must be {' or '.join(ArrivalMode)}")
    return replace(reading, arrival=ArrivalMode(arrival))


def flaws_of(report: TapeReport) -> tuple[str, ...]:
    """Return what the reader counted and met, in words."""
    counts = {name: int(getattr(report, name)) for name in TOLD}
    counted = [f"{n} {name.replace('_', ' ')} on the tape" for name, n in counts.items() if n]
    return (*counted, *report.warnings)

"""Recordings by path: opened, measured and told apart by their content."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

from dmm.adapters.feeds.binance_head import instrument_of_recording
from dmm.adapters.feeds.binance_hour import (
    SNAPSHOT_SUFFIX,
    TRADES_SUFFIX,
    UPDATE_SUFFIX,
    BinanceHourFeed,
    Hour,
    hour_of,
    instrument_of_hours,
)
from dmm.adapters.feeds.binance_message import STAMP_NS, shown
from dmm.adapters.feeds.binance_raw import BinanceRawFeed
from dmm.adapters.feeds.files import array_elements, digest, gzip_lines, name_of
from dmm.adapters.feeds.findings import Findings
from dmm.ports import Feed
from dmm.units.errors import TapeFault, UsageFault
from dmm.units.ids import Hash32, content_id
from dmm.units.time import NS_PER_MS, Nanos


def open_tape(
    paths: Sequence[Path], *, allow_gaps: bool = False, tick_size: Decimal | None = None
) -> Feed:
    """Open a recording: Binance raw gzip files, or hours named by their ``…_update.json``.

    Parameters
    ----------
    paths : files that continue each other, the earliest first
    allow_gaps : count flaws (gaps, cut lines, clocks running back, crossed books) and play on
    tick_size : quote per base, > 0; None to tell it from the snapshot

    Raises
    ------
    UsageFault
        If a path is missing, a directory or unreadable, or the tick size is not positive.
    TapeFault
        If the content is of no known format, has no snapshot, mixes instruments, or the files are
        in the wrong order.
    """
    if tick_size is not None and not (tick_size.is_finite() and tick_size > 0):
        raise UsageFault(f"tick size must be a positive number, got {tick_size}")
    hours = hours_of(paths)
    if hours:
        instrument = instrument_of_hours(hours, allow_gaps=allow_gaps, tick_size=tick_size)
        return BinanceHourFeed(hours, instrument=instrument, allow_gaps=allow_gaps)
    instrument = instrument_of_recording(paths, allow_gaps=allow_gaps, tick_size=tick_size)
    return BinanceRawFeed(paths, instrument=instrument, allow_gaps=allow_gaps)


def span(paths: Sequence[Path], *, allow_gaps: bool = False) -> tuple[Nanos, Nanos]:
    """Return the received times of a tape's first and last line without decoding what is between.

    Hours have no received time; for them it is the venue's, over updates and trades.

    Parameters
    ----------
    paths, allow_gaps : as for `open_tape`

    Raises
    ------
    UsageFault
        If a path is missing, a directory or unreadable.
    TapeFault
        If a file is of no known format, or ends too early and gaps are not allowed.
    """
    stamps: list[int] = []
    hours = hours_of(paths)
    for hour in hours:
        stamps += _hour_stamps(hour.update, EVENT_TIME, Findings(allow_gaps=allow_gaps))
        stamps += _hour_stamps(hour.trades, TRADE_TIME, Findings(allow_gaps=allow_gaps))
    for path in () if hours else paths:
        stamps += _raw_stamps(path, Findings(allow_gaps=allow_gaps))
    if not stamps:
        raise TapeFault(f"{name_of(paths[0])}: the tape holds no messages")
    return Nanos(min(stamps)), Nanos(max(stamps))


def fingerprint(paths: Sequence[Path]) -> Hash32:
    """Return an id of a tape's content: of the bytes of its files in order, not of their names.

    Raises
    ------
    UsageFault
        If a path is missing, a directory or unreadable.
    """
    hours = hours_of(paths)
    files = [file for hour in hours for file in hour.files] or paths
    return content_id("dmm/tape/v1", *(digest(file) for file in files))


def hours_of(paths: Sequence[Path]) -> list[Hour]:
    """Return the hours that paths name; none when the paths are raw recordings.

    Raises
    ------
    UsageFault
        If there is no path, one is named twice, or an hour is not named by its updates.
    TapeFault
        If formats are mixed, or a JSON file is no part of an hour.
    """
    if not paths:
        raise UsageFault("no tape given: name at least one file")
    if len(set(paths)) < len(paths):
        raise UsageFault("a tape file is named twice: name each once")
    hours = []
    for path in paths:
        if path.name.endswith(UPDATE_SUFFIX):
            hours.append(hour_of(path))
        elif path.name.endswith((SNAPSHOT_SUFFIX, TRADES_SUFFIX)):
            raise UsageFault(f"{path.name} is a part of an hour: name its …{UPDATE_SUFFIX} instead")
    if hours and len(hours) < len(paths):
        raise TapeFault("mixed formats: give hours or raw recordings, not both")
    return hours


EVENT_TIME = re.compile(rb'"E":\s*(\d+)')
TRADE_TIME = re.compile(rb'"T":\s*(\d+)')


def _hour_stamps(path: Path, pattern: re.Pattern[bytes], findings: Findings) -> list[int]:
    findings.open_file(name_of(path), unit="element")
    ends = _ends(array_elements(path, findings))
    found = [pattern.search(element) for element in ends]
    return [int(match[1]) * NS_PER_MS for match in found if match]


def _raw_stamps(path: Path, findings: Findings) -> list[int]:
    findings.open_file(name_of(path))
    ends = _ends(line for lines in gzip_lines(path, findings) for line in lines[:1] + lines[-1:])
    stamps = []
    for line in ends:
        stamp, _space, _rest = line.partition(b" ")
        if len(stamp) not in STAMP_NS or not stamp.isdigit():
            raise findings.fault(f"unknown format: no time at the start of {shown(line)}")
        stamps.append(int(stamp) * STAMP_NS[len(stamp)])
    return stamps


def _ends(items: Iterator[bytes]) -> list[bytes]:
    first = last = None
    for last in items:
        first = first or last
    return [item for item in (first, last) if item is not None]

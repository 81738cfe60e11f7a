"""Recordings by path: opened, measured and told apart by their content."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

from dmm.adapters.feeds.binance_head import instrument_of_recording
from dmm.adapters.feeds.binance_hour import BinanceHourFeed, hour_of, instrument_of_hours
from dmm.adapters.feeds.binance_message import STAMP_NS, shown
from dmm.adapters.feeds.binance_raw import BinanceRawFeed
from dmm.adapters.feeds.binance_trades import BinanceTradesFeed, instrument_of_trades
from dmm.adapters.feeds.coinbase import CoinbaseFeed, instrument_of_coinbase
from dmm.adapters.feeds.files import array_elements, digest, gzip_lines, name_of
from dmm.adapters.feeds.findings import Findings
from dmm.adapters.feeds.formats import Format, format_of
from dmm.adapters.feeds.hyperliquid import HyperliquidFeed
from dmm.adapters.feeds.hyperliquid_files import files_of, instrument_of_files
from dmm.adapters.feeds.native import NativeFeed
from dmm.adapters.feeds.tardis import TardisFeed
from dmm.adapters.feeds.tardis_files import instrument_of_tardis, tardis_files_of
from dmm.market.tape_columns import TapeColumns, columns_of, joined
from dmm.ports import Feed
from dmm.units.errors import TapeFault, UsageFault
from dmm.units.ids import Hash32, content_id
from dmm.units.time import NS_PER_MS, Nanos


def open_tape(
    paths: Sequence[Path],
    *,
    allow_gaps: bool = False,
    tick_size: Decimal | None = None,
    symbol: str | None = None,
    book_from_quotes: bool = False,
) -> Feed:
    """Open a recording; its format is told by its content.

    Parameters
    ----------
    paths : files that continue each other, the earliest first; of formats that keep books, best
        quotes and trades apart, files of each kind
    allow_gaps : count flaws (`dmm.market.tape.FLAWS`) and play on
    tick_size : quote per base, > 0; None to tell it from the content
    symbol : the coin, where neither content nor names tell it
    book_from_quotes : build books of one level from a raw recording's best quotes and leave its
        depth out: for a recording without a snapshot

    Raises
    ------
    UsageFault
        If a path is missing, a directory or unreadable, the tick size is not positive, or an option
        does not fit the format.
    TapeFault
        If the content is of no known format, has no snapshot, mixes instruments, or the files are
        in the wrong order.
    """
    if tick_size is not None and not (tick_size.is_finite() and tick_size > 0):
        raise UsageFault(f"tick size must be a positive number, got {tick_size}")
    found = format_of(paths)
    if book_from_quotes and found is not Format.BINANCE_RAW:
        raise UsageFault(f"--book-from-quotes is for raw recordings, not for {found}")
    match found:
        case Format.BINANCE_RAW:
            instrument = instrument_of_recording(
                paths,
                allow_gaps=allow_gaps,
                tick_size=tick_size,
                book_from_quotes=book_from_quotes,
            )
            return BinanceRawFeed(
                paths,
                instrument=instrument,
                allow_gaps=allow_gaps,
                book_from_quotes=book_from_quotes,
            )
        case Format.NATIVE:
            if tick_size is not None:
                raise UsageFault("a native tape has its tick size: convert its source with another")
            return NativeFeed(paths, allow_gaps=allow_gaps)
        case Format.HYPERLIQUID:
            files = files_of(paths)
            instrument = instrument_of_files(
                files, allow_gaps=allow_gaps, tick_size=tick_size, symbol=symbol
            )
            return HyperliquidFeed(files, instrument=instrument, allow_gaps=allow_gaps)
        case _:
            return _open_other(paths, found, allow_gaps=allow_gaps, tick_size=tick_size)


def _open_other(
    paths: Sequence[Path], found: Format, *, allow_gaps: bool, tick_size: Decimal | None
) -> Feed:
    match found:
        case Format.BINANCE_HOUR:
            hours = [hour_of(path) for path in paths]
            instrument = instrument_of_hours(hours, allow_gaps=allow_gaps, tick_size=tick_size)
            return BinanceHourFeed(hours, instrument=instrument, allow_gaps=allow_gaps)
        case Format.BINANCE_TRADES:
            instrument = instrument_of_trades(paths, allow_gaps=allow_gaps, tick_size=tick_size)
            return BinanceTradesFeed(paths, instrument=instrument, allow_gaps=allow_gaps)
        case Format.TARDIS:
            files = tardis_files_of(paths)
            instrument = instrument_of_tardis(files, allow_gaps=allow_gaps, tick_size=tick_size)
            return TardisFeed(files, instrument=instrument, allow_gaps=allow_gaps)
        case Format.COINBASE:
            instrument = instrument_of_coinbase(paths, allow_gaps=allow_gaps, tick_size=tick_size)
            return CoinbaseFeed(paths, instrument=instrument, allow_gaps=allow_gaps)
        case _:
            raise UsageFault(
                f"{name_of(paths[0])} holds {found}, no tape of events: it has no book to play"
            )


def read_columns(
    paths: Sequence[Path],
    *,
    allow_gaps: bool = False,
    tick_size: Decimal | None = None,
    symbol: str | None = None,
) -> TapeColumns:
    """Return a whole tape as columns: a native one at the speed of memory, any other decoded.

    Parameters
    ----------
    paths, allow_gaps, tick_size, symbol : as for `open_tape`

    Raises
    ------
    UsageFault, TapeFault, ServiceFault
        As for `open_tape`.
    """
    feed = open_tape(paths, allow_gaps=allow_gaps, tick_size=tick_size, symbol=symbol)
    return joined(feed.pieces()) if isinstance(feed, NativeFeed) else columns_of(feed.events())


def span(paths: Sequence[Path], *, allow_gaps: bool = False) -> tuple[Nanos, Nanos]:
    """Return the received times of a tape's first and last line.

    Of raw recordings, hours and native tapes nothing between is decoded; other formats are played.
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
    match format_of(paths):
        case Format.BINANCE_HOUR:
            for hour in map(hour_of, paths):
                stamps += _hour_stamps(hour.update, EVENT_TIME, Findings(allow_gaps=allow_gaps))
                stamps += _hour_stamps(hour.trades, TRADE_TIME, Findings(allow_gaps=allow_gaps))
        case Format.BINANCE_RAW | Format.COINBASE:
            for path in paths:
                stamps += _raw_stamps(path, Findings(allow_gaps=allow_gaps))
        case Format.NATIVE:
            for header in NativeFeed(paths, allow_gaps=allow_gaps).headers:
                stamps += [header.first_ns, header.last_ns]
        case _:
            stamps += _played_stamps(open_tape(paths, allow_gaps=allow_gaps))
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
    return content_id("dmm/tape/v1", *(digest(file) for file in source_files(paths)))


def source_files(paths: Sequence[Path]) -> list[Path]:
    """Return all files that a tape is read from: of an hour three, else those named.

    Raises
    ------
    UsageFault, TapeFault
        As for `format_of`.
    """
    if format_of(paths) is Format.BINANCE_HOUR:
        return [file for path in paths for file in hour_of(path).files]
    return list(paths)


def _played_stamps(feed: Feed) -> list[int]:
    first = last = None
    for event in feed.events():
        last = event.received_at_ns
        first = last if first is None else first
    return [at_ns for at_ns in (first, last) if at_ns is not None]


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

"""What the beginning of a raw Binance recording tells: whose it is, since when, its snapshot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

from dmm.adapters.feeds.binance_instrument import (
    COINM,
    SPOT,
    USDM,
    binance_instrument,
    instrument_of_snapshot,
)
from dmm.adapters.feeds.binance_message import Message, shown, split_line
from dmm.adapters.feeds.files import gzip_lines, name_of
from dmm.adapters.feeds.findings import Findings
from dmm.adapters.feeds.scale import OffGrid
from dmm.adapters.feeds.sequence import NO_SNAPSHOT
from dmm.market.instrument import Instrument
from dmm.units.errors import TapeFault

HEAD_LINES_MAX = 20_000
"""How far into a file its kind, and in the first file its snapshot, are looked for."""

QUOTES_MAX = 5_000
"""Best quotes from which tick and lot are told where the book is built from them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The beginning of one file."""

    path: Path
    first_received_ns: int
    venue: str
    symbol: str
    snapshot: Message | None
    quotes: tuple[Message, ...]
    """The first best quotes, at most `QUOTES_MAX`."""


def instrument_of_recording(
    paths: Sequence[Path],
    *,
    allow_gaps: bool,
    tick_size: Decimal | None,
    book_from_quotes: bool = False,
) -> Instrument:
    """Return what a recording in several files is about, told by their beginnings.

    With `book_from_quotes` no snapshot is needed: tick and lot are those of the best quotes.

    Raises
    ------
    TapeFault
        If a file is no recording, the first has no snapshot, the files are of several instruments
        or in the wrong order.
    UsageFault
        If a file cannot be read.
    """
    heads = [
        read_head(
            path,
            allow_gaps=allow_gaps,
            wants_snapshot=at == 0 and not book_from_quotes,
            wants_quotes=at == 0 and book_from_quotes,
        )
        for at, path in enumerate(paths)
    ]
    first = heads[0]
    for head in heads:
        if (head.venue, head.symbol) != (first.venue, first.symbol):
            raise TapeFault(
                f"mixed instruments: {name_of(first.path)} is {first.symbol} of {first.venue}, "
                f"{name_of(head.path)} is {head.symbol} of {head.venue}; give one tape at a time"
            )
    for head, later in pairwise(heads):
        if later.first_received_ns < head.first_received_ns:
            raise TapeFault(
                f"files in the wrong order: {name_of(later.path)} begins before "
                f"{name_of(head.path)}; name the earlier file first"
            )
    if book_from_quotes:
        return _instrument_of_quotes(first, tick_size=tick_size)
    if first.snapshot is None:
        raise TapeFault(f"{name_of(first.path)}: {NO_SNAPSHOT}")
    findings = Findings(allow_gaps=allow_gaps)
    findings.open_file(name_of(first.path))
    return instrument_of_snapshot(
        first.snapshot,
        venue=first.venue,
        symbol=first.symbol,
        tick_size=tick_size,
        findings=findings,
    )


def _instrument_of_quotes(head: Head, *, tick_size: Decimal | None) -> Instrument:
    name = name_of(head.path)
    if not head.quotes:
        raise TapeFault(f"{name}: no best quotes to build a book from: give the file with its book")
    try:
        return binance_instrument(
            prices=[quote[side] for quote in head.quotes for side in "ba"],
            sizes=[quote[side] for quote in head.quotes for side in "BA"],
            venue=head.venue,
            symbol=head.symbol,
            tick_size=tick_size,
        )
    except (OffGrid, KeyError) as error:
        raise TapeFault(f"{name}: its best quotes are unusable ({error})") from error


def read_head(
    path: Path, *, allow_gaps: bool, wants_snapshot: bool, wants_quotes: bool = False
) -> Head:
    """Read a file up to its first depth update, and on to its snapshot or quotes when wanted.

    Raises
    ------
    TapeFault
        If it is no raw recording of Binance.
    UsageFault
        If it cannot be read.
    """
    findings = Findings(allow_gaps=allow_gaps)
    findings.open_file(name_of(path))
    first_received_ns: int | None = None
    depth: Message | None = None
    snapshot: Message | None = None
    quotes: list[Message] = []
    for received_ns, message in _messages(path, findings):
        if first_received_ns is None:
            first_received_ns = received_ns
        if "lastUpdateId" in message and snapshot is None:
            snapshot = message
        elif depth is None and "@depth" in str(message.get("stream")):
            depth = message.get("data")
        elif wants_quotes and "@bookTicker" in str(message.get("stream")):
            quotes.append(message.get("data") or {})
        has_quotes = len(quotes) >= QUOTES_MAX or not wants_quotes
        if isinstance(depth, dict) and has_quotes and (snapshot or not wants_snapshot):
            break
    if first_received_ns is None or not isinstance(depth, dict) or "s" not in depth:
        raise findings.fault(f"no depth update among its first {HEAD_LINES_MAX} lines: {FORMAT}")
    return Head(
        path=path,
        first_received_ns=first_received_ns,
        venue=COINM if "ps" in depth else USDM if "pu" in depth else SPOT,
        symbol=str(depth["s"]),
        snapshot=snapshot,
        quotes=tuple(quotes),
    )


FORMAT = "expected lines of `<time> <json>` as Binance's WebSocket sends them"


def _messages(path: Path, findings: Findings) -> Iterator[tuple[int, Message]]:
    for lines in gzip_lines(path, findings):
        for line in lines:
            findings.position += 1
            if findings.position > HEAD_LINES_MAX:
                return
            try:
                yield split_line(line)
            except ValueError:
                if findings.position == 1:
                    raise findings.fault(f"unknown format {shown(line)}: {FORMAT}") from None
    findings.position = 0  # what follows is about the file, not its last line

"""Which files of a Tardis tape are which, and what they are about."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import islice, pairwise
from pathlib import Path

from dmm.adapters.feeds.binance_instrument import COINM, SPOT, USDM, binance_instrument
from dmm.adapters.feeds.files import name_of
from dmm.adapters.feeds.findings import Findings
from dmm.adapters.feeds.rows import header_of, rows_of
from dmm.adapters.feeds.scale import OffGrid, plain
from dmm.adapters.feeds.tardis import (
    BOOK_COLUMNS,
    QUOTE_COLUMNS,
    TRADE_COLUMNS,
    WHOSE,
    TardisFiles,
)
from dmm.market.instrument import Instrument
from dmm.units.errors import TapeFault

VENUES = {
    "binance": SPOT,
    "binance-futures": USDM,
    "binance-delivery": COINM,
    "binance-us": "binance-us",
    "bybit-spot": "bybit-spot",
    "coinbase": "coinbase",
    "kraken": "kraken",
}
"""Tardis's names of the venues whose sizes we understand, and ours."""

HEAD_ROWS_MAX = 20_000
"""Rows from which tick and lot are told."""

KINDS = (("books", BOOK_COLUMNS), ("trades", TRADE_COLUMNS), ("quotes", QUOTE_COLUMNS))


def tardis_files_of(paths: Sequence[Path]) -> TardisFiles:
    """Return the files by kind.

    Raises
    ------
    TapeFault
        If a file is of no kind we read, or those of a kind are in the wrong order.
    """
    kinds: dict[str, list[Path]] = {"books": [], "quotes": [], "trades": []}
    for path in paths:
        kinds[_kind_of(path)[0]].append(path)
    for files in kinds.values():
        for (before, before_row), (after, after_row) in pairwise((p, _first(p)) for p in files):
            if after_row[3].rjust(20, "0") < before_row[3].rjust(20, "0"):
                raise TapeFault(
                    f"files in the wrong order: {name_of(after)} begins before {name_of(before)}; "
                    "name the earlier file first"
                )
    return TardisFiles(**{kind: tuple(files) for kind, files in kinds.items()})


def instrument_of_tardis(
    files: TardisFiles, *, allow_gaps: bool, tick_size: Decimal | None
) -> Instrument:
    """Return what the files are about: venue and symbol by their rows, tick and lot likewise.

    Raises
    ------
    TapeFault
        If the venue is not understood, the files are of several instruments, or the numbers are
        unusable.
    """
    paths = (*files.books, *files.trades, *files.quotes)
    whose = {tuple(_first(path)[:2]): path for path in paths}
    if len(whose) > 1:
        raise TapeFault(
            f"mixed instruments: {', '.join(' '.join(key) for key in whose)}; give one tape at a "
            "time"
        )
    ((exchange, symbol), path), *_ = whose.items()
    if exchange not in VENUES:
        raise TapeFault(
            f"{name_of(path)}: venue {exchange!r} has sizes in units unknown here; known: "
            f"{', '.join(VENUES)}"
        )
    findings = Findings(allow_gaps=allow_gaps)
    prices, sizes = _head(paths[0], findings)
    try:
        return binance_instrument(
            prices=[plain(price) for price in prices],
            sizes=[plain(size) for size in sizes],
            venue=VENUES[exchange],
            symbol=symbol.upper(),
            tick_size=tick_size,
        )
    except OffGrid as error:
        raise findings.fault(str(error)) from error


def _kind_of(path: Path) -> tuple[str, tuple[str, ...]]:
    columns = set(header_of(path).decode("utf-8", errors="replace").split(","))
    for kind, wanted in KINDS:
        if columns >= set(wanted):
            return kind, wanted
    raise TapeFault(
        f"{name_of(path)}: neither incremental_book_L2, trades, book_ticker nor quotes of Tardis"
    )


def _first(path: Path) -> Sequence[str]:
    findings = Findings(allow_gaps=True)
    for row in rows_of(path, WHOSE, findings):
        if not row[3].isdigit():
            raise findings.fault(f"local_timestamp {row[3]!r} is no number of microseconds")
        return row
    raise findings.fault("no rows: leave the file out")


def _head(path: Path, findings: Findings) -> tuple[list[str], list[str]]:
    kind, columns = _kind_of(path)
    rows = list(islice(rows_of(path, columns, findings), HEAD_ROWS_MAX))
    pairs = ((4, 5), (6, 7)) if kind == "quotes" else ((6, 7),)
    prices = [row[price] for row in rows for price, _size in pairs if row[price]]
    sizes = [row[size] for row in rows for _price, size in pairs if row[size]]
    return prices, sizes

"""Which files of a Hyperliquid tape are which, and what they are about."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import islice, pairwise
from pathlib import Path

from dmm.adapters.feeds.binance_instrument import asset
from dmm.adapters.feeds.files import name_of
from dmm.adapters.feeds.findings import Findings
from dmm.adapters.feeds.hyperliquid import (
    ASKS_AT,
    BIDS_AT,
    BOOK_COLUMNS,
    QUOTE_COLUMNS,
    TRADE_COLUMNS,
    HyperliquidFiles,
    seconds,
)
from dmm.adapters.feeds.messages import understood
from dmm.adapters.feeds.parquet import is_parquet, schema_of
from dmm.adapters.feeds.rows import header_of, rows_of
from dmm.adapters.feeds.scale import OffGrid, decimals_of, plain, power_of_ten_below, step_of
from dmm.market.instrument import ContractKind, Instrument
from dmm.units.errors import TapeFault, UsageFault

VENUE = "hyperliquid"
QUOTE = "USDC"
COINS = ("BTC", "ETH", "SOL", "HYPE", "XRP", "DOGE", "BNB", "TON", "AVAX", "LINK")
"""Coins that are recognised in a folder's name; any other is named by its file or the caller."""

KNOWN_STEPS = {"BTC": ("1", "0.00001"), "ETH": ("0.1", "0.0001")}
"""Ticks of five significant digits at present prices, and the venue's size decimals."""

NAMED_COIN = re.compile(r"(?:orderbooks|prices|trades)_([A-Za-z][A-Za-z0-9]*)\.")
HEAD_ROWS_MAX = 20_000
"""Rows from which tick and lot are told."""


def files_of(paths: Sequence[Path]) -> HyperliquidFiles:
    """Return the files by kind.

    Raises
    ------
    TapeFault
        If a file is of no kind, or those of a kind are in the wrong order.
    """
    kinds: dict[str, list[Path]] = {"books": [], "quotes": [], "trades": []}
    for path in paths:
        kinds[_kind_of(path)].append(path)
    for files in kinds.values():
        for (before, before_ns), (after, after_ns) in pairwise(
            (path, _first_received_ns(path)) for path in files
        ):
            if after_ns < before_ns:
                raise TapeFault(
                    f"files in the wrong order: {name_of(after)} begins before {name_of(before)}; "
                    "name the earlier file first"
                )
    return HyperliquidFiles(**{kind: tuple(files) for kind, files in kinds.items()})


def instrument_of_files(
    files: HyperliquidFiles,
    *,
    allow_gaps: bool,
    tick_size: Decimal | None,
    symbol: str | None,
) -> Instrument:
    """Return what the files are about: coin by name, tick and lot by the first rows.

    Parameters
    ----------
    files : by kind
    tick_size : quote per base, > 0; None for the known or the common one
    symbol : the coin; None to tell it from the files' names

    Raises
    ------
    UsageFault
        If no name tells the coin.
    TapeFault
        If the names tell several, or the numbers are unusable.
    """
    paths = (*files.books, *files.quotes, *files.trades)
    coin = symbol or _coin_of(paths)
    findings = Findings(allow_gaps=allow_gaps)
    prices, sizes = _head(paths[0], findings)
    known = KNOWN_STEPS.get(coin, (None, None))
    try:
        tick = tick_size or step_of(prices, known=known[0], what="price")
        lot = power_of_ten_below(step_of(sizes, known=known[1], what="size"))
    except OffGrid as error:
        raise findings.fault(str(error)) from error
    return Instrument(
        symbol=coin,
        venue=VENUE,
        kind=ContractKind.LINEAR,
        position=asset(coin, decimals=decimals_of(lot)),
        cash=asset(QUOTE, decimals=decimals_of(tick * lot)),
        tick_size=tick,
        lot_size=lot,
    )


def _kind_of(path: Path) -> str:
    if is_parquet(path):
        columns, _metadata = schema_of(path, Findings(allow_gaps=False))
    else:
        columns = frozenset(header_of(path).decode("utf-8", errors="replace").split(","))
    for kind, wanted in (("books", BOOK_COLUMNS), ("trades", TRADE_COLUMNS)):
        if columns >= set(wanted):
            return kind
    if columns >= set(QUOTE_COLUMNS):
        return "quotes"
    raise TapeFault(
        f"{name_of(path)}: neither books, best quotes nor trades of {VENUE}: its columns are "
        f"{', '.join(sorted(columns)[:10])}"
    )


def _first_received_ns(path: Path) -> int:
    findings = Findings(allow_gaps=True)
    for row in rows_of(path, QUOTE_COLUMNS[:1], findings):
        return understood(lambda row: seconds(row[0]), row, findings)
    raise findings.fault("no rows: leave the file out")


def _coin_of(paths: Iterable[Path]) -> str:
    coins: dict[str, Path] = {}
    for path in paths:
        named = NAMED_COIN.match(path.name)
        parts = re.split(r"[^A-Za-z0-9]+", path.absolute().parent.name.upper())
        coin = named[1].upper() if named else next((part for part in parts if part in COINS), None)
        if coin is None:
            raise UsageFault(
                f"{name_of(path)}: neither its name nor its folder's tells the coin: name it "
                "with --symbol"
            )
        coins[coin] = path
    if len(coins) > 1:
        (one, first), (other, second) = list(coins.items())[:2]
        raise TapeFault(
            f"mixed instruments: {name_of(first)} is {one}, {name_of(second)} is {other}; "
            "give one tape at a time"
        )
    return next(iter(coins))


def _head(path: Path, findings: Findings) -> tuple[list[str], list[str]]:
    is_book = _kind_of(path) == "books"
    columns = BOOK_COLUMNS if is_book else QUOTE_COLUMNS
    prices: list[str] = []
    sizes: list[str] = []
    for row in islice(rows_of(path, columns, findings), HEAD_ROWS_MAX):
        cells = row[BIDS_AT : ASKS_AT + ASKS_AT - BIDS_AT] if is_book else row[2:4]
        prices += [understood(lambda cell: plain(cell[0]), [cell], findings) for cell in cells[::2]]
        sizes += [understood(lambda cell: plain(cell[0]), [cell], findings) for cell in cells[1::2]]
    return prices, sizes

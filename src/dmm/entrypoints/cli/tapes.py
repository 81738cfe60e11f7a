"""Commands about recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dmm.entrypoints.cli.app import AsJson, reported, tapes

TapePaths = Annotated[
    list[Path], typer.Argument(help="Files that continue each other, the earliest first.")
]


AllowGaps = Annotated[
    bool, typer.Option("--allow-gaps", help="Count flaws and read on instead of refusing the tape.")
]


TickSize = Annotated[
    str | None, typer.Option("--tick-size", help="Quote per base; told by the content otherwise.")
]


Coin = Annotated[
    str | None, typer.Option("--symbol", help="The coin, where neither content nor names tell it.")
]


FromQuotes = Annotated[
    bool,
    typer.Option(
        "--book-from-quotes", help="Raw recordings without a snapshot: books of one level."
    ),
]


@tapes.command("info")
@reported
def tape_info(
    paths: TapePaths,
    allow_gaps: AllowGaps = False,
    tick_size: TickSize = None,
    symbol: Coin = None,
    book_from_quotes: FromQuotes = False,
    as_json: AsJson = False,
) -> None:
    """Read a recording to its end: instrument, span, counts, flaws, clock offset, quotes."""
    from dmm.entrypoints.tape import run_info

    run_info(
        paths,
        allow_gaps=allow_gaps,
        tick_size=tick_size,
        symbol=symbol,
        book_from_quotes=book_from_quotes,
        as_json=as_json,
    )


@tapes.command("convert")
@reported
def tape_convert(
    paths: TapePaths,
    out: Annotated[Path, typer.Option("--out", help="The native tape to make.")],
    allow_gaps: AllowGaps = False,
    tick_size: TickSize = None,
    symbol: Coin = None,
    book_from_quotes: FromQuotes = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    as_json: AsJson = False,
) -> None:
    """Convert a recording to columns in parquet with zstd; whole or not at all."""
    from dmm.entrypoints.tape import run_convert

    run_convert(
        paths,
        out=out,
        allow_gaps=allow_gaps,
        tick_size=tick_size,
        symbol=symbol,
        book_from_quotes=book_from_quotes,
        force=force,
        as_json=as_json,
    )


@tapes.command("record")
@reported
def tape_record(
    venue: Annotated[str, typer.Option("--venue", help="binance-spot, binance-usdm or coinbase.")],
    symbol: Annotated[str, typer.Option("--symbol", help="Such as BTCUSDT; coinbase: BTC-USD.")],
    out: Annotated[Path, typer.Option("--out", help="The file to make; never replaced.")],
    seconds: Annotated[
        float | None, typer.Option("--seconds", help="How long; until Ctrl-C unless given.")
    ] = None,
    streams: Annotated[
        str, typer.Option("--streams", help="Some of depth,trades,bookTicker, with depth.")
    ] = "depth,trades,bookTicker",
    url: Annotated[
        str, typer.Option("--url", help="Another WebSocket server: ws:// or wss://.")
    ] = "",
    rest_url: Annotated[
        str, typer.Option("--rest-url", help="Another REST server: http:// or https://.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Record a venue's public messages as they come, through gaps and reconnects."""
    from dmm.entrypoints.record import RecordRequest, run_record

    request = RecordRequest(
        venue=venue,
        symbol=symbol,
        out=out,
        seconds=seconds,
        streams=streams,
        url=url,
        rest_url=rest_url,
    )
    run_record(request, as_json=as_json)

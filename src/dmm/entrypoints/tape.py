"""``dmm tape info`` and ``dmm tape convert``: what recordings hold, and our own form of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path

import typer

from dmm.adapters.feeds.formats import Format, format_of
from dmm.adapters.feeds.native_write import write_tape
from dmm.adapters.feeds.summary import Summary, summary_of
from dmm.adapters.feeds.tape import open_tape, source_files
from dmm.units.errors import UsageFault

LABEL_WIDTH = 18


def run_info(
    paths: Sequence[Path],
    *,
    allow_gaps: bool,
    tick_size: str | None,
    symbol: str | None,
    book_from_quotes: bool,
    as_json: bool,
) -> None:
    """Read files to their end and print what they hold.

    Raises
    ------
    UsageFault, TapeFault, ServiceFault
        As for `dmm.adapters.feeds.open_tape`.
    """
    summary = summary_of(
        paths,
        allow_gaps=allow_gaps,
        tick_size=decimal(tick_size),
        symbol=symbol,
        book_from_quotes=book_from_quotes,
    )
    if as_json:
        typer.echo(json.dumps(summary))
        return
    for line in lines_of(summary):
        typer.echo(line)


def run_convert(
    paths: Sequence[Path],
    *,
    out: Path,
    allow_gaps: bool,
    tick_size: str | None,
    symbol: str | None,
    book_from_quotes: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Convert a tape to a native one and print what was written.

    Raises
    ------
    UsageFault
        If the file exists and `force` is not given, is one of the sources, or cannot be written.
    TapeFault, ServiceFault
        As for `dmm.adapters.feeds.open_tape`.
    """
    if out.exists() and not force:  # said before the tape is read, not after
        raise UsageFault(f"{out} exists: name another file or give --force")
    sources = source_files(paths)
    if out.exists() and any(source.exists() and out.samefile(source) for source in sources):
        raise UsageFault(f"{out} is the tape itself: name another file with --out")
    if format_of(paths) is Format.NATIVE and len(paths) == 1:
        raise UsageFault(f"{paths[0].name} is a native tape already: copy it")
    feed = open_tape(
        paths,
        allow_gaps=allow_gaps,
        tick_size=decimal(tick_size),
        symbol=symbol,
        book_from_quotes=book_from_quotes,
    )
    written = write_tape(feed, out, sources=sources, is_replacing=force)
    figures = {
        "file": str(out),
        "messages": written.messages,
        "rows": written.rows,
        "bytes": written.bytes,
        "warnings": feed.report.warnings,
    }
    if as_json:
        typer.echo(json.dumps(figures))
        return
    typer.echo(
        f"{out}: {written.messages} messages, {written.rows} rows, {written.bytes} bytes"
        + (f", {len(feed.report.warnings)} warnings" if feed.report.warnings else "")
    )
    for warning in feed.report.warnings:
        typer.echo(f"  {warning}", err=True)


def decimal(text: str | None) -> Decimal | None:
    """Return an option's number; `UsageFault` if it is none."""
    try:
        return None if text is None else Decimal(text)
    except InvalidOperation:
        raise UsageFault(f"--tick-size {text!r} is no decimal number") from None


def lines_of(summary: Summary) -> list[str]:
    """Return a summary as lines for people: what is zero or empty is left out."""
    lines = []
    for key, value in summary.items():
        if key == "warnings":
            lines += [f"{'warning':>{LABEL_WIDTH}}  {warning}" for warning in value]
        elif isinstance(value, dict):
            shown = ", ".join(f"{name} {part}" for name, part in value.items() if part)
            lines.append(f"{key:>{LABEL_WIDTH}}  {shown or 'none'}")
        elif isinstance(value, list):
            lines.append(f"{key:>{LABEL_WIDTH}}  {', '.join(map(str, value))}")
        elif value is not None:
            lines.append(f"{key:>{LABEL_WIDTH}}  {value}")
    return lines

"""Rows of CSV files (plain or gzip) and parquet files, streamed, as texts by column.

A number of a parquet file becomes its shortest decimal text, so that both kinds of files meet the
same exact conversion to ticks and lots.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from dmm.adapters.feeds.files import GZIP_MAGIC, LINE_BYTES_MAX, gzip_lines, name_of, read_pieces
from dmm.adapters.feeds.findings import Findings
from dmm.adapters.feeds.parquet import batches, is_parquet

Row: TypeAlias = Sequence[str]
"""The texts of the columns asked for, in that order."""

HEADER_BYTES_MAX = 1 << 16


def rows_of(path: Path, columns: Sequence[str], findings: Findings) -> Iterator[Row]:
    """Yield a file's rows; `findings.position` is the row's line (CSV) or row (parquet).

    Parameters
    ----------
    path : the file
    columns : names of the columns wanted, all of which it must have
    findings : stands at the file while it is read

    Raises
    ------
    TapeFault
        If a column is missing, the file is damaged, or a line is cut and gaps are not allowed.
    UsageFault
        If it cannot be read.
    """
    if is_parquet(path):
        findings.open_file(name_of(path), unit="row")
        for batch in batches(path, columns, findings):
            texts = [
                [value if isinstance(value, str) else repr(value) for value in column]
                for column in batch
            ]
            for row in zip(*texts, strict=True):
                findings.position += 1
                yield row
        return
    findings.open_file(name_of(path))
    yield from _csv_rows(path, columns, findings)


def _csv_rows(path: Path, columns: Sequence[str], findings: Findings) -> Iterator[Row]:
    width = 0
    at: list[int] = []
    for lines in text_lines(path, findings):
        for line in lines:
            findings.position += 1
            cells = line.decode("utf-8", errors="replace").rstrip("\r").split(",")
            if not width:
                width = len(cells)
                at = _places(cells, columns, findings)
            elif len(cells) == width:
                findings.report.messages += 1
                yield [cells[place] for place in at]
            else:
                findings.report.messages += 1
                findings.meet(
                    "truncated_lines", f"the line has {len(cells)} of {width} columns: it is cut"
                )
    if not width:
        raise findings.fault("the file is empty: fetch it again")


def _places(header: list[str], columns: Sequence[str], findings: Findings) -> list[int]:
    missing = [name for name in columns if name not in header]
    if missing:
        raise findings.fault(f"no column {', '.join(missing)}: expected {', '.join(columns)}")
    return [header.index(name) for name in columns]


def text_lines(path: Path, findings: Findings) -> Iterator[list[bytes]]:
    """Yield the lines of a plain or gzip text file, in lists; empty lines are left out.

    Raises
    ------
    TapeFault
        If a line is beyond `LINE_BYTES_MAX`; for a gzip, what `gzip_lines` raises.
    UsageFault
        If it cannot be read.
    """
    if next(read_pieces(path), b"").startswith(GZIP_MAGIC):
        yield from gzip_lines(path, findings)
        return
    rest = b""
    for piece in read_pieces(path):
        lines = (rest + piece).split(b"\n")
        rest = lines.pop()
        if len(rest) > LINE_BYTES_MAX:
            raise findings.fault(f"a line is longer than {LINE_BYTES_MAX} bytes: not a table")
        yield [line for line in lines if line]
    if rest:
        yield [rest]


def header_of(path: Path) -> bytes:
    """Return the beginning of a file's first line, unpacked, without its newline.

    Raises
    ------
    UsageFault
        If it cannot be read.
    """
    piece = next(read_pieces(path), b"")
    if piece.startswith(GZIP_MAGIC):
        try:
            piece = zlib.decompressobj(wbits=31).decompress(piece, HEADER_BYTES_MAX)
        except zlib.error:
            return b""
    return piece[:HEADER_BYTES_MAX].partition(b"\n")[0].rstrip(b"\r")

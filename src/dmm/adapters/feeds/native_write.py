"""Writing native tapes: streamed, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dmm.adapters.feeds.files import digest
from dmm.adapters.feeds.native import (
    HEADER_KEY,
    MESSAGES_MAX,
    ROWS_MAX,
    NativeHeader,
    native_schema,
    record_batch,
)
from dmm.adapters.feeds.parquet import arrow
from dmm.market.instrument_history import InstrumentHistory
from dmm.market.tape_columns import TapeColumns, pieces_of
from dmm.ports import Feed
from dmm.units.errors import TapeFault, UsageFault

ZSTD_LEVEL = 3
PARTIAL = ".partial"


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """What was written."""

    messages: int
    rows: int
    bytes: int


def write_tape(
    feed: Feed, out: Path, *, sources: Sequence[Path], is_replacing: bool = False
) -> Converted:
    """Play a feed into a native tape; `out` appears whole at the end or not at all.

    Parameters
    ----------
    feed : played once
    out : the file to make
    sources : the files behind the feed; their content's id goes into the header
    is_replacing : whether an existing file may be replaced

    Raises
    ------
    UsageFault
        If `out` exists and may not be replaced, or cannot be written.
    TapeFault
        What the feed raises; if it holds no events.
    """
    if out.exists() and not is_replacing:
        raise UsageFault(f"{out} exists: name another file or give --force")
    partial = out.with_name(f".{out.name}.{os.getpid()}{PARTIAL}")
    try:
        written = _write(feed, partial, sources=sources)
        if is_replacing:
            partial.replace(out)
        else:
            out.hardlink_to(partial)  # fails where another process was faster
    except FileExistsError:
        raise UsageFault(f"{out} exists: name another file or give --force") from None
    except OSError as error:
        raise UsageFault(f"cannot write {out}: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
    return written


def _write(feed: Feed, path: Path, *, sources: Sequence[Path]) -> Converted:
    totals = _Totals()
    with arrow().parquet.ParquetWriter(
        path,
        native_schema(),
        compression="zstd",
        compression_level=ZSTD_LEVEL,
        write_page_checksum=True,
    ) as writer:
        pieces = pieces_of(feed.events(), messages_max=MESSAGES_MAX, rows_max=ROWS_MAX)
        for columns in totals.counted(pieces):
            writer.write_batch(record_batch(columns))
        if not totals.messages:
            raise TapeFault("the tape holds no events, so there is nothing to convert")
        header = NativeHeader(
            history=InstrumentHistory(versions=(feed.instrument,)),
            report=feed.report,
            source={
                "files": [source.name for source in sources],
                "sha256": [digest(source).hex() for source in sources],
            },
            messages=totals.messages,
            rows=totals.rows,
            first_ns=totals.first_ns,
            last_ns=totals.last_ns,
        )
        writer.add_key_value_metadata({HEADER_KEY: header.to_bytes()})
    _sync(path)
    return Converted(messages=totals.messages, rows=totals.rows, bytes=path.stat().st_size)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


@dataclass(slots=True, kw_only=True)
class _Totals:
    """What passed on its way to the file."""

    messages: int = 0
    rows: int = 0
    first_ns: int = 0
    last_ns: int = 0

    def counted(self, pieces: Iterable[TapeColumns]) -> Iterator[Any]:
        for columns in pieces:
            if not self.messages:
                self.first_ns = int(columns.received_at_ns[0])
            self.messages += columns.messages
            self.rows += columns.rows
            self.last_ns = int(columns.received_at_ns[-1])
            yield columns

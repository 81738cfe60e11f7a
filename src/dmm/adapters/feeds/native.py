"""Our own tape: columns in a parquet file with zstd, a row for each message.

What a tape holds of levels, sides and trades lies in list columns, so that a message is never torn
apart and the flat values come back as arrays. The file's metadata carries the instrument's
versions, what reading the source found, and the id of the source's bytes: a converted tape does
not lose its flaws. Pages carry checksums.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, cast

import numpy as np

from dmm.adapters.feeds.files import name_of
from dmm.adapters.feeds.findings import Findings
from dmm.adapters.feeds.parquet import arrow, arrow_batches, schema_of
from dmm.market.instrument import Instrument
from dmm.market.instrument_history import InstrumentHistory
from dmm.market.tape import FLAWS, NOTES, FeedEvent, TapeReport
from dmm.market.tape_columns import (
    MESSAGE_COLUMNS,
    ROW_COLUMNS,
    TYPES,
    MessageKind,
    TapeColumns,
)
from dmm.units.errors import Fault, TapeFault
from dmm.units.ids import Json

HEADER_KEY = b"dmm.tape"
VERSION = 1
MESSAGES_MAX = 1 << 16
"""Messages of a row group."""

ROWS_MAX = 1 << 18
"""Levels and trades of a row group, but for the message that reaches it."""

COLUMNS = (*MESSAGE_COLUMNS, *ROW_COLUMNS)


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeHeader:
    """What a native tape says of itself."""

    history: InstrumentHistory
    report: TapeReport
    source: dict[str, Json]
    messages: int
    rows: int
    first_ns: int
    last_ns: int

    @property
    def instrument(self) -> Instrument:
        """Return the version that holds at the tape's beginning."""
        return self.history.at(max(self.first_ns, self.history.versions[0].valid_from_ns))

    def to_bytes(self) -> bytes:
        """Return the header as it stands in the file's metadata."""
        body = {
            "version": VERSION,
            "instruments": self.history.to_json(),
            "report": asdict(self.report),
            "source": self.source,
        }
        counts = {name: getattr(self, name) for name in ("messages", "rows", "first_ns", "last_ns")}
        return json.dumps(body | counts, sort_keys=True).encode()


def read_header(path: Path, findings: Findings) -> NativeHeader:
    """Return a native tape's header.

    Raises
    ------
    TapeFault
        If the file is damaged, or no native tape of this version.
    """
    findings.open_file(name_of(path), unit="message")
    _columns, metadata = schema_of(path, findings)
    try:
        body = json.loads(metadata[HEADER_KEY])
        if body["version"] != VERSION:
            raise findings.fault(
                f"a native tape of version {body['version']}, known is {VERSION}: convert its "
                "source again"
            )
        known = {field.name for field in fields(TapeReport)}
        return NativeHeader(
            history=InstrumentHistory.from_json(body["instruments"]),
            report=TapeReport(**{k: v for k, v in body["report"].items() if k in known}),
            source=body["source"],
            **{name: int(body[name]) for name in ("messages", "rows", "first_ns", "last_ns")},
        )
    except (KeyError, TypeError, ValueError, AttributeError, Fault) as error:
        if isinstance(error, TapeFault):
            raise
        raise findings.fault(f"no native tape ({error!r}): convert its source again") from error


def read_pieces_of(path: Path, findings: Findings) -> Iterator[TapeColumns]:
    """Yield a native tape in pieces of bounded size.

    Raises
    ------
    TapeFault
        If the file is damaged, or holds what no feed can have left.
    """
    findings.open_file(name_of(path), unit="message")
    for batch in arrow_batches(path, COLUMNS, findings):
        try:
            columns = _columns_of(batch)
            columns.require_sound()
        except (ValueError, TypeError) as error:
            raise findings.fault(f"unsound columns ({error}): convert its source again") from error
        yield columns
        findings.position += columns.messages


def _columns_of(batch: Any) -> TapeColumns:
    arrays: dict[str, Any] = {}
    starts = None
    for name in COLUMNS:
        column = batch.column(name)
        if column.null_count:
            raise ValueError(f"column {name} has empty cells")
        if name in ROW_COLUMNS:
            offsets = _array(column.offsets, np.int32).astype(np.int64)
            offsets -= offsets[0]
            if starts is not None and not np.array_equal(starts, offsets):
                raise ValueError("its list columns differ in length")
            starts = offsets
            column = column.flatten()
        arrays[name] = _array(column, TYPES.get(name, np.int64))
    return TapeColumns(starts=cast("Any", starts), **arrays)


def _array(column: Any, dtype: Any) -> Any:
    # The buffers themselves: pyarrow's own conversion would load pandas first.
    if column.type.bit_width != np.dtype(dtype).itemsize * 8:
        raise TypeError(f"a column has type {column.type}")
    if not len(column):
        return np.zeros(0, dtype=dtype)
    return np.frombuffer(
        column.buffers()[1],
        dtype=dtype,
        count=len(column),
        offset=column.offset * np.dtype(dtype).itemsize,
    )


def record_batch(columns: TapeColumns) -> Any:
    """Return a piece as a record batch of the native format."""
    pa, schema = arrow(), native_schema()
    starts = np.ascontiguousarray(columns.starts, dtype=np.int32)
    arrays = []
    for name in COLUMNS:
        values = np.ascontiguousarray(getattr(columns, name))
        kind = schema.field(name).type
        plain = kind.value_type if name in ROW_COLUMNS else kind
        array = pa.Array.from_buffers(plain, len(values), [None, pa.py_buffer(values)])
        if name in ROW_COLUMNS:
            array = pa.Array.from_buffers(
                kind, columns.messages, [None, pa.py_buffer(starts)], children=[array]
            )
        arrays.append(array)
    return pa.record_batch(arrays, schema=schema)


def native_schema() -> Any:
    """Return the schema of the native format."""
    pa = arrow()
    plain = {np.int64: pa.int64(), np.int8: pa.int8()}
    types = {name: plain[TYPES.get(name, np.int64)] for name in COLUMNS}
    return pa.schema(
        [
            pa.field(name, pa.list_(kind) if name in ROW_COLUMNS else kind, nullable=False)
            for name, kind in types.items()
        ]
    )


class NativeFeed:
    """One or several native tapes that follow each other; a `dmm.ports.Feed`.

    The report is the source's own, flaws included; books, quotes and trades are counted anew.
    """

    def __init__(self, paths: Sequence[Path], *, allow_gaps: bool) -> None:
        self._paths = tuple(paths)
        self._allow_gaps = allow_gaps
        self._headers = [read_header(path, Findings(allow_gaps=False)) for path in paths]
        self._require_succession()
        self._instrument = self._headers[0].instrument
        self._start()

    @property
    def instrument(self) -> Instrument:
        """Return what the tape is about, in the version of its beginning."""
        return self._instrument

    @property
    def report(self) -> TapeReport:
        """Return what the source's reading found and the present one counted so far."""
        return self._report

    @property
    def headers(self) -> tuple[NativeHeader, ...]:
        """Return what the files say of themselves."""
        return tuple(self._headers)

    def pieces(self) -> Iterator[TapeColumns]:
        """Yield the columns in pieces of bounded size; each call reads the files anew.

        Raises
        ------
        TapeFault
            If a file is damaged or does not hold what its header says; if its source had flaws
            and gaps are not allowed.
        """
        self._start()
        for path, header in zip(self._paths, self._headers, strict=True):
            findings = Findings(allow_gaps=self._allow_gaps)
            findings.open_file(name_of(path))
            self._require_flawless(header, findings)
            messages = rows = 0
            for columns in read_pieces_of(path, findings):
                messages += columns.messages
                rows += columns.rows
                self._count(columns)
                yield columns
            if (messages, rows) != (header.messages, header.rows):
                raise findings.fault(
                    f"holds {messages} messages with {rows} rows, its header says "
                    f"{header.messages} with {header.rows}: convert its source again"
                )

    def events(self) -> Iterator[FeedEvent]:
        """Yield the events exactly as the source's feed did.

        Raises
        ------
        TapeFault
            As for `pieces`.
        """
        for columns in self.pieces():
            yield from columns.events()

    def _start(self) -> None:
        self._report = report = TapeReport()
        for header in self._headers:
            for name in (*FLAWS, *NOTES, *CARRIED):
                setattr(report, name, getattr(report, name) + getattr(header.report, name))
            report.warnings += header.report.warnings
        report.clock_offset_ms = self._headers[0].report.clock_offset_ms

    def _count(self, columns: TapeColumns) -> None:
        counts = np.bincount(columns.kind, minlength=len(MessageKind)).tolist()
        self._report.trades += counts[MessageKind.TRADE]
        self._report.best_quotes += counts[MessageKind.QUOTE]
        self._report.snapshots += counts[MessageKind.SNAPSHOT]
        self._report.depth_updates += counts[MessageKind.SNAPSHOT] + counts[MessageKind.UPDATE]

    def _require_flawless(self, header: NativeHeader, findings: Findings) -> None:
        found = {name: getattr(header.report, name) for name in FLAWS}
        if any(found.values()) and not self._allow_gaps:
            text = ", ".join(f"{count} {name}" for name, count in found.items() if count)
            raise findings.fault(f"its source had {text}; --allow-gaps plays on")

    def _require_succession(self) -> None:
        first = self._headers[0]
        for path, before, header in zip(
            self._paths[1:], self._headers, self._headers[1:], strict=False
        ):
            if header.instrument != first.instrument:
                raise TapeFault(
                    f"mixed instruments: {name_of(path)} is {header.instrument.symbol} of "
                    f"{header.instrument.venue}; give one tape at a time"
                )
            if header.first_ns < before.last_ns:
                raise TapeFault(
                    f"files in the wrong order: {name_of(path)} begins before the one before it "
                    "ends; name the earlier file first"
                )


CARRIED = ("messages", "folded_into_snapshot", "skipped_before_snapshot")
"""Counts that only the source's reading can know."""

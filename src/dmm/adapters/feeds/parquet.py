"""Parquet files, a bounded piece at a time. pyarrow is loaded when the first one is met."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from dmm.adapters.feeds.files import read_pieces
from dmm.adapters.feeds.findings import Findings

MAGIC = b"PAR1"
BATCH_ROWS = 1 << 16
"""Rows decoded at once."""


def is_parquet(path: Path) -> bool:
    """Tell whether a file begins like a parquet file; `UsageFault` if it cannot be read."""
    return next(read_pieces(path), b"").startswith(MAGIC)


@cache
def arrow() -> Any:
    """Return pyarrow with the modules used here; the first call takes a tenth of a second."""
    import pyarrow as pa
    import pyarrow.compute
    import pyarrow.parquet

    return pa


def open_parquet(path: Path, findings: Findings) -> Any:
    """Return an open `pyarrow.parquet.ParquetFile`; the caller closes it.

    Raises
    ------
    TapeFault
        If the file is cut or damaged.
    """
    pa = arrow()
    try:
        return pa.parquet.ParquetFile(path, page_checksum_verification=True)
    except (pa.lib.ArrowException, OSError) as error:
        raise findings.fault(
            f"cut or damaged parquet ({first_line(error)}): fetch it again"
        ) from error


def schema_of(path: Path, findings: Findings) -> tuple[frozenset[str], dict[bytes, bytes]]:
    """Return a parquet file's column names and metadata; `TapeFault` if it is damaged."""
    with open_parquet(path, findings) as file:
        return frozenset(file.schema_arrow.names), dict(file.metadata.metadata or {})


def arrow_batches(path: Path, columns: Sequence[str], findings: Findings) -> Iterator[Any]:
    """Yield record batches of at most `BATCH_ROWS` rows.

    Raises
    ------
    TapeFault
        If a column is missing or the file is damaged.
    """
    pa = arrow()
    with open_parquet(path, findings) as file:
        missing = [name for name in columns if name not in file.schema_arrow.names]
        if missing:
            raise findings.fault(f"no column {', '.join(missing)}: expected {', '.join(columns)}")
        stream = file.iter_batches(batch_size=BATCH_ROWS, columns=list(columns))
        while True:
            try:
                batch = next(stream, None)
            except (pa.lib.ArrowException, OSError) as error:
                raise findings.fault(
                    f"damaged parquet ({first_line(error)}): fetch it again"
                ) from error
            if batch is None:
                return
            yield batch


def batches(path: Path, columns: Sequence[str], findings: Findings) -> Iterator[list[list[Any]]]:
    """Yield batches of Python values, a list for each column; rows count as messages.

    Raises
    ------
    TapeFault
        If a column is missing, a value is missing, or the file is damaged.
    """
    for batch in arrow_batches(path, columns, findings):
        wanted = [batch.column(name) for name in columns]
        for name, column in zip(columns, wanted, strict=True):
            if column.null_count:
                raise findings.fault(f"column {name} has empty cells: fetch the file again")
        findings.report.messages += batch.num_rows
        yield [column.to_pylist() for column in wanted]


def first_line(error: BaseException) -> str:
    """Return the first line of a library's error."""
    return (str(error).splitlines() or [type(error).__name__])[0]

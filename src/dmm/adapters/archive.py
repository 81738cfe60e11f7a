"""Archived partitions: a gzip file each, in one folder.

The first line says what the file holds, every further one is a row, so that
``gzip -cd FILE | tail -n +2 | sha256sum`` gives the digest of the partition's anchor.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, cast

from dmm.ledger.anchor import Extent, JournalTable, Partition, Row, RowDigest
from dmm.ports import Archived
from dmm.units.errors import InvariantBroken, Permanent, ServiceFault, UsageFault
from dmm.units.ids import Json, canonical_json
from dmm.units.json_text import parse_json

FORMAT = "dmm/journal-partition/v1"
SUFFIX = ".jsonl.gz"

LINE_BYTES_MAX = 256 * 1024 * 1024
"""The longest line that is read; a slice of a busy hour takes a tenth of it."""

_DAMAGED = (
    EOFError,
    zlib.error,
    gzip.BadGzipFile,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
)
"""How a file that is not what we wrote shows while it is read."""

_LEVEL = 6
"""Of gzip: beyond it a file of decisions becomes slower to write but hardly smaller."""


class FolderArchive:
    """Implements `ports.Archive` in a folder of its own, made when first written to.

    Parameters
    ----------
    folder : one writer at a time
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, partition: Partition, rows: Iterable[Row]) -> Archived:
        """Write a partition whole or not at all, and return what reading it back gives.

        The file gets its name when it is complete, on disk and read back. Again with the same rows
        is a no-op.

        Raises
        ------
        InvariantBroken
            If it is there already with other rows, or what is read back is not what was written.
        ServiceFault
            If it cannot be written.
        """
        path = self._folder / (partition.name + SUFFIX)
        partial = path.with_name(path.name + ".partial")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            written = _write(partial, partition, rows)
            source = path if path.exists() else partial
            back = _read(source)
            if (back.partition, back.extent) != (partition, written):
                raise InvariantBroken(
                    f"archive {source} holds digest {back.extent.digest.hex()}, the journal's "
                    f"partition {written.digest.hex()}: move the file away and compare both"
                )
            if source is partial:
                partial.rename(path)
                _sync_folder(self._folder)
        except OSError as error:
            raise ServiceFault(
                f"archive {path} cannot be written ({error}); free disk, open the folder or name "
                "another in DMM_ARCHIVE_DIR"
            ) from error
        finally:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
        return Archived(name=str(path), partition=partition, extent=written)

    def read(self, name: str) -> Archived:
        """Read an archived partition, every row.

        Parameters
        ----------
        name : as `keep` returned it, or a file's name in the folder

        Raises
        ------
        UsageFault
            If there is none of that name.
        Permanent
            If its content is unusable.
        """
        path = self._folder / name
        try:
            return _read(path)
        except OSError as error:
            raise UsageFault(f"archive {path} cannot be read: {error}") from error


def _write(path: Path, partition: Partition, rows: Iterable[Row]) -> Extent:
    digest = RowDigest(partition)
    with path.open("wb") as raw:
        # No name and no time in the header: the same rows give the same file.
        with gzip.GzipFile(
            filename="", mode="wb", fileobj=raw, compresslevel=_LEVEL, mtime=0
        ) as file:
            file.write(canonical_json(_header(partition)) + b"\n")
            for row in rows:
                file.write(digest.add(row))
        raw.flush()
        os.fsync(raw.fileno())
    return digest.extent()


def _read(path: Path) -> Archived:
    try:
        with gzip.open(path, "rb") as file:
            lines = _lines(cast("IO[bytes]", file), path)
            partition = _partition(parse_json(next(lines, b"null")), path)
            digest = RowDigest(partition)
            for line in lines:
                if digest.add(parse_json(line)) != line:
                    raise Permanent(f"archive {path} holds a line that is not canonical JSON")
    except _DAMAGED as error:
        raise Permanent(
            f"archive {path} is cut off or damaged ({error}); take another copy of it"
        ) from error
    return Archived(name=str(path), partition=partition, extent=digest.extent())


def _lines(file: IO[bytes], path: Path) -> Iterator[bytes]:
    while line := file.readline(LINE_BYTES_MAX):
        if not line.endswith(b"\n"):
            raise Permanent(f"archive {path} ends inside a line; take another copy of it")
        yield line


def _header(partition: Partition) -> dict[str, Json]:
    return {
        "format": FORMAT,
        "partition": partition.name,
        "table": partition.table.value,
        "run_id": partition.run_id,
        "first_place": partition.first_place,
        "end_place": partition.end_place,
    }


def _partition(header: object, path: Path) -> Partition:
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise Permanent(f"archive {path} is no {FORMAT}: name a file that retention wrote")
    return Partition(
        name=header["partition"],
        table=JournalTable(header["table"]),
        run_id=header["run_id"],
        first_place=header["first_place"],
        end_place=header["end_place"],
    )


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

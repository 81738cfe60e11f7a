"""Everything that ever changed the local chain, one JSON line each; replayed at the start.

A line that a kill has cut off is dropped: what it said was never answered for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from dmm.units.errors import ServiceFault

LINES_MAX = 5_000_000
"""A folder with more of them is no local chain's any longer."""

Entry = dict[str, Any]


class Journal:
    """One append-only file."""

    def __init__(self, path: Path) -> None:
        """Name the file; it is made when missing."""
        self._path = path
        self._whole_bytes = 0
        self._file: Any = None

    def entries(self) -> Iterator[Entry]:
        """Return what was written, in order.

        Raises
        ------
        ServiceFault
            If a line in the middle is unreadable, or there are too many.
        """
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    return
                if number > LINES_MAX:
                    raise ServiceFault(
                        f"{self._path} has over {LINES_MAX} lines: remove its folder"
                    )
                try:
                    entry = json.loads(line)
                except ValueError as error:
                    raise ServiceFault(
                        f"{self._path} line {number} is unreadable: remove its folder"
                    ) from error
                self._whole_bytes += len(line)
                yield entry

    def open(self) -> None:
        """Open for writing behind the last whole line; read `entries` before."""
        self._file = self._path.open("ab")
        self._file.truncate(self._whole_bytes)
        self._file.seek(0, 2)

    def append(self, entry: Entry) -> None:
        """Write one entry; it survives the death of this process once this returns."""
        self._file.write(json.dumps(entry, separators=(",", ":")).encode() + b"\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file; again is a no-op."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

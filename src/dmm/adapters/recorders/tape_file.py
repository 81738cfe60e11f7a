"""The file a recording grows in: gzip, readable up to its last flush whatever happens.

It grows as ``FILE.part`` and becomes ``FILE`` only when it is whole. Every flush ends on a byte of
the gzip stream (`Z_SYNC_FLUSH`) and is synced to the disk, so that a killed recorder leaves every
line up to its last flush.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from dmm.units.errors import ServiceFault, UsageFault

PART = ".part"
GZIP_WBITS = 31
GZIP_LEVEL = 6


class TapeFile:
    """A recording under way; not for several threads at once.

    Raises
    ------
    UsageFault
        If the file or its part exists, or the part cannot be made.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.part = out.with_name(out.name + PART)
        self.lines = 0
        """Lines handed over; those before the last flush are safe."""
        self.flushed_lines = 0
        self.raw_bytes = 0
        """Bytes before compression."""
        self._pack = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, GZIP_WBITS)
        if out.exists():
            raise UsageFault(f"{out} exists: name another file with --out")
        try:
            # Unbuffered: what is written is with the operating system, not in this process.
            self._file = self.part.open("xb", buffering=0)
        except FileExistsError:
            raise UsageFault(
                f"{self.part} exists: a recorder is at work there or was killed; its lines can be "
                "read with --allow-gaps, so rename it, or name another file with --out"
            ) from None
        except OSError as error:
            raise UsageFault(f"cannot make {self.part}: {error.strerror or error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the part; with lines it stays where the recording did not end in `finish`."""
        self._file.close()
        if not self.lines:
            self.part.unlink(missing_ok=True)

    def write(self, lines: Iterable[bytes]) -> None:
        """Append lines, each without its newline.

        Raises
        ------
        ServiceFault
            If the disk does not take them; the part keeps what it holds.
        """
        lines = list(lines)
        text = b"".join(line + b"\n" for line in lines)
        self._put(self._pack.compress(text))
        self.lines += len(lines)
        self.raw_bytes += len(text)

    def flush(self) -> None:
        """Bring every line to the disk, readable; a no-op when there are no new ones.

        Raises
        ------
        ServiceFault
            If the disk does not take them.
        """
        if self.flushed_lines == self.lines:
            return
        self._put(self._pack.flush(zlib.Z_SYNC_FLUSH))
        self._sync()
        self.flushed_lines = self.lines

    def finish(self) -> int:
        """End the gzip, give the file its name, and return its size in bytes.

        Raises
        ------
        ServiceFault
            If the disk does not take the end, or a file of that name came up meanwhile.
        """
        self._put(self._pack.flush(zlib.Z_FINISH))
        self._sync()
        size = self._file.tell()
        self._file.close()
        try:
            self.out.hardlink_to(self.part)  # fails where another process was faster
            self.part.unlink()
        except FileExistsError:
            raise ServiceFault(
                f"{self.out} came up while it was recorded: the recording is whole in {self.part}"
            ) from None
        except OSError:  # a file system without links
            self._rename()
        return size

    def _rename(self) -> None:
        if self.out.exists():
            raise ServiceFault(
                f"{self.out} came up while it was recorded: the recording is whole in {self.part}"
            )
        try:
            self.part.rename(self.out)
        except OSError as error:
            raise ServiceFault(
                f"cannot rename {self.part} to {self.out.name} ({error.strerror or error}): the "
                "recording is whole, rename it"
            ) from error

    def _put(self, packed: bytes) -> None:
        rest = memoryview(packed)
        try:
            while rest:
                rest = rest[self._file.write(rest) or 0 :]
        except OSError as error:
            raise self._fault(error) from error

    def _sync(self) -> None:
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._fault(error) from error

    def _fault(self, error: OSError) -> ServiceFault:
        return ServiceFault(
            f"cannot write {self.part}: {error.strerror or error}; it keeps the first "
            f"{self.flushed_lines} lines and reads with --allow-gaps: free some disk, then record "
            "to another file"
        )

"""A register's epoch, kept where no backup of the register reaches.

The epoch rises with every signature. It is written here after the register holds the signature
and before the signature leaves, so the register is never behind what left. A register that is, or
another one in its place, has come from a backup: it has forgotten signatures and signs nothing.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from dmm.units.errors import ServiceFault

RECORD_BYTES = 512
"""One record fills a sector. Two take turns, so that a torn write leaves the one before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Which register it is, and how often it signed."""

    register_id: str
    epoch: int


class Witness:
    """The file that remembers one register's epoch."""

    def __init__(self, path: Path) -> None:
        """Open or make the file, mode 0600; `ServiceFault` when that fails."""
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            self.mark = self._newest()
        except OSError as error:
            raise ServiceFault(f"witness {path} cannot be used: {error.strerror}") from error

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def adopt(self, mark: Mark, *, is_new: bool) -> None:
        """Compare the register with what was witnessed, at its start.

        Parameters
        ----------
        is_new : the register never had an epoch, so none can have been witnessed

        Raises
        ------
        ServiceFault
            If signatures were witnessed that the register does not have.
        """
        seen = self.mark
        if seen is None and not is_new:
            raise ServiceFault(
                f"witness {self._path} is empty, its register is at epoch {mark.epoch}: one of the "
                "two was replaced; restore the witness or rotate the key"
            )
        if seen is not None and (seen.register_id != mark.register_id or seen.epoch > mark.epoch):
            raise ServiceFault(
                f"witness {self._path} saw epoch {seen.epoch}, the register is at {mark.epoch}: it "
                "comes from a backup and has forgotten signatures; rotate the key"
            )
        self.advance(mark)

    def advance(self, mark: Mark) -> None:
        """Remember an epoch for good; an earlier one changes nothing.

        Raises
        ------
        ServiceFault
            If it cannot be written: the signature must not leave.
        """
        if self.mark is not None and mark.epoch <= self.mark.epoch:
            return
        try:
            os.pwrite(self._file, _record(mark), mark.epoch % 2 * RECORD_BYTES)
            os.fdatasync(self._file)
        except OSError as error:
            raise ServiceFault(f"witness {self._path} cannot be written: {error}") from error
        self.mark = mark

    def _newest(self) -> Mark | None:
        content = os.pread(self._file, 2 * RECORD_BYTES, 0)
        found = [_mark(content[at : at + RECORD_BYTES]) for at in (0, RECORD_BYTES)]
        marks = [mark for mark in found if mark is not None]
        if content and not marks:
            raise ServiceFault(f"witness {self._path} is unreadable: rotate the key")
        return max(marks, key=lambda mark: mark.epoch, default=None)


def _record(mark: Mark) -> bytes:
    text = f"{mark.register_id} {mark.epoch}"
    check = hashlib.sha256(text.encode()).hexdigest()
    return f"{text} {check}\n".encode().ljust(RECORD_BYTES, b"\0")


def _mark(record: bytes) -> Mark | None:
    words = record.rstrip(b"\0").decode("ascii", errors="replace").split()
    if len(words) != 3 or not words[1].isdecimal():
        return None
    mark = Mark(register_id=words[0], epoch=int(words[1]))
    return mark if _record(mark).rstrip(b"\0") == record.rstrip(b"\0") else None

"""The state folder of embedded services: one owner at a time, archived rather than deleted."""

from __future__ import annotations

import fcntl
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from dmm.units.errors import ServiceFault, UsageFault

LOCK_FILE = "owner.lock"
RUN_FOLDER = "run"
PREVIOUS_FOLDER = "previous"
BYTES_FREE_MIN = 512 * 1024 * 1024


@dataclass(slots=True)
class StateFolder:
    """A folder such as ``.dmm/demo``.

    ``run/`` holds everything of the present run (database, chain, scheduler, keys, reports);
    ``previous/`` the one before it; caches that every run shares lie beside them. The lock is held
    while a process owns the folder and is released by the kernel when that process ends.
    """

    root: Path
    _lock: IO[str] | None = None

    @property
    def run(self) -> Path:
        """Return the folder of the present run."""
        return self.root / RUN_FOLDER

    @property
    def is_taken(self) -> bool:
        """Tell whether a process owns the folder now."""
        try:
            with (self.root / LOCK_FILE).open("r") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return False

    def __enter__(self) -> Self:
        """Take the folder.

        Raises
        ------
        UsageFault
            If the folder cannot be written.
        ServiceFault
            If another process owns it, or the disk is nearly full.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self._lock = (self.root / LOCK_FILE).open("a+")
        except OSError as error:
            raise UsageFault(
                f"state folder {self.root} cannot be written: {error.strerror}; choose another "
                "with --state"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.seek(0)
            owner = self._lock.read().strip() or "unknown"
            self._lock.close()
            raise ServiceFault(
                f"state folder {self.root} is in use by process {owner}: stop it or choose "
                "another with --state"
            ) from error
        self._lock.seek(0)
        self._lock.truncate()
        self._lock.write(str(os.getpid()))
        self._lock.flush()
        self._require_disk()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the folder back."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def start_afresh(self) -> None:
        """Move the present run aside, replacing the one kept before it, and make an empty one."""
        if self.run.exists():
            previous = self.root / PREVIOUS_FOLDER
            if previous.exists():
                shutil.rmtree(previous)
            self.run.rename(previous)
        self.prepare()

    def prepare(self) -> None:
        """Make the run folder; others may pass through it, because services may run as others."""
        self.run.mkdir(parents=True, exist_ok=True)
        self.run.chmod(0o755)
        self.root.chmod(0o755)

    def _require_disk(self) -> None:
        free = shutil.disk_usage(self.root).free
        if free < BYTES_FREE_MIN:
            raise ServiceFault(
                f"only {free // 2**20} MiB free at {self.root}, at least "
                f"{BYTES_FREE_MIN // 2**20} are needed: free some or choose another --state"
            )

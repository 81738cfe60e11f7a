"""The worker's eye on the kill switch; what it cannot see counts as thrown."""

from __future__ import annotations

from dmm.ports import WorkerStore
from dmm.units.errors import Fault


class KillWatch:
    """Tells whether the desk is killed, by the journal's latch or by a line of its own.

    A kill heard on the line holds until the latch was seen to hold as well and then to be released:
    whoever pulls the line also writes the latch, but the journal may hang for a while.
    """

    def __init__(self, store: WorkerStore) -> None:
        self._store = store
        self._awaits_latch = False

    def hear(self) -> None:
        """Take a kill that came past the journal."""
        self._awaits_latch = True

    def holds(self) -> bool:
        """Read the latch and tell whether anything holds; an unreadable latch does."""
        try:
            latch = self._store.latch()
        except Fault:
            return True
        if latch is not None and latch.killed:
            self._awaits_latch = False
            return True
        return self._awaits_latch

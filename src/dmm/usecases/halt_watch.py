"""The live worker's eye and hand on the halt latch."""

from __future__ import annotations

from dmm.ports import HaltLatch, LiveControls
from dmm.units.errors import Fault
from dmm.units.time import Nanos


class HaltWatch:
    """Latches a halt in the journal and tells whether one holds, its own or another's.

    The journal is written behind the worker's back: between our halt and its first reading it seems
    as if nothing were halted. So a halt holds here from the moment it is sent, until the journal
    shows it, or a later one, as reset.
    """

    def __init__(self, controls: LiveControls, run_id: str) -> None:
        self._controls = controls
        self._run_id = run_id
        self._last: HaltLatch | None = None
        self._awaited_id = 0

    def holds(self) -> bool:
        """Read the latch and tell whether a halt holds.

        What cannot be read stays as it was: the kill switch, read with it, then kills.
        """
        try:
            self._last = last = self._controls.halted()
        except Fault:
            last = self._last
        if last is None:
            return self._awaited_id > 0
        if last.halted:
            self._awaited_id = last.halt_id
            return True
        return last.halt_id < self._awaited_id

    def latch(self, *, reason: str, now_ns: Nanos) -> None:
        """Latch a halt; one that holds already stays."""
        last = self._last
        known_id = 0 if last is None else last.halt_id
        is_held = last is not None and last.halted
        self._awaited_id = max(self._awaited_id, known_id if is_held else known_id + 1)
        self._controls.halt(run_id=self._run_id, reason=reason, now_ns=now_ns)

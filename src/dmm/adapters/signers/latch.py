"""The kill switches a signer obeys, read again before every signature."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dmm.ports import ControlStore
from dmm.units.errors import Fault, Retryable


@dataclass(frozen=True, slots=True, kw_only=True)
class Latches:
    """A file whose presence stops signing, and the journal's kill switch; either may be None."""

    file: Path | None
    store: ControlStore | None

    def require_open(self) -> None:
        """Return when nothing stops signing.

        Raises
        ------
        Retryable
            If a kill holds, or it cannot be told: nothing is signed now, later perhaps.
        """
        reason = self._reason()
        if reason is not None:
            raise Retryable(reason)

    def _reason(self) -> str | None:
        try:
            if self.file is not None and self.file.exists():
                return f"the kill switch holds, {self.file} exists"
            latch = self.store.latch() if self.store is not None else None
        except (OSError, Fault) as error:
            return f"the kill switch cannot be read ({error})"
        return f"the kill switch holds ({latch.reason})" if latch and latch.killed else None

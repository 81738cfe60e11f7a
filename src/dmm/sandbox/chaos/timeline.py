"""What was done to a desk and what was seen of it, in seconds since the beginning."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from dmm.sandbox.chaos.plan import Fault

ENTRIES_MAX = 100_000
"""Lines kept; a campaign of days would drop its last ones, never its faults."""


@dataclass(slots=True, kw_only=True)
class Struck:
    """A fault as it happened; `recovered_s` is None until its end was seen."""

    lap: int
    at_s: float
    kind: str
    target: str
    recovered_s: float | None = None

    def to_json(self) -> dict[str, object]:
        """Return the fault as plain values, seconds since the beginning."""
        ended = None if self.recovered_s is None else round(self.recovered_s, 3)
        return {
            "lap": self.lap,
            "at_s": round(self.at_s, 3),
            "kind": self.kind,
            "target": self.target,
            "recovered_s": ended,
        }


@dataclass(slots=True, kw_only=True)
class Timeline:
    """Lines in the order they happened; threads share it.

    `say` hears each line as it comes. `began_s` is of the monotonic clock.
    """

    say: Callable[[str], None]
    began_s: float
    lap: int = 0
    lines: list[tuple[float, str]] = field(default_factory=list)
    faults: list[Struck] = field(default_factory=list)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def note(self, text: str) -> None:
        """Write one line."""
        at_s = time.monotonic() - self.began_s
        with self._guard:
            if len(self.lines) < ENTRIES_MAX:
                self.lines.append((at_s, text))
        self.say(text)

    def strike(self, fault: Fault) -> Struck:
        """Write that a fault begins."""
        at_s = time.monotonic() - self.began_s
        struck = Struck(lap=self.lap, at_s=at_s, kind=fault.kind.value, target=fault.target)
        with self._guard:
            self.faults.append(struck)
        depth = f", {fault.depth} blocks" if fault.depth else ""
        self.note(f"FAULT {fault.kind.value} {fault.target}{depth}")
        return struck

    def recover(self, struck: Struck, seen: str) -> None:
        """Write that a fault's end was seen."""
        struck.recovered_s = time.monotonic() - self.began_s
        took_s = struck.recovered_s - struck.at_s
        self.note(f"  {struck.kind} {struck.target}: {seen} after {took_s:.1f} s")

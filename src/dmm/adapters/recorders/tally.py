"""What a recording counted, and how far the two clocks are apart."""

from __future__ import annotations

import statistics
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from typing import Any

OFFSETS_MAX = 10_000
"""Latest offsets kept for the median."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """Counters of a recording under way."""

    messages: int = 0
    """Messages recorded, without snapshots."""
    by_stream: Counter[str] = field(default_factory=Counter)
    snapshots: int = 0
    snapshots_refused: int = 0
    """Snapshots that could not be had, or were older than the updates they were to carry."""
    gaps: int = 0
    reconnects: int = 0
    rollovers: int = 0
    duplicates: int = 0
    """Messages that two overlapping connections both brought; recorded once."""
    unusable: int = 0
    """Messages that were none of the venue's; not recorded."""
    stalls: int = 0
    """Times the venue had to wait for the disk; received times behind one are late."""
    offsets_ms: deque[int] = field(default_factory=lambda: deque(maxlen=OFFSETS_MAX))

    def note(self, *, stream: str, received_ms: int, exchange_ms: int | None) -> None:
        """Count a message."""
        self.messages += 1
        self.by_stream[stream] += 1
        if exchange_ms is not None:
            self.offsets_ms.append(received_ms - exchange_ms)

    @property
    def clock_offset_ms(self) -> int | None:
        """Return the median of received − exchange time over the latest messages."""
        return int(statistics.median_low(self.offsets_ms)) if self.offsets_ms else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A finished recording.

    `seconds` from the first to the last message; `silent` are streams without any message;
    `raw_bytes` before and `file_bytes` after compression; the rest as in `Tally`.
    """

    file: str
    venue: str
    symbol: str
    seconds: float
    messages: int
    by_stream: dict[str, int]
    silent: tuple[str, ...]
    snapshots: int
    snapshots_refused: int
    gaps: int
    reconnects: int
    rollovers: int
    duplicates: int
    unusable: int
    stalls: int
    raw_bytes: int
    file_bytes: int
    clock_offset_ms: int | None

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)

"""The two clocks of a recording: the venue's and the recorder's."""

from __future__ import annotations

from collections import Counter

from dmm.adapters.feeds.findings import Findings
from dmm.units.time import NS_PER_MS, NS_PER_S, Nanos

CLOCK_BACKWARDS_NS_MAX = 10 * NS_PER_MS
"""How far a clock may run back from one message to the next of its kind before it is a flaw."""

SILENCE_NS_MAX = 60 * NS_PER_S
"""The longest pause between messages of a market that is recorded without a break."""

OFFSETS_MAX = 100_000
"""Distinct offsets (milliseconds) counted for the median; more of them tell nothing new."""


class Clocks:
    """Watches both clocks; received times leave it in order, whatever the recorder did.

    Of files that are merged, only the one with the steadiest stream notes silences.
    """

    __slots__ = (
        "_exchange_at_ns",
        "_findings",
        "_notes_silence",
        "_offsets",
        "_received_at_ns",
        "latest_exchange_ns",
    )

    def __init__(self, findings: Findings, *, notes_silence: bool = True) -> None:
        self._findings = findings
        self._notes_silence = notes_silence
        self._received_at_ns = 0
        self._exchange_at_ns: dict[str, int] = {}
        self._offsets: Counter[int] = Counter()
        self.latest_exchange_ns = 0

    def received(self, at_ns: int) -> Nanos:
        """Return the received time, never before the one before; count a step back.

        Raises
        ------
        TapeFault
            If the recorder's clock ran back by more than `CLOCK_BACKWARDS_NS_MAX`.
        """
        before_ns = self._received_at_ns
        if at_ns >= before_ns:
            self._received_at_ns = at_ns
            if at_ns - before_ns > SILENCE_NS_MAX and before_ns and self._notes_silence:
                silence_s = (at_ns - before_ns) // NS_PER_S
                self._findings.note("silences", f"nothing was recorded for {silence_s} s")
            return Nanos(at_ns)
        if before_ns - at_ns > CLOCK_BACKWARDS_NS_MAX:
            self._backwards("recorder", before_ns - at_ns)
        return Nanos(before_ns)

    def exchange(self, stream: str, at_ns: int) -> Nanos:
        """Return the venue's time as stamped; count a step back within a stream.

        Raises
        ------
        TapeFault
            If the venue's clock ran back by more than `CLOCK_BACKWARDS_NS_MAX`.
        """
        before_ns = self._exchange_at_ns.get(stream, 0)
        if at_ns >= before_ns:
            self._exchange_at_ns[stream] = at_ns
            self.latest_exchange_ns = max(self.latest_exchange_ns, at_ns)
        elif before_ns - at_ns > CLOCK_BACKWARDS_NS_MAX:
            self._backwards("venue", before_ns - at_ns)
        return Nanos(at_ns)

    def note_offset(self, *, received_at_ns: int, exchange_at_ns: int) -> None:
        """Count how far the recorder was ahead of the venue, in whole milliseconds."""
        offset_ms = (received_at_ns - exchange_at_ns) // NS_PER_MS
        if offset_ms in self._offsets or len(self._offsets) < OFFSETS_MAX:
            self._offsets[offset_ms] += 1

    @property
    def offset_ms(self) -> int:
        """Return the median offset so far, 0 before the first message."""
        half = (self._offsets.total() + 1) // 2
        seen = 0
        for offset_ms in sorted(self._offsets):
            seen += self._offsets[offset_ms]
            if seen >= half:
                return offset_ms
        return 0

    def _backwards(self, clock: str, back_ns: int) -> None:
        self._findings.meet(
            "clock_regressions", f"the {clock}'s clock ran back by {back_ns / NS_PER_S:.3f} s"
        )

"""What a signer obeys, read again before every signature: both latches, and the clock.

A kill stops every signature. A halt stops new quotes alone: what the desk owes is settled. A clock
that is off stops both, for deadlines and expiries are judged by it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from dmm.ports import Clock, Controls, ControlStore
from dmm.risk.clocks import ClockOffsets, ClockSample, ClockVerdict
from dmm.units.errors import Fault, Retryable
from dmm.units.time import NS_PER_MS

CLOCK_SOURCE = "database"

QUICK_NS = 100 * NS_PER_MS
"""An answer this quick tells the time well enough."""

LOOKS_MAX = 3
"""Looks for a quick answer before one signature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latches:
    """A file whose presence stops signing, and the journal's latches; either may be None.

    `clock` is this host's, held against the journal's database.
    """

    file: Path | None
    store: ControlStore | None
    clock: Clock
    _offsets: ClockOffsets = field(default_factory=ClockOffsets)

    def require_not_killed(self) -> None:
        """Return when nothing stops the settlement of what is owed.

        Raises
        ------
        Retryable
            If a kill holds, the clock is off, or it cannot be told: nothing is signed now.
        """
        self._require(quotes=False)

    def require_not_halted(self) -> None:
        """Return when nothing stops a new quote.

        Raises
        ------
        Retryable
            As `require_not_killed`, and while a halt holds.
        """
        self._require(quotes=True)

    def _require(self, *, quotes: bool) -> None:
        reason = self._reason(quotes=quotes)
        if reason is not None:
            raise Retryable(reason)

    def _reason(self, *, quotes: bool) -> str | None:
        try:
            if self.file is not None and self.file.exists():
                return f"the kill switch holds, {self.file} exists"
            if self.store is None:
                return None
            controls, now_ns = self._look(self.store)
        except (OSError, Fault) as error:
            return f"the kill switch cannot be read ({error})"
        return _held(controls, quotes=quotes) or self._clock_is_off(now_ns)

    def _look(self, store: ControlStore) -> tuple[Controls, int]:
        """Return the controls and when they were heard; look again while the answer is slow.

        The first answer of a connection is: its time lies anywhere within the way there and back.
        """
        for look in range(1, LOOKS_MAX + 1):
            sent_at_ns = self.clock.now_ns()
            controls = store.controls()
            heard_at_ns = self.clock.now_ns()
            sample = ClockSample(
                sent_at_ns=sent_at_ns, source_at_ns=controls.database_at_ns, heard_at_ns=heard_at_ns
            )
            self._offsets.take(CLOCK_SOURCE, sample)
            if look == LOOKS_MAX or 0 <= sample.round_trip_ns <= QUICK_NS:
                break
        return controls, heard_at_ns

    def _clock_is_off(self, now_ns: int) -> str | None:
        verdict = self._offsets.verdict((CLOCK_SOURCE,), now_ns=now_ns)
        if verdict is ClockVerdict.OK:
            return None
        offset_ns = self._offsets.offset_ns(CLOCK_SOURCE, now_ns=now_ns)
        if offset_ns is None:
            return "this host's clock could not be compared with the database's: it is too slow"
        return (
            f"this host's clock is {-offset_ns // NS_PER_MS} ms ahead of the database's: run a "
            "time service on both"
        )


def _held(controls: Controls, *, quotes: bool) -> str | None:
    kill, halt = controls.kill, controls.halt
    if kill is not None and kill.killed:
        return f"the kill switch holds ({kill.reason})"
    if quotes and halt is not None and halt.halted:
        return f"the desk is halted ({halt.reason}): a person resets it by `dmm reset`"
    return None

"""From a frame of the socket to a line of the tape: stamped, judged, counted."""

from __future__ import annotations

from collections.abc import Callable

import orjson

from dmm.adapters.recorders.limits import Limits
from dmm.adapters.recorders.line_buffer import LineBuffer
from dmm.adapters.recorders.rest import shown
from dmm.adapters.recorders.tally import Tally
from dmm.adapters.recorders.venue import Message, Venue
from dmm.ports import Clock
from dmm.units.time import NS_PER_MS, Nanos

UNSHAPED = (KeyError, TypeError, ValueError, AttributeError)
"""What reading a message of another shape raises."""


class Resync(Exception):
    """The book can only be had again by connecting anew."""


class Intake:
    """Takes messages for one recording.

    Parameters
    ----------
    venue : judges messages
    clock : stamps them
    limits : `buffer_bytes_max`, `unusable_in_a_row_max`
    notify : told of gaps and of what is no message
    """

    def __init__(
        self, venue: Venue, *, clock: Clock, limits: Limits, notify: Callable[[str], None]
    ) -> None:
        self.tally = Tally()
        self.buffer = LineBuffer(limits.buffer_bytes_max)
        self.first_ns = self.last_ns = Nanos(0)
        self._venue = venue
        self._clock = clock
        self._limits = limits
        self._notify = notify
        self._unusable_in_a_row = 0

    def take(self, frame: bytes, *, is_doubled: bool) -> None:
        """Record a message, unless it is none or was there already.

        It does not wait, so that no message gets lost where a connection is cancelled.

        Raises
        ------
        Resync
            If the connection is of no more use.
        Permanent
            If the venue refuses what was asked for.
        """
        at_ns = self._clock.now_ns()
        try:
            message = orjson.loads(frame)
            reading = self._venue.read(message, is_doubled=is_doubled)
        except UNSHAPED as error:
            self._leave_out(frame, error)
            return
        self._unusable_in_a_row = 0
        if reading is None:
            return
        if reading.is_duplicate:
            self.tally.duplicates += 1
            return
        self.tally.note(
            stream=reading.stream, received_ms=at_ns // NS_PER_MS, exchange_ms=reading.exchange_ms
        )
        self._add(at_ns, frame, message)
        if reading.gap:
            self.tally.gaps += 1
            self._notify(f"gap: {reading.gap}")
        if reading.ends_connection:
            raise Resync("the book has a gap")

    def take_snapshot(self, body: bytes) -> bool:
        """Record a snapshot if it connects to the updates; tell whether it did.

        Raises
        ------
        ValueError
            If it is no book; the others of `UNSHAPED` say the same.
        """
        at_ns = self._clock.now_ns()
        message = orjson.loads(body)
        if not self._venue.admits(message):
            return False
        self._add(at_ns, body, message)
        self.tally.snapshots += 1
        return True

    async def room(self) -> None:
        """Wait while the disk is behind; each wait is counted."""
        if self.buffer.is_full:
            self.tally.stalls += 1
            await self.buffer.room()

    def _add(self, at_ns: Nanos, text: bytes, message: Message) -> None:
        if b"\n" in text or b"\r" in text:  # a message is one line
            text = orjson.dumps(message)
        self.buffer.add(b"%d %b" % (at_ns, text))
        self.first_ns = self.first_ns or at_ns
        self.last_ns = at_ns

    def _leave_out(self, frame: bytes, error: Exception) -> None:
        self.tally.unusable += 1
        self._unusable_in_a_row += 1
        if self._unusable_in_a_row == 1:
            self._notify(f"left out a message that is none ({error!r}): {shown(frame)}")
        if self._unusable_in_a_row >= self._limits.unusable_in_a_row_max:
            self._unusable_in_a_row = 0
            raise Resync("the venue sends what are no messages")

"""The worker's end of its journal: hands everything over and never waits.

Quoting must not hang on a disk or on a database. What is decided and filled goes over a socket pair
to a process of its own (`dmm.adapters.journal.keeper`), which writes it in order; the same process
reads kill switch, halt latch, an epoch's inputs and new hedges, and measures this host's clock
against the database's. So neither a stalled write nor a slow read holds up a quote, and the
interpreter that quotes does nothing else.

What that costs: a decision may reach the venue shortly before it reaches the disk. A worker that
dies loses nothing it has handed over, for the journal's process outlives it and writes what is
left; if both die, decisions that are missing are a gap at the end of the run's chain, never inside
it, and fills come again from the venue.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Self, cast

from dmm import observe
from dmm.adapters.journal.wire import Kind, decision_rows, fill_rows, frames, pack
from dmm.ledger.journal import Posting
from dmm.market.order import Fill
from dmm.ports import Controls, HaltLatch, Latch
from dmm.quoting.decision import DecisionRecord, SliceSummary
from dmm.units.errors import JournalStalled, Retryable, ServiceFault
from dmm.units.time import Nanos

PENDING_MAX = 4_096
"""Batches that may be handed over and not written yet."""

LATCH_AGE_S_MAX = 1.0
"""Without a successful look for longer the switch counts as unreadable."""

READY_S_MAX = 30.0
"""How long the first look at the switches may take: the journal's process is starting."""

CLOSE_S_MAX = 10.0
"""How long `close` waits for what is left to be written."""


class JournalLink:
    """Implements `ports.WorkerStore` and `ports.LiveControls` over a socket to the journal."""

    def __init__(
        self,
        line: socket.socket,
        *,
        pending_max: int = PENDING_MAX,
        latch_age_s_max: float = LATCH_AGE_S_MAX,
    ) -> None:
        """Prepare; nothing is said before the context is entered.

        Parameters
        ----------
        line : a stream socket whose other end the journal reads
        pending_max : batches that may wait, > 0
        latch_age_s_max : seconds, > 0
        """
        self._line = line
        self._pending_max = pending_max
        self._latch_age_s_max = latch_age_s_max
        self._unsent: deque[memoryview] = deque()
        self._guard = threading.Lock()
        self._given = self._written = 0
        self._fault: Exception | None = None
        self._controls: Controls | None = None
        self._looked_s: float | None = None
        self._offset_ns: int | None = None
        self._asked: set[tuple[str, int]] = set()
        self._answers: dict[tuple[str, int], object] = {}
        self._ready = threading.Event()
        self._done = threading.Event()
        self._closing = False
        self._listener = threading.Thread(target=self._listen, name="journal", daemon=True)

    def __enter__(self) -> Self:
        """Wait until the journal has looked at the switches once, or could not.

        Raises
        ------
        ServiceFault
            If the journal does not come up.
        """
        self._listener.start()
        if not self._ready.wait(READY_S_MAX):
            raise ServiceFault(f"the worker's journal did not come up in {READY_S_MAX:g} s")
        if self._fault is not None:
            raise self._fault
        return self

    def __exit__(self, *_: object) -> None:
        """Have what is left written, and hang up."""
        self.close()

    @property
    def pending(self) -> int:
        """Return how many batches are handed over and not written yet."""
        return self._given - self._written

    # -- what is written ----------------------------------------------------------------------

    def append_decisions(self, records: Sequence[DecisionRecord]) -> None:
        """Take over links of the run's chain.

        Raises
        ------
        JournalStalled
            If too much waits; nothing of this call was taken.
        Fault
            What an earlier write met that waiting would not cure.
        """
        self._put(Kind.DECISIONS, decision_rows(records))

    def append_fills(self, fills: Sequence[Fill], postings: Sequence[Posting]) -> int:
        """Take over fills; return 0, for what is new is not known yet. Raises as appends do."""
        self._put(Kind.FILLS, fill_rows(fills, postings))
        return 0

    def close_slice(self, summary: SliceSummary) -> None:
        """Take over a slice, whatever waits; it is written after everything before it.

        Raises
        ------
        Fault
            What an earlier write met that waiting would not cure.
        """
        self._put(Kind.SLICE, summary, always=True)

    def halt(self, *, run_id: str, reason: str, now_ns: Nanos) -> None:
        """Take over a halt, whatever waits; it is written after everything before it.

        Raises
        ------
        Fault
            What an earlier write met that waiting would not cure.
        """
        self._put(Kind.HALT, (run_id, reason, now_ns), always=True)

    # -- what is read -------------------------------------------------------------------------

    def latch(self) -> Latch | None:
        """Return the kill switch as last read.

        Raises
        ------
        Retryable
            If it could not be read for longer than the age allowed.
        """
        return self._fresh().kill

    def halted(self) -> HaltLatch | None:
        """Return the halt latch as last read, with the kill switch. Raises as `latch` does."""
        return self._fresh().halt

    def clock_offset_ns(self) -> int | None:
        """Return the median offset of the latest looks, ns; None before the first one in time."""
        return self._offset_ns

    def ask(self, question: str, number: int) -> object | None:
        """Return the answer to a question the journal knows; None while it is on its way.

        An answer is given once; asking again then asks anew.

        Raises
        ------
        Fault
            What the journal met that waiting would not cure.
        """
        key = (question, number)
        with self._guard:
            if self._fault is not None:
                raise self._fault
            if key in self._answers:
                return self._answers.pop(key)
            if key not in self._asked:
                self._asked.add(key)
                self._say(pack(Kind.ASK, key))
        return None

    def _fresh(self) -> Controls:
        looked_s, controls = self._looked_s, self._controls
        if (
            controls is None
            or looked_s is None
            or time.monotonic() - looked_s > self._latch_age_s_max
        ):
            raise Retryable(
                f"the kill switch could not be read for {self._latch_age_s_max:g} s: "
                "check the database"
            )
        return controls

    # -- the line -----------------------------------------------------------------------------

    def close(self) -> None:
        """Have what is left written and hang up; again is a no-op.

        Raises
        ------
        Fault
            What the last writes met.
        ServiceFault
            If not everything could be written in time; the text says how much is lost.
        """
        if self._closing:
            return
        self._closing = True
        with self._guard:
            self._say(pack(Kind.CLOSE, None))
        done = self._done.wait(CLOSE_S_MAX)
        with suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)  # also ends the listener's wait
        self._line.close()
        if self._fault is not None:
            raise self._fault
        if not done or self.pending:
            raise ServiceFault(
                f"{self.pending} batches of decisions and fills could not be written within "
                f"{CLOSE_S_MAX:g} s; the venue's own record of fills is the truth, reconcile first"
            )

    def _put(self, kind: Kind, content: object, *, always: bool = False) -> None:
        with self._guard:
            if self._fault is not None:
                raise self._fault
            if self._closing:
                raise ServiceFault("the worker's journal is closed: nothing more is taken")
            if self.pending >= self._pending_max and not always:
                observe.journal_stalled(records=self.pending)
                raise JournalStalled(
                    f"{self.pending} batches wait for the journal: check its disk and server"
                )
            self._given += 1
            self._say(pack(kind, content))

    def _say(self, frame: bytes) -> None:
        """Send what the socket takes at once; the rest goes with the next frame, in order."""
        self._unsent.append(memoryview(frame))
        self._flush()

    def _flush(self) -> None:
        unsent = self._unsent
        try:
            while unsent:
                sent = self._line.send(unsent[0], socket.MSG_DONTWAIT)
                if sent < len(unsent[0]):
                    unsent[0] = unsent[0][sent:]
                    return
                unsent.popleft()
        except BlockingIOError:
            return
        except OSError:
            return  # the listener sees the end of the line and says so

    def _listen(self) -> None:
        for kind, content in frames(self._line):
            with self._guard:
                self._take(kind, content)
                self._flush()
        with self._guard:
            if not self._closing and self._fault is None:
                self._fault = ServiceFault(
                    "the worker's journal process has ended: look at its log, then start again"
                )
        self._ready.set()
        self._done.set()

    def _take(self, kind: Kind, content: object) -> None:
        match kind:
            case Kind.WRITTEN:
                self._written += cast("int", content)
                observe.journal_lag(records=self.pending)
            case Kind.SWITCHES:
                controls, self._offset_ns, looked_s = cast(
                    "tuple[Controls | None, int | None, float]", content
                )
                if controls is not None:
                    self._controls, self._looked_s = controls, looked_s
                    if self._offset_ns is not None:
                        observe.clock_offset(offset_ns=self._offset_ns)
                self._ready.set()
            case Kind.ANSWER:
                key, answer = cast("tuple[tuple[str, int], object]", content)
                self._asked.discard(key)
                self._answers[key] = answer
            case Kind.FAULT:
                self._fault = cast("Exception", content)
            case _:
                self._fault = ServiceFault(f"the worker's journal says {kind}: restart both")

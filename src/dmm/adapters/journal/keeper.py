"""The journal's end of the line: writes in order, answers, and watches the switches.

Three stores, because each may hang by itself: one takes the writes, one is asked for the switches,
one answers questions. A worker that dies hangs up, and what it had handed over is still written.
"""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, groupby
from typing import Protocol, cast

from dmm.adapters.journal.wire import WRITES, Frame, Kind, Row, decisions_of, fills_of, frames, pack
from dmm.ports import Clock, Controls, HaltLatch, WorkerStore
from dmm.quoting.decision import SliceSummary
from dmm.risk.clocks import ClockOffsets, ClockSample
from dmm.units.errors import Fault, Retryable, ServiceFault
from dmm.units.time import Nanos

LATCH_POLL_S = 0.05
"""Pause between two looks at the kill switch: what a kill needs to reach the worker."""

JOINED_MAX = 64
"""Frames taken at once while the journal is behind; decisions among them are one write."""

RETRY_PAUSE_S = 0.2
RETRY_S_MAX = 60.0
"""How long one write or answer is tried again while the database cannot be reached."""

END_S_MAX = 75.0
"""How long the end of the line waits for what is left to be written."""

CLOCK_SOURCE = "database"

Answer = Callable[[int], object]
"""What a question's number leads to; never None."""


class JournalStore(WorkerStore, Protocol):
    """What takes the worker's writes."""

    def halt(self, *, run_id: str, reason: str, now_ns: Nanos) -> HaltLatch:
        """Latch a halt; when already halted, return the latch that holds."""
        ...


class Switches(Protocol):
    """Where both latches are read, with the database's time."""

    def controls(self) -> Controls:
        """Return both latches and the database's time, read at once."""
        ...


class Keeper:
    """Serves one worker until it hangs up."""

    def __init__(
        self,
        line: socket.socket,
        *,
        store: JournalStore,
        switches: Switches,
        clock: Clock,
        answers: Mapping[str, Answer],
        latch_poll_s: float = LATCH_POLL_S,
    ) -> None:
        """Prepare; nothing is read or written before `serve`.

        Parameters
        ----------
        line : a stream socket whose other end is a `JournalLink`
        store : takes the writes, in the order they came
        switches : another connection, so that a write that hangs hides no kill
        clock : this host's, held against the database's
        answers : by question; over a further connection
        latch_poll_s : seconds, > 0
        """
        self._line = line
        self._store = store
        self._switches = switches
        self._clock = clock
        self._known = answers
        self._latch_poll_s = latch_poll_s
        # The worker bounds what it hands over before it is written; nothing else is queued here.
        self._writes: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        # A thread for each question: one that hangs holds up no other.
        self._asks: dict[str, queue.SimpleQueue[tuple[str, int] | None]] = {}
        self._offsets = ClockOffsets()
        self._ending = threading.Event()
        self._speaking = threading.Lock()

    def serve(self) -> None:
        """Take frames until the worker hangs up or says so, then write what is left."""
        writer = threading.Thread(target=self._write_all, name="writer", daemon=True)
        threads = [
            writer,
            threading.Thread(target=self._watch, name="switches", daemon=True),
        ]
        for thread in threads:
            thread.start()
        for kind, content in frames(self._line):
            if kind in WRITES:
                self._writes.put((kind, content))
            elif kind is Kind.ASK:
                self._ask(cast("tuple[str, int]", content))
            else:
                break
        self._ending.set()
        self._writes.put(None)
        for asks in self._asks.values():
            asks.put(None)
        writer.join(END_S_MAX)
        # Hanging up tells the worker that all is written.
        with self._speaking:
            self._line.close()

    def _say(self, kind: Kind, content: object) -> None:
        with self._speaking:
            try:
                self._line.sendall(pack(kind, content))
            except OSError:
                return  # the worker is gone; writing what it left goes on

    # -- writing ------------------------------------------------------------------------------

    def _write_all(self) -> None:
        for kind, content, frames_joined in self._waiting():
            try:
                self._patiently(lambda kind=kind, content=content: self._write(kind, content))  # type: ignore[misc]
            except Exception as fault:  # noqa: BLE001 - whatever it is, the worker must hear of it
                self._say(Kind.FAULT, _told(fault))
                return
            self._say(Kind.WRITTEN, frames_joined)

    def _waiting(self) -> Iterator[tuple[Kind, object, int]]:
        """Yield what is to be written, in order, until the end; decisions in a row as one.

        With each comes the number of frames that it was.
        """
        came: list[Frame | None] = []
        while None not in came:
            came = [self._writes.get()]
            while len(came) < JOINED_MAX and not self._writes.empty():
                came.append(self._writes.get())
            for are_decisions, together in groupby(filter(None, came), key=_is_decisions):
                if are_decisions:
                    parts = [cast("list[Row]", content) for _, content in together]
                    yield Kind.DECISIONS, list(chain.from_iterable(parts)), len(parts)
                else:
                    yield from ((kind, content, 1) for kind, content in together)

    def _write(self, kind: Kind, content: object) -> None:
        match kind:
            case Kind.DECISIONS:
                self._store.append_decisions(decisions_of(cast("list[Row]", content)))
            case Kind.FILLS:
                fills, postings = fills_of(cast("tuple[list[Row], list[Row]]", content))
                self._store.append_fills(fills, postings)
            case Kind.SLICE:
                self._store.close_slice(cast("SliceSummary", content))
            case _:
                run_id, reason, now_ns = cast("tuple[str, str, Nanos]", content)
                self._store.halt(run_id=run_id, reason=reason, now_ns=now_ns)

    def _patiently(self, work: Callable[[], object]) -> object:
        until_s = time.monotonic() + RETRY_S_MAX
        while True:
            try:
                return work()
            except Retryable:
                if time.monotonic() >= until_s:
                    raise
                time.sleep(RETRY_PAUSE_S)

    # -- reading ------------------------------------------------------------------------------

    def _ask(self, key: tuple[str, int]) -> None:
        question, _ = key
        asks = self._asks.get(question)
        if asks is None:
            asks = self._asks[question] = queue.SimpleQueue()
            threading.Thread(
                target=self._answer_all, args=(asks,), name=question, daemon=True
            ).start()
        asks.put(key)

    def _answer_all(self, asks: queue.SimpleQueue[tuple[str, int] | None]) -> None:
        while (key := asks.get()) is not None:
            question, number = key
            try:
                work = self._known[question]
                answer = self._patiently(lambda work=work, number=number: work(number))  # type: ignore[misc]
            except Exception as fault:  # noqa: BLE001 - whatever it is, the worker must hear of it
                self._say(Kind.FAULT, _told(fault))
                return
            self._say(Kind.ANSWER, (key, answer))

    def _watch(self) -> None:
        self._look()
        while not self._ending.wait(self._latch_poll_s):
            self._look()

    def _look(self) -> None:
        asked_s, sent_at_ns = time.monotonic(), self._clock.now_ns()
        try:
            controls = self._switches.controls()
        except Fault:
            # The age of the last look tells; the first word says that there is somebody at all.
            self._say(Kind.SWITCHES, (None, None, asked_s))
            return
        heard_at_ns = self._clock.now_ns()
        sample = ClockSample(
            sent_at_ns=sent_at_ns, source_at_ns=controls.database_at_ns, heard_at_ns=heard_at_ns
        )
        self._offsets.take(CLOCK_SOURCE, sample)
        offset_ns = self._offsets.offset_ns(CLOCK_SOURCE, now_ns=heard_at_ns)
        self._say(Kind.SWITCHES, (controls, offset_ns, asked_s))


def _is_decisions(frame: Frame) -> bool:
    return frame[0] is Kind.DECISIONS


def _told(fault: Exception) -> Exception:
    """Return a fault as the worker can read it: ours as they are, others by their text."""
    return fault if isinstance(fault, Fault) else ServiceFault(f"{type(fault).__name__}: {fault}")

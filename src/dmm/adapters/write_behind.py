"""A worker's journal that never makes it wait: threads of its own write and watch the kill switch.

Quoting must not hang on a disk. Appends go into a bounded queue that one thread writes in order;
another thread re-reads kill switch and halt latch through a connection of its own, and with the
same look measures this host's clock against the database's. What that costs is said
openly: a decision may reach the venue shortly before it reaches the disk, and a process that dies
takes what waited with it. Fills come again from the venue; decisions that are missing are a gap at
the end of the run's chain, never inside it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol, Self

from dmm import observe
from dmm.ledger.journal import Posting
from dmm.market.order import Fill
from dmm.ports import Clock, Controls, HaltLatch, Latch, WorkerStore
from dmm.quoting.decision import DecisionRecord, SliceSummary
from dmm.risk.clocks import ClockOffsets, ClockSample
from dmm.units.errors import Fault, JournalStalled, Retryable, ServiceFault
from dmm.units.time import Nanos

PENDING_MAX = 4_096
"""Calls that may wait; the worker hands over a batch with each."""

LATCH_POLL_S = 0.05
"""Pause between two looks at the kill switch: what a kill needs to reach the worker."""

LATCH_AGE_S_MAX = 1.0
"""Without a successful look for longer the switch counts as unreadable."""

RETRY_PAUSE_S = 0.2
RETRY_S_MAX = 60.0
"""How long one write is tried again while the database cannot be reached."""

CLOSE_S_MAX = 10.0
"""How long `close` waits for what is left to be written."""

CLOCK_SOURCE = "database"

Write = Callable[[], object]


class WriteBehind:
    """Implements `ports.WorkerStore` on top of two stores that may block."""

    def __init__(
        self,
        store: WorkerStore,
        *,
        latch_store: WorkerStore,
        pending_max: int = PENDING_MAX,
        latch_poll_s: float = LATCH_POLL_S,
        latch_age_s_max: float = LATCH_AGE_S_MAX,
    ) -> None:
        """Prepare; nothing is read or written before the context is entered.

        Parameters
        ----------
        store : takes the appends, in the order they came
        latch_store : read for the kill switch; a connection of its own, so that a stalled write
            does not hide a kill
        pending_max : calls that may wait, > 0
        latch_poll_s, latch_age_s_max : seconds, > 0
        """
        self._store = store
        self._latch_store = latch_store
        self._pending_max = pending_max
        self._latch_poll_s = latch_poll_s
        self._latch_age_s_max = latch_age_s_max
        self._pending: deque[Write] = deque()
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._fault: Exception | None = None
        self._latch: Latch | None = None
        self._latch_read_s: float | None = None
        self._writer = threading.Thread(target=self._write_all, name="journal", daemon=True)
        self._watcher = threading.Thread(target=self._watch, name="latch", daemon=True)

    def __enter__(self) -> Self:
        """Look at the kill switch once, then start both threads."""
        self._look()
        self._writer.start()
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Write what is left and stop."""
        self.close()

    @property
    def pending(self) -> int:
        """Return how many calls wait."""
        return len(self._pending)

    def append_decisions(self, records: Sequence[DecisionRecord]) -> None:
        """Take over links of the run's chain.

        Raises
        ------
        JournalStalled
            If too much waits; nothing of this call was taken.
        Fault
            What an earlier write met that waiting would not cure.
        """
        batch = tuple(records)
        self._put(lambda: self._store.append_decisions(batch))

    def append_fills(self, fills: Sequence[Fill], postings: Sequence[Posting]) -> int:
        """Take over fills; return 0, for what is new is not known yet. Raises as appends do."""
        batch, legs = tuple(fills), tuple(postings)
        self._put(lambda: self._store.append_fills(batch, legs))
        return 0

    def close_slice(self, summary: SliceSummary) -> None:
        """Take over a slice, whatever waits; it is written after everything before it.

        Raises
        ------
        Fault
            What an earlier write met that waiting would not cure.
        """
        self._put(lambda: self._store.close_slice(summary), always=True)

    def latch(self) -> Latch | None:
        """Return the kill switch as last read.

        Raises
        ------
        Retryable
            If it could not be read for longer than the age allowed.
        """
        read_s, latch = self._latch_read_s, self._latch
        if read_s is None or time.monotonic() - read_s > self._latch_age_s_max:
            raise Retryable(
                f"the kill switch could not be read for {self._latch_age_s_max:g} s: "
                "check the database"
            )
        return latch

    def close(self) -> None:
        """Write what is left and stop both threads.

        Raises
        ------
        Fault
            What the last writes met.
        ServiceFault
            If not everything could be written in time; the text says how much is lost.
        """
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
        for thread in (self._writer, self._watcher):
            if thread.is_alive():
                thread.join(CLOSE_S_MAX)
        if self._fault is not None:
            raise self._fault
        if self._pending:
            raise ServiceFault(
                f"{len(self._pending)} batches of decisions and fills could not be written within "
                f"{CLOSE_S_MAX:g} s; the venue's own record of fills is the truth, reconcile first"
            )

    def _put(self, write: Write, *, always: bool = False) -> None:
        with self._changed:
            if self._fault is not None:
                raise self._fault
            if len(self._pending) >= self._pending_max and not always:
                observe.journal_stalled(records=len(self._pending))
                raise JournalStalled(
                    f"{len(self._pending)} batches wait for the journal: check its disk and server"
                )
            self._pending.append(write)
            self._changed.notify_all()

    def _write_all(self) -> None:
        while True:
            with self._changed:
                while not self._pending and not self._closing.is_set():
                    self._changed.wait()
                if not self._pending:
                    return
                write = self._pending[0]
            try:
                self._write(write)
            except Exception as fault:  # noqa: BLE001 - whatever it is, the worker must hear of it
                with self._changed:
                    self._fault = fault
                return
            with self._changed:
                # Left in place until written: what waits is what is not on disk.
                self._pending.popleft()
                observe.journal_lag(records=len(self._pending))

    def _write(self, write: Write) -> None:
        until_s = time.monotonic() + RETRY_S_MAX
        while True:
            try:
                write()
            except Retryable:
                if time.monotonic() >= until_s or self._closing.is_set():
                    raise
                time.sleep(RETRY_PAUSE_S)
            else:
                return

    def _watch(self) -> None:
        while not self._closing.wait(self._latch_poll_s):
            self._look()

    def _look(self) -> None:
        try:
            latch = self._latch_store.latch()
        except Fault:
            return  # the age of the last look tells
        self._latch, self._latch_read_s = latch, time.monotonic()


class ControlledStore(WorkerStore, Protocol):
    """A worker's store that holds both latches and knows the time; see `ports.ControlStore`."""

    def halt(self, *, run_id: str, reason: str, now_ns: Nanos) -> HaltLatch:
        """Latch a halt; when already halted, return the latch that holds."""
        ...

    def controls(self) -> Controls:
        """Return both latches and the database's time, read at once."""
        ...


class LiveJournal(WriteBehind):
    """Implements `ports.LiveControls` too: what a worker in the present must know and may latch."""

    def __init__(
        self,
        store: ControlledStore,
        *,
        latch_store: ControlledStore,
        clock: Clock,
        pending_max: int = PENDING_MAX,
        latch_poll_s: float = LATCH_POLL_S,
        latch_age_s_max: float = LATCH_AGE_S_MAX,
    ) -> None:
        """Prepare; see `WriteBehind`.

        Parameters
        ----------
        clock : this host's, held against the database's
        """
        super().__init__(
            store,
            latch_store=latch_store,
            pending_max=pending_max,
            latch_poll_s=latch_poll_s,
            latch_age_s_max=latch_age_s_max,
        )
        self._halts = store
        self._switches = latch_store
        self._clock = clock
        self._halt: HaltLatch | None = None
        self._offsets = ClockOffsets()
        self._offset_ns: int | None = None

    def halt(self, *, run_id: str, reason: str, now_ns: Nanos) -> None:
        """Take over a halt, whatever waits; it is written after everything before it.

        Raises
        ------
        Fault
            What an earlier write met that waiting would not cure.
        """
        self._put(
            lambda: self._halts.halt(run_id=run_id, reason=reason, now_ns=now_ns), always=True
        )

    def halted(self) -> HaltLatch | None:
        """Return the halt latch as last read, with the kill switch.

        Raises
        ------
        Retryable
            If neither could be read for longer than the age allowed.
        """
        self.latch()
        return self._halt

    def clock_offset_ns(self) -> int | None:
        """Return the median offset of the latest looks, ns; None before the first one in time."""
        return self._offset_ns

    def _look(self) -> None:
        sent_at_ns = self._clock.now_ns()
        try:
            controls = self._switches.controls()
        except Fault:
            return  # the age of the last look tells
        heard_at_ns = self._clock.now_ns()
        sample = ClockSample(
            sent_at_ns=sent_at_ns, source_at_ns=controls.database_at_ns, heard_at_ns=heard_at_ns
        )
        self._offsets.take(CLOCK_SOURCE, sample)
        self._offset_ns = self._offsets.offset_ns(CLOCK_SOURCE, now_ns=heard_at_ns)
        if self._offset_ns is not None:
            observe.clock_offset(offset_ns=self._offset_ns)
        # The halt first: whoever sees the new age of the look must not see the old halt.
        self._halt = controls.halt
        self._latch, self._latch_read_s = controls.kill, time.monotonic()

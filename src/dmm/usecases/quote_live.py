"""Quote on a live feed: events as they come, epochs by the clock, a kill at any moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from dmm.market.order import Fill
from dmm.market.tape import FeedEvent
from dmm.ports import Clock, QuoteStore
from dmm.units.errors import JournalStalled, ServiceFault
from dmm.units.ids import Hash32
from dmm.units.time import NS_PER_S, Nanos
from dmm.usecases.quote import QuotingWorker
from dmm.usecases.situation import EpochInputs
from dmm.usecases.surroundings import LOOK_NS, Surroundings

TICK_S = 0.1
"""Longest wait for an event: a silent feed, a kill and the end are seen within one tick."""

HEDGE_POLL_NS = NS_PER_S
"""How often the loop looks for hedges booked by the hedging job."""

LEAD_NS = NS_PER_S
"""How long before an epoch opens its inputs are asked for."""

FIRST_LOOKS_MAX = 300
"""Looks for the first epoch's inputs, one a tick."""

HEDGE_EPOCHS_BACK_MAX = 4
"""Epochs back that are looked through for hedges: their job runs in the epoch after."""


class Intake(Protocol):
    """Events that wait for the worker, conflated when they are many."""

    @property
    def ended(self) -> bool:
        """Tell whether the feed is over and everything was taken."""
        ...

    def take(self, timeout_s: float) -> FeedEvent | None:
        """Return the next event, or None when none came in time."""
        ...


class Hedges:
    """Hedges of the run that the worker has not heard of yet."""

    def __init__(self, store: QuoteStore, run_id: str) -> None:
        self._store = store
        self._run_id = run_id
        self._known: dict[Hash32, int] = {}

    def new(self, epoch: int) -> tuple[Fill, ...]:
        """Return hedges of the last epochs, each once.

        Parameters
        ----------
        epoch : the open one
        """
        first = max(0, epoch - HEDGE_EPOCHS_BACK_MAX)
        self._known = {key: at for key, at in self._known.items() if at >= first}
        found = [
            fill
            for earlier in range(first, epoch)
            for fill in self._store.fills(self._run_id, earlier)
            if fill.is_hedge and fill.fill_id not in self._known
        ]
        self._known |= {fill.fill_id: fill.epoch for fill in found}
        return tuple(found)


@dataclass(slots=True, kw_only=True)
class LiveLoop:
    """Drives a worker until told to stop, and waits for nothing but events.

    Epochs are cut by time from the start of the run. While the kill switch holds none closes; after
    the release those in between close one after the other. `stopping` and `kills_heard`, the pulls
    of the kill line so far, are asked once for every event or tick.

    `inputs` says what holds in an epoch, `new_hedges` returns hedges the worker has not booked;
    `surroundings` how gas and peg stand; all return None while the answer is on its way. An epoch
    stays open until the inputs of the next one are there.
    """

    worker: QuotingWorker
    clock: Clock
    started_at_ns: Nanos
    epoch_length_ns: int
    stopping: Callable[[], bool]
    kills_heard: Callable[[], int]
    inputs: Callable[[int], EpochInputs | None]
    new_hedges: Callable[[int], tuple[Fill, ...] | None]
    surroundings: Callable[[], Surroundings | None] = lambda: None
    epoch: int = 0
    _poll_at_ns: int = 0
    _look_at_ns: int = 0
    _kills_obeyed: int = 0
    _following: EpochInputs | None = None

    def run(self, intake: Intake) -> int:
        """Quote until told to stop or the feed is over; return the number of epochs closed.

        Whatever ends it, everything open is cancelled.

        Raises
        ------
        ServiceFault
            If the first epoch's inputs cannot be had.
        """
        worker = self.worker
        first = self._first_inputs()
        if first is None:
            return 0
        worker.begin_epoch(0, started_at_ns=self.started_at_ns, inputs=first)
        try:
            while not self.stopping() and not intake.ended:
                event = intake.take(TICK_S)
                if (pulls := self.kills_heard()) > self._kills_obeyed:
                    self._kills_obeyed = pulls
                    worker.kill(self.clock.now_ns())
                now_ns = self.clock.now_ns() if event is None else event.received_at_ns
                self._keep_epochs(now_ns)
                if event is None:
                    worker.on_time(now_ns)
                else:
                    worker.on_event(event)
        finally:
            worker.shutdown()
        return self.epoch

    def _first_inputs(self) -> EpochInputs | None:
        """Return what the first epoch is quoted with; None when told to stop meanwhile."""
        for _ in range(FIRST_LOOKS_MAX):
            found = self.inputs(0)
            if found is not None or self.stopping():
                return found
            self.clock.sleep_s(TICK_S)
        raise ServiceFault(
            f"what the first epoch is quoted with could not be read in "
            f"{FIRST_LOOKS_MAX * TICK_S:g} s: check the database"
        )

    def _keep_epochs(self, now_ns: Nanos) -> None:
        worker = self.worker
        if worker.killed:
            self._following = None  # what was read before the kill is old after the release
        while not worker.killed and now_ns >= (boundary_ns := self._boundary_ns()) - LEAD_NS:
            self._following = self._following or self.inputs(self.epoch + 1)
            if now_ns < boundary_ns or self._following is None:
                break
            # Late, it ends with what it has seen, so that no event lies outside its slice.
            ended_at_ns = max(boundary_ns, worker.seen_at_ns)
            try:
                worker.end_epoch(ended_at_ns)
            except JournalStalled:
                break  # the epoch stays open until the journal takes what belongs to it
            self.epoch += 1
            following, self._following = self._following, None
            worker.begin_epoch(self.epoch, started_at_ns=ended_at_ns, inputs=following)
        if now_ns >= self._poll_at_ns:
            self._book_hedges(now_ns)
        if now_ns >= self._look_at_ns:
            self._look_around(now_ns)

    def _book_hedges(self, now_ns: Nanos) -> None:
        found = self.new_hedges(self.epoch)
        if found is None:
            return
        self._poll_at_ns = now_ns + HEDGE_POLL_NS
        for fill in found:
            self.worker.book_elsewhere(fill)

    def _look_around(self, now_ns: Nanos) -> None:
        found = self.surroundings()
        if found is not None:
            self._look_at_ns = now_ns + LOOK_NS
            self.worker.take_surroundings(found)

    def _boundary_ns(self) -> Nanos:
        return Nanos(self.started_at_ns + (self.epoch + 1) * self.epoch_length_ns)

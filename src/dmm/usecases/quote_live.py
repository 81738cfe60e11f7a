"""Quote on a live feed: events as they come, epochs by the clock, a kill at any moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from dmm.market.order import Fill
from dmm.market.tape import FeedEvent
from dmm.ports import Clock, QuoteStore
from dmm.units.errors import JournalStalled
from dmm.units.ids import Hash32
from dmm.units.time import NS_PER_S, Nanos
from dmm.usecases.quote import QuotingWorker
from dmm.usecases.situation import EpochInputs

TICK_S = 0.1
"""Longest wait for an event: a silent feed, a kill and the end are seen within one tick."""

HEDGE_POLL_NS = NS_PER_S
"""How often the loop looks for hedges booked by the hedging job."""

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
    """Drives a worker until told to stop.

    Epochs are cut by time from the start of the run. While the kill switch holds none closes; after
    the release those in between close one after the other. `stopping` and `kill_heard` are asked
    once for every event or tick. `inputs` says what holds in an epoch; `new_hedges` returns hedges
    the worker has not booked.
    """

    worker: QuotingWorker
    clock: Clock
    started_at_ns: Nanos
    epoch_length_ns: int
    stopping: Callable[[], bool]
    kill_heard: Callable[[], bool]
    inputs: Callable[[int], EpochInputs]
    new_hedges: Callable[[int], tuple[Fill, ...]]
    epoch: int = 0
    _poll_at_ns: int = 0
    _kill_obeyed: bool = False

    def run(self, intake: Intake) -> int:
        """Quote until told to stop or the feed is over; return the number of epochs closed.

        Whatever ends it, everything open is cancelled.
        """
        worker = self.worker
        worker.begin_epoch(0, started_at_ns=self.started_at_ns, inputs=self.inputs(0))
        try:
            while not self.stopping() and not intake.ended:
                event = intake.take(TICK_S)
                if self.kill_heard() and not self._kill_obeyed:
                    self._kill_obeyed = True
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

    def _keep_epochs(self, now_ns: Nanos) -> None:
        worker = self.worker
        while now_ns >= (boundary_ns := self._boundary_ns()) and not worker.killed:
            try:
                worker.end_epoch(boundary_ns)
            except JournalStalled:
                return  # the epoch stays open until the journal takes what belongs to it
            self.epoch += 1
            inputs = self.inputs(self.epoch)
            worker.begin_epoch(self.epoch, started_at_ns=boundary_ns, inputs=inputs)
        if now_ns >= self._poll_at_ns:
            self._poll_at_ns = now_ns + HEDGE_POLL_NS
            for fill in self.new_hedges(self.epoch):
                worker.book_hedge(fill)

    def _boundary_ns(self) -> Nanos:
        return Nanos(self.started_at_ns + (self.epoch + 1) * self.epoch_length_ns)

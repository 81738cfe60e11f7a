"""Play a feed through the worker, epoch by epoch."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TypeAlias

from dmm.ports import Feed
from dmm.quoting.decision import SliceSummary
from dmm.units.errors import UsageFault
from dmm.units.time import Nanos
from dmm.usecases.quote import QuotingWorker
from dmm.usecases.situation import EpochInputs

OnBoundary: TypeAlias = Callable[[int, SliceSummary], EpochInputs]
"""Called with every closed epoch; returns what holds in the next one."""


class PlayEnd(StrEnum):
    """How a play ended."""

    COMPLETED = "completed"
    KILLED = "killed"
    """The kill switch holds. After its release the same play goes on where this one stopped."""


def equal_boundaries(*, started_at_ns: int, ended_at_ns: int, epochs: int) -> tuple[Nanos, ...]:
    """Cut a span into equal epochs and return their ends; the last lies just after the span.

    Raises
    ------
    UsageFault
        If there is no epoch, or less than a nanosecond for each.
    """
    span_ns = ended_at_ns + 1 - started_at_ns
    if not 0 < epochs <= span_ns:
        raise UsageFault(f"cannot cut {span_ns} ns into {epochs} epochs: ask for 1 to {span_ns}")
    return tuple(Nanos(started_at_ns + span_ns * (n + 1) // epochs) for n in range(epochs))


def play(
    feed: Feed,
    worker: QuotingWorker,
    *,
    first: EpochInputs,
    boundaries: Sequence[Nanos],
    on_boundary: OnBoundary,
) -> PlayEnd:
    """Play a feed from its start to the last boundary; every epoch closes a slice, even if empty.

    Epoch 0 starts with the feed's first event. An event at or after a boundary belongs to the next
    epoch. The worker's orders are cancelled however the play ends.

    Parameters
    ----------
    feed : its events by `received_at_ns`
    worker : fresh, of the run's id
    first : what holds in epoch 0
    boundaries : ends of the epochs, rising, at least one
    on_boundary : runs what runs between two epochs

    Raises
    ------
    UsageFault
        If the boundaries do not rise, or there is none.
    """
    if not boundaries or any(b <= a for a, b in itertools.pairwise(boundaries)):
        raise UsageFault("an epoch must end after the one before: give rising boundaries")
    try:
        return _play(feed, worker, first, boundaries, on_boundary)
    finally:
        worker.shutdown()


def _play(
    feed: Feed,
    worker: QuotingWorker,
    first: EpochInputs,
    boundaries: Sequence[Nanos],
    on_boundary: OnBoundary,
) -> PlayEnd:
    epoch = -1
    boundary_ns = Nanos(-1)
    inputs = first
    on_event = worker.on_event
    for event in feed.events():
        if event.received_at_ns >= boundary_ns:
            if epoch < 0:
                epoch, boundary_ns = 0, boundaries[0]
                started_at_ns = min(event.received_at_ns, boundary_ns)
                worker.begin_epoch(0, started_at_ns=started_at_ns, inputs=first)
            while not worker.killed and event.received_at_ns >= boundary_ns:
                inputs = on_boundary(epoch, worker.end_epoch(boundary_ns))
                epoch += 1
                if epoch == len(boundaries):
                    return PlayEnd.COMPLETED
                worker.begin_epoch(epoch, started_at_ns=boundary_ns, inputs=inputs)
                boundary_ns = boundaries[epoch]
        if worker.killed:
            return PlayEnd.KILLED
        on_event(event)
    return _finish(worker, max(epoch, 0), boundaries, on_boundary, started=epoch >= 0, first=first)


def _finish(
    worker: QuotingWorker,
    epoch: int,
    boundaries: Sequence[Nanos],
    on_boundary: OnBoundary,
    *,
    started: bool,
    first: EpochInputs,
) -> PlayEnd:
    """Close what is open when the feed ends before the last boundary."""
    if not started:
        worker.begin_epoch(0, started_at_ns=boundaries[0], inputs=first)
    while not worker.killed:
        inputs = on_boundary(epoch, worker.end_epoch(boundaries[epoch]))
        epoch += 1
        if epoch == len(boundaries):
            return PlayEnd.COMPLETED
        worker.begin_epoch(epoch, started_at_ns=boundaries[epoch - 1], inputs=inputs)
    return PlayEnd.KILLED

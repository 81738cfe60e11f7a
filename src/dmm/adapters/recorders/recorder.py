"""The recorder: one venue's messages, as they came, into one file.

Connections read and stamp messages, a writer brings them to the disk in a thread of its own, and
after a gap the book is fetched anew. Each ends the recording with its fault; what was received
until then is written and the file is ended properly, unless it is the disk that failed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

from dmm.adapters.recorders.book import BookSource
from dmm.adapters.recorders.connections import Connections, end
from dmm.adapters.recorders.intake import Intake
from dmm.adapters.recorders.limits import Limits
from dmm.adapters.recorders.tally import Recorded
from dmm.adapters.recorders.tape_file import TapeFile
from dmm.adapters.recorders.venue import Venue
from dmm.ports import Clock
from dmm.units.errors import Fault, ServiceFault
from dmm.units.time import NS_PER_S


class Recorder:
    """One recording; made and run inside an event loop.

    Parameters
    ----------
    venue : whose messages
    tape : where they go; ended by `run`
    clock : stamps received times
    rng : spreads the delays before a new try
    limits : every bound
    notify : told in words what happens meanwhile
    """

    def __init__(
        self,
        venue: Venue,
        tape: TapeFile,
        *,
        clock: Clock,
        rng: random.Random,
        limits: Limits,
        notify: Callable[[str], None],
    ) -> None:
        self._venue = venue
        self._tape = tape
        self._limits = limits
        self._intake = Intake(venue, clock=clock, limits=limits, notify=notify)
        self._book = BookSource(venue, self._intake, rng=rng, limits=limits, notify=notify)
        self._connections = Connections(
            venue, self._intake, self._book, rng=rng, limits=limits, notify=notify
        )

    async def run(self, *, stop: asyncio.Event, seconds_max: float | None) -> Recorded:
        """Record until `stop` is set or the time is over.

        Parameters
        ----------
        stop : ends the recording cleanly
        seconds_max : > 0; None for no end

        Raises
        ------
        UsageFault
            If the venue does not know the symbol.
        ServiceFault
            If the venue cannot be reached or refuses, no snapshot comes, or the disk takes no more.
        """
        writer = asyncio.create_task(self._write())
        work = asyncio.create_task(self._connections.follow())
        lost = asyncio.create_task(self._book.lost())
        ends = {writer, work, lost, asyncio.create_task(stop.wait())}
        try:
            await asyncio.wait(ends, timeout=seconds_max, return_when=asyncio.FIRST_COMPLETED)
            fault = lost.result() if lost.done() else _fault_of(work)
            await end(ends - {writer})
            await self._book.close()
            self._intake.buffer.close()
            await writer
        finally:
            await end(ends)
            await self._book.close()
        return self._finish(fault)

    async def _write(self) -> None:
        loop, buffer, limits = asyncio.get_running_loop(), self._intake.buffer, self._limits
        due_s = loop.time() + limits.flush_s
        while not buffer.is_over:
            lines = await buffer.gather(limits.write_every_s)
            if lines:
                await asyncio.to_thread(self._tape.write, lines)
            if loop.time() >= due_s:
                await asyncio.to_thread(self._tape.flush)
                due_s = loop.time() + limits.flush_s

    def _finish(self, fault: Fault | None) -> Recorded:
        tape, intake, venue = self._tape, self._intake, self._venue
        tally = intake.tally
        if not tape.lines:
            raise fault or ServiceFault(
                f"{venue.name} sent nothing about {venue.symbol}, so no file was made: record for "
                "longer, or check --url"
            )
        file_bytes = tape.finish()
        if fault is not None:
            text = f"{fault}; the {tape.lines} lines until then are whole in {tape.out}"
            raise ServiceFault(text) from fault
        return Recorded(
            file=str(tape.out),
            venue=venue.name,
            symbol=venue.symbol,
            seconds=(intake.last_ns - intake.first_ns) / NS_PER_S,
            messages=tally.messages,
            by_stream=dict(tally.by_stream),
            silent=tuple(name for name in venue.streams if not tally.by_stream[name]),
            snapshots=tally.snapshots,
            snapshots_refused=tally.snapshots_refused,
            gaps=tally.gaps,
            reconnects=tally.reconnects,
            rollovers=tally.rollovers,
            duplicates=tally.duplicates,
            unusable=tally.unusable,
            stalls=tally.stalls,
            raw_bytes=tape.raw_bytes,
            file_bytes=file_bytes,
            clock_offset_ms=tally.clock_offset_ms,
        )


def _fault_of(task: asyncio.Task[Any]) -> Fault | None:
    """Return the fault a task ended with; what is no fault of ours is raised."""
    if not task.done() or task.cancelled():
        return None
    error = task.exception()
    if error is None or isinstance(error, Fault):
        return error
    raise error

"""The book over REST: whether the venue knows the symbol, and a snapshot after each gap."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from dmm.adapters.recorders.intake import UNSHAPED, Intake
from dmm.adapters.recorders.limits import BackOff, Limits
from dmm.adapters.recorders.rest import Busy, Rest, shown
from dmm.adapters.recorders.venue import Venue
from dmm.units.errors import Fault, Retryable, ServiceFault


class BookSource:
    """Asks a venue's REST interface for one recording; made inside an event loop.

    Parameters
    ----------
    venue : knows the paths, and whether a snapshot is wanted
    intake : takes snapshots
    rng : spreads the delays
    limits : `first_attempts_max`, `snapshot_tries_max`, delays
    notify : told why it asks again
    """

    def __init__(
        self,
        venue: Venue,
        intake: Intake,
        *,
        rng: random.Random,
        limits: Limits,
        notify: Callable[[str], None],
    ) -> None:
        self._venue = venue
        self._intake = intake
        self._rng = rng
        self._limits = limits
        self._notify = notify
        self._rest = Rest(venue.rest_url, venue=venue.name, answer_s_max=limits.answer_s_max)
        self._fetching: asyncio.Task[None] | None = None
        self._lost: asyncio.Future[Fault] = asyncio.get_running_loop().create_future()

    async def require_symbol(self) -> None:
        """Ask for something only a known symbol has.

        Raises
        ------
        UsageFault
            If the venue does not know it.
        ServiceFault
            If it cannot be reached or refuses us.
        """
        delays = BackOff(self._limits, self._rng)
        for left in reversed(range(self._limits.first_attempts_max)):
            try:
                await self._rest.get(self._venue.symbol_path)
            except Retryable as fault:
                if not left:
                    raise ServiceFault(f"{fault}: check --rest-url and the network") from fault
                await self._pause(fault, delays)
            else:
                return

    def mend(self) -> None:
        """Begin to fetch a snapshot where one is wanted and none is on its way."""
        if self._fetching is not None and self._fetching.done():
            self._fetching = None
        if self._venue.wants_snapshot and self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch_or_lose())

    async def lost(self) -> Fault:
        """Wait until a wanted snapshot cannot be had, and return why."""
        return await self._lost

    async def close(self) -> None:
        """Stop asking and give connections back."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)
            self._fetching = None
        await self._rest.close()

    async def _fetch_or_lose(self) -> None:
        try:
            await self._fetch()
        except Fault as fault:
            if not self._lost.done():
                self._lost.set_result(fault)

    async def _fetch(self) -> None:
        delays, tries = BackOff(self._limits, self._rng), self._limits.snapshot_tries_max
        fault = Retryable("the snapshot is older than the updates it is to carry")
        for _try in range(tries):
            try:
                if await self._take_snapshot():
                    return
            except Retryable as met:
                fault = met
            self._intake.tally.snapshots_refused += 1
            await self._pause(fault, delays)
        raise ServiceFault(
            f"{self._venue.name} gave no usable snapshot of {self._venue.symbol} in {tries} tries "
            f"({fault}): record again later"
        )

    async def _take_snapshot(self) -> bool:
        body = await self._rest.get(self._venue.snapshot_path)
        try:
            return self._intake.take_snapshot(body)
        except UNSHAPED as error:
            raise Retryable(f"the snapshot is no book ({error!r}): {shown(body)}") from error

    async def _pause(self, fault: Retryable, delays: BackOff) -> None:
        delay_s = delays.next_s()
        if isinstance(fault, Busy):
            delay_s = max(delay_s, fault.after_s)
        self._notify(f"{fault}; asking again in {delay_s:.1f} s")
        await asyncio.sleep(delay_s)

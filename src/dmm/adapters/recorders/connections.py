"""Connections to a venue, one after the other: kept alive, replaced before they age, made anew."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, InvalidURI, WebSocketException

from dmm.adapters.recorders.book import BookSource
from dmm.adapters.recorders.intake import Intake, Resync
from dmm.adapters.recorders.limits import FRAME_BYTES_MAX, BackOff, Limits
from dmm.adapters.recorders.rest import BANNED, shown
from dmm.adapters.recorders.venue import Venue
from dmm.units.errors import ServiceFault

PASSING = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT, BANNED})
"""Refusals of a connection that pass by themselves, beside all server errors."""


class Connections:
    """Feeds an intake until cancelled.

    Parameters
    ----------
    venue : where to connect and what to ask for
    intake : takes messages
    book : mended after each message
    rng : spreads the delays
    limits : of connections
    notify : told of each new try
    """

    def __init__(
        self,
        venue: Venue,
        intake: Intake,
        book: BookSource,
        *,
        rng: random.Random,
        limits: Limits,
        notify: Callable[[str], None],
    ) -> None:
        self._venue = venue
        self._intake = intake
        self._book = book
        self._rng = rng
        self._limits = limits
        self._notify = notify
        self._pumps: set[asyncio.Task[None]] = set()

    async def follow(self) -> None:
        """Connect, and connect again, until cancelled or the venue is given up.

        Raises
        ------
        UsageFault
            If the venue does not know the symbol.
        ServiceFault
            If it cannot be reached or refuses.
        """
        await self._book.require_symbol()
        loop, tally = asyncio.get_running_loop(), self._intake.tally
        delays, failures = BackOff(self._limits, self._rng), 0
        while True:
            began_s, before = loop.time(), tally.messages
            try:
                await self._connection()
                reason = "the connection was closed"
            except (OSError, WebSocketException, Resync) as error:
                reason = _reason(error)
            finally:
                await end(self._pumps)
                self._pumps.clear()
            failures = 0 if tally.messages > before else failures + 1
            if failures >= self._failures_max:
                raise ServiceFault(
                    f"{self._venue.name} gave no message in {failures} connections in a row "
                    f"({reason}): check --url and the network"
                )
            delay_s = delays.next_s(lived_s=loop.time() - began_s)
            tally.reconnects += 1
            self._notify(f"{reason}; connecting again in {delay_s:.1f} s")
            await asyncio.sleep(delay_s)

    @property
    def _failures_max(self) -> int:
        limits = self._limits
        return limits.attempts_max if self._intake.tally.messages else limits.first_attempts_max

    async def _connection(self) -> None:
        """Follow one connection, or one after the other that overlap, until one ends unasked."""
        pump = self._start_pump()
        rollover_s = self._limits.rollover_s if self._venue.rolls_over else None
        while True:
            await asyncio.wait({pump}, timeout=rollover_s)
            if pump.done():
                return pump.result()
            pump = await self._roll_over(pump)

    def _start_pump(self) -> asyncio.Task[None]:
        pump = asyncio.create_task(self._pump())
        self._pumps.add(pump)
        return pump

    async def _roll_over(self, old: asyncio.Task[None]) -> asyncio.Task[None]:
        new = self._start_pump()
        await asyncio.wait(
            {old, new}, timeout=self._limits.overlap_s, return_when=asyncio.FIRST_COMPLETED
        )
        if new.done():
            kept, ended = old, new
            self._notify("the connection grows old, and a second one could not be had")
        else:
            kept, ended = new, old
            self._intake.tally.rollovers += 1
        await end({ended})
        self._pumps.discard(ended)
        return kept

    async def _pump(self) -> None:
        limits = self._limits
        async with connect(
            self._venue.socket_url,
            open_timeout=limits.connect_s_max,
            ping_interval=limits.ping_every_s,
            ping_timeout=limits.pong_s_max,
            close_timeout=limits.close_s_max,
            max_size=FRAME_BYTES_MAX,
        ) as socket:
            self._venue.connected()
            for text in self._venue.subscriptions:
                await socket.send(text)
            while True:
                frame = await socket.recv(decode=False)
                self._intake.take(frame, is_doubled=len(self._pumps) > 1)
                self._book.mend()
                await self._intake.room()


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until they are gone; what they raise was seen by whoever waited."""
    ending = list(tasks)
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)


def _reason(error: Exception) -> str:
    """Return why a connection ended.

    Raises
    ------
    ServiceFault
        If another connection would end the same way.
    """
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, InvalidURI):
        raise ServiceFault(f"{text}: check --url") from error
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        is_ours = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
        if is_ours and status not in PASSING:
            said = shown(bytes(error.response.body or b""))
            raise ServiceFault(
                f"the venue refuses the connection with {status} ({said}): check --url, and "
                "whether it serves this place"
            ) from error
    return text

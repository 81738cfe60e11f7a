"""Lines on their way from the socket to the disk: bounded by bytes, none ever dropped."""

from __future__ import annotations

import asyncio
import contextlib


class LineBuffer:
    """A queue of lines between the tasks of one event loop.

    Parameters
    ----------
    bytes_max : from there on whoever adds has to wait for room, > 0
    """

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._lines: list[bytes] = []
        self._bytes = 0
        self._is_closed = False
        self._urgent = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    @property
    def is_full(self) -> bool:
        """Tell whether `room` would wait."""
        return not self._room.is_set()

    @property
    def is_over(self) -> bool:
        """Tell whether no lines are left and none will come."""
        return self._is_closed and not self._lines

    def add(self, line: bytes) -> None:
        """Add a line, at once: the caller may be cancelled, the line may not get lost."""
        self._lines.append(line)
        self._bytes += len(line)
        if self._bytes >= self._bytes_max:
            self._room.clear()
            self._urgent.set()

    async def room(self) -> None:
        """Wait until there is room again."""
        await self._room.wait()

    async def gather(self, seconds_max: float) -> list[bytes]:
        """Return what was added in some time, in less when there is no room or it is closed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds_max):
                await self._urgent.wait()
        lines, self._lines, self._bytes = self._lines, [], 0
        self._room.set()
        if not self._is_closed:
            self._urgent.clear()
        return lines

    def close(self) -> None:
        """Say that no more lines come."""
        self._is_closed = True
        self._urgent.set()

"""The event loop that all TON clients of a process live on.

pytoniq is asynchronous and the desk's ports are not: every question waits here for its answer, for
a bounded time.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


class Loop:
    """An event loop in a thread of its own, for as long as the process lives."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        # Background tasks of a dead connection end with errors that nobody waits for.
        self._loop.set_exception_handler(lambda _loop, _context: None)
        threading.Thread(target=self._loop.run_forever, name="ton", daemon=True).start()

    def run(self, work: Coroutine[Any, Any, T], *, s_max: float) -> T:
        """Return what a coroutine returns; `TimeoutError` when it takes too long."""
        return asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, s_max), self._loop).result(
            s_max + 1
        )

    def start(self, work: Coroutine[Any, Any, object]) -> None:
        """Let a coroutine run and wait for nothing."""
        asyncio.run_coroutine_threadsafe(work, self._loop)


@cache
def shared_loop() -> Loop:
    """Return the process's loop, started on the first call."""
    return Loop()

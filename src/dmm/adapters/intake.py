"""A feed in a thread of its own: the worker takes events when it can, and never falls behind."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Self

from dmm import observe
from dmm.market.conflate import conflate
from dmm.market.tape import FeedEvent, TradePrint
from dmm.ports import Feed

PENDING_MAX = 1_024
"""Events that may wait; one more folds them."""

JOIN_S_MAX = 5.0
"""How long `close` waits for the feed's thread, seconds."""


class Intake:
    """Takes a feed's events in a thread and hands them over one by one.

    What waits is bounded: when `PENDING_MAX` events wait they are conflated. Should distinct trades
    alone reach the bound, the oldest are dropped, counted in `dropped`, and the fact is logged: the
    reader sees it in `lossy` and must treat what it knows of trades as incomplete.
    """

    def __init__(self, feed: Feed, *, pending_max: int = PENDING_MAX) -> None:
        """Prepare to read a feed; nothing is read before the context is entered.

        Parameters
        ----------
        feed : read from its start, once
        pending_max : events that may wait, >= 4
        """
        self._feed = feed
        self._pending_max = pending_max
        self._pending: deque[FeedEvent] = deque()
        self._changed = threading.Condition()
        self._fault: BaseException | None = None
        self._ended = self._closed = False
        self._thread = threading.Thread(target=self._read, name="intake", daemon=True)
        self.conflated = 0
        self.dropped = 0

    def __enter__(self) -> Self:
        """Begin to read."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop reading."""
        self.close()

    @property
    def lossy(self) -> bool:
        """Tell whether trades were dropped."""
        return self.dropped > 0

    @property
    def ended(self) -> bool:
        """Tell whether the feed is over and everything was taken; a fault counts as to be taken."""
        with self._changed:
            return self._ended and not self._pending and self._fault is None

    def take(self, timeout_s: float) -> FeedEvent | None:
        """Return the next event; None when none came in time, the feed is over, or after `wake`.

        Parameters
        ----------
        timeout_s : longest wait, seconds

        Raises
        ------
        Fault
            What the feed raised, once everything before it was taken.
        """
        with self._changed:
            if not self._pending and not self._ended:
                self._changed.wait(timeout_s)
            if self._pending:
                return self._pending.popleft()
            if self._fault is not None:
                raise self._fault
            return None

    def wake(self) -> None:
        """End the present wait of `take`; from any thread, not from a signal handler."""
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """Stop reading; what waits is forgotten."""
        with self._changed:
            self._closed = True
            self._pending.clear()
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(JOIN_S_MAX)

    def _read(self) -> None:
        try:
            for event in self._events():
                self._put(event)
        except BaseException as fault:  # noqa: BLE001 - handed to the reader, whatever it is
            self._fault = fault
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _events(self) -> Iterator[FeedEvent]:
        for event in self._feed.events():
            if self._closed:
                return
            yield event

    def _put(self, event: FeedEvent) -> None:
        with self._changed:
            if self._closed:
                return
            if len(self._pending) >= self._pending_max:
                self._fold()
            self._pending.append(event)
            self._changed.notify()

    def _fold(self) -> None:
        before = len(self._pending)
        folded = conflate(self._pending)
        # Room for as many again: folding at every event would make a full queue slow.
        surplus = len(folded) - self._pending_max // 2
        if surplus > 0:
            trades = [event for event in folded if isinstance(event, TradePrint)][surplus:]
            states = [event for event in folded if not isinstance(event, TradePrint)]
            folded = [*trades, *states]
            self.dropped += surplus
        self.conflated += before - len(folded)
        self._pending = deque(folded)
        observe.conflated(events=before - len(folded), dropped=max(0, surplus))

"""The kill: block new orders first, then cancel until nothing is open.

It needs the ids of open orders and nothing else: no price, no position, no estimate, no journal.
What it imports says so, and a test holds it to that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from dmm.units.errors import UsageFault

CANCEL_BATCH_MAX = 100
"""Cancels handed over at once, unless told otherwise."""

ROUNDS_MAX = 20
"""Times the same order is cancelled before a person is called."""

_OVER = ROUNDS_MAX + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """A kill on its way: new orders are blocked from the moment this value exists.

    `waiting` are ids whose cancel was not sent in this round; `sent` those whose end is awaited.
    """

    waiting: tuple[str, ...]
    sent: tuple[str, ...] = ()
    rounds: int = 1

    @property
    def blocks_orders(self) -> bool:
        """Tell that no order may be sent: always, also when everything is cancelled."""
        return True

    @property
    def is_done(self) -> bool:
        """Tell whether no order is left."""
        return not self.waiting and not self.sent

    @property
    def needs_a_person(self) -> bool:
        """Tell whether orders are left after `ROUNDS_MAX` rounds: go to the venue by hand."""
        return self.rounds > ROUNDS_MAX and not self.is_done

    def batch(self, *, batch_max: int = CANCEL_BATCH_MAX) -> tuple[tuple[str, ...], Kill]:
        """Return ids to cancel now, and the kill once their cancels are sent; no ids: all are sent.

        Parameters
        ----------
        batch_max : ids at once, > 0
        """
        if batch_max <= 0:
            raise UsageFault(f"a batch of cancels must be at least 1, got {batch_max}")
        now, later = self.waiting[:batch_max], self.waiting[batch_max:]
        return now, replace(self, waiting=later, sent=(*self.sent, *now))

    def again(self) -> Kill:
        """Return the next round: what was sent and is still there waits to be cancelled again.

        After `ROUNDS_MAX` rounds nothing waits any more: `needs_a_person`.
        """
        if self.rounds >= ROUNDS_MAX:
            return replace(self, waiting=(), sent=(*self.sent, *self.waiting), rounds=_OVER)
        return Kill(waiting=(*self.sent, *self.waiting), rounds=self.rounds + 1)

    def gone(self, client_ids: Iterable[str]) -> Kill:
        """Return the kill after the venue said that orders ended."""
        ended = frozenset(client_ids)
        return replace(
            self,
            waiting=tuple(one for one in self.waiting if one not in ended),
            sent=tuple(one for one in self.sent if one not in ended),
        )


def begin_kill(open_ids: Iterable[str]) -> Kill:
    """Return a kill of these orders; ids given twice are cancelled once.

    Parameters
    ----------
    open_ids : of every order that may still fill, also those already being cancelled
    """
    return Kill(waiting=tuple(dict.fromkeys(open_ids)))

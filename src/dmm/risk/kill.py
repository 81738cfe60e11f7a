"""The kill, after its first cancel: once a second again, until nothing is open or a person comes.

It needs to know how many orders are open and nothing else: no price, no position, no estimate, no
journal. What it imports says so, and a test holds it to that.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dmm.units.time import NS_PER_S, Nanos

ROUND_NS = NS_PER_S
"""Pause between two rounds of cancels: a venue that is slow is not one that lost a cancel."""

ROUNDS_MAX = 20
"""Rounds after the first cancel before a person is called."""


class KillAct(StrEnum):
    """What a look asks for."""

    NOTHING = "nothing"
    CANCEL = "cancel"
    CALL_A_PERSON = "call_a_person"
    """Orders are left after every round: somebody must go to the venue by hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KillRounds:
    """How far a kill has come; `rounds` counts those after the first cancel."""

    next_at_ns: Nanos
    rounds: int = 0
    is_over: bool = False

    def is_due(self, now_ns: Nanos) -> bool:
        """Tell whether to look at what is open: once a second until the kill is over."""
        return not self.is_over and now_ns >= self.next_at_ns

    def after_look(
        self, now_ns: Nanos, *, at_venue: int, in_books: int
    ) -> tuple[KillRounds, KillAct]:
        """Return the kill after a look that was due, and what to do.

        Parameters
        ----------
        now_ns : of the look
        at_venue : orders that the venue reports open, >= 0
        in_books : orders that we think may still fill, >= 0; their end may be on its way
        """
        if not at_venue and not in_books:
            return KillRounds(next_at_ns=now_ns, rounds=self.rounds, is_over=True), KillAct.NOTHING
        if self.rounds >= ROUNDS_MAX:
            over = KillRounds(next_at_ns=now_ns, rounds=self.rounds, is_over=True)
            return over, KillAct.CALL_A_PERSON
        went_on = KillRounds(next_at_ns=Nanos(now_ns + ROUND_NS), rounds=self.rounds + 1)
        return went_on, KillAct.CANCEL if at_venue else KillAct.NOTHING


def begin_kill(now_ns: Nanos) -> KillRounds:
    """Return a kill whose first cancel, for everything at once, was just sent."""
    return KillRounds(next_at_ns=Nanos(now_ns + ROUND_NS))

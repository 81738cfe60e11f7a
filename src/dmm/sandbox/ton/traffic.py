"""Messages under way between contracts, in any order that the chain itself could have chosen.

The network keeps the order of messages from one account to another and promises nothing else: two
messages of different pairs may arrive either way around, in the same block or many blocks apart.
"""

from __future__ import annotations

from collections import OrderedDict, deque

from dmm.sandbox.ton.machine import Machine, Message, Transaction
from dmm.units.errors import InvariantBroken

PENDING_MAX = 10_000

Pair = tuple[str, str]
"""Source and destination: between two accounts the order is kept."""


class Traffic:
    """Queues by pair of accounts; each delivery takes the head of one of them."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._queues: OrderedDict[Pair, deque[Message]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        """Return how many messages are under way."""
        return self._count

    def send(self, message: Message) -> None:
        """Put a message on its way.

        Raises
        ------
        InvariantBroken
            If more than `PENDING_MAX` are under way: something sends to itself for ever.
        """
        if self._count >= PENDING_MAX:
            raise InvariantBroken(f"more than {PENDING_MAX} messages are under way")
        pair = (message.source, message.destination)
        self._queues.setdefault(pair, deque()).append(message)
        self._count += 1

    def heads(self) -> list[Message]:
        """Return the messages that may be next, oldest pair first."""
        return [queue[0] for queue in self._queues.values()]

    def waiting(self) -> list[Pair]:
        """Return the pair of every message under way, oldest pair first."""
        return [pair for pair, queue in self._queues.items() for _ in queue]

    def deliver(self, choice: int = 0) -> Transaction:
        """Deliver one of `heads` and put what it sends on its way.

        Parameters
        ----------
        choice : which of the heads, 0 for the first
        """
        return self.deliver_from(list(self._queues)[choice])

    def deliver_from(self, pair: Pair) -> Transaction:
        """Deliver the next message of a pair that has one."""
        message = self._take(pair)
        done = self._machine.deliver(message)
        for sent in done.out:
            self.send(sent)
        return done

    def drop(self, choice: int = 0) -> Message:
        """FAULT: lose a message that may be next, and return it."""
        return self._take(list(self._queues)[choice])

    def settle(self) -> list[Transaction]:
        """Deliver oldest first until nothing is under way; return what happened, in order."""
        done = []
        while self._queues:
            done.append(self.deliver())
        return done

    def clear(self) -> None:
        """Forget everything under way."""
        self._queues.clear()
        self._count = 0

    def _take(self, pair: Pair) -> Message:
        queue = self._queues[pair]
        message = queue.popleft()
        self._count -= 1
        if queue:
            # To the end, so that `settle` serves pairs in turn.
            self._queues.move_to_end(pair)
        else:
            del self._queues[pair]
        return message

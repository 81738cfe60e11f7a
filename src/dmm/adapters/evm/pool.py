"""Several nodes asked the same: an answer counts when a quorum gives it and nobody another.

Those that failed lately rest while the others are enough.

A node that is down costs a timeout each time it is asked. It rests for some questions, counted and
not timed, so that the same questions always go to the same nodes; when the others are too few it is
asked all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from dmm.adapters.evm.node import NoAnswer, Node, NodeRefused, WrongChain
from dmm.settlement.quorum import agreed
from dmm.units.errors import Retryable, ServiceFault

T = TypeVar("T")

REST_ASKS = 32
"""Questions for which a node that failed is left out."""


class Pool:
    """Nodes of one chain with their health."""

    def __init__(self, nodes: Sequence[Node], *, quorum: int) -> None:
        """Take the nodes, best first; `quorum` answers are wanted, >= 1."""
        self._nodes = list(nodes)
        self._quorum = quorum
        self._rests = [0] * len(self._nodes)

    @property
    def nodes(self) -> Sequence[Node]:
        """Return every node, best first."""
        return self._nodes

    @property
    def quorum(self) -> int:
        """Return how many answers are wanted."""
        return self._quorum

    def agreed(self, question: Callable[[Node], T]) -> T | None:
        """Return what a quorum says alike; None when too few answer or one differs."""
        answers, _ = self.ask(question)
        return agreed(answers, quorum=self._quorum)

    def read(self, question: Callable[[Node], T], *, what: str) -> T:
        """Return what a quorum says alike.

        Raises
        ------
        Retryable
            If nodes are silent or contradict one another; `what` tells about what.
        ServiceFault
            If every node is on another chain.
        """
        answers, faults = self.ask(question)
        if len(answers) < self._quorum:
            raise too_few(faults)
        found = agreed(answers, quorum=self._quorum)
        if found is None:
            raise Retryable(
                f"the EVM nodes contradict one another about {what}: one lies or lags; ask again, "
                "then take the odd one out of DMM_EVM_RPC_URLS"
            )
        return found

    def ask(self, question: Callable[[Node], T]) -> tuple[list[T], list[Exception]]:
        """Return answers and faults: of the nodes that are well, and of resting ones if need be."""
        answers: list[T] = []
        faults: list[Exception] = []
        resting = [place for place, left in enumerate(self._rests) if left]
        well = [place for place, left in enumerate(self._rests) if not left]
        for place in well:
            self._ask(place, question, answers, faults)
        for place in resting:
            self._rests[place] -= 1
            if len(answers) < self._quorum:
                self._ask(place, question, answers, faults)
        return answers, faults

    def _ask(
        self,
        place: int,
        question: Callable[[Node], T],
        answers: list[T],
        faults: list[Exception],
    ) -> None:
        try:
            answers.append(question(self._nodes[place]))
        except NodeRefused as fault:
            # It is well and does not know: a lagging or pruned node.
            faults.append(fault)
        except NoAnswer as fault:
            self._rests[place] = REST_ASKS
            faults.append(fault)
        else:
            self._rests[place] = 0


def too_few(faults: Sequence[Exception]) -> Retryable | ServiceFault:
    """Return the fault that too few nodes answered; for good when all are on another chain."""
    text = "; ".join(str(fault) for fault in faults)
    if faults and all(isinstance(fault, WrongChain) for fault in faults):
        return ServiceFault(text)
    return Retryable(f"too few EVM nodes answer: {text}")

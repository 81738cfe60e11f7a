"""Several nodes asked the same: those that failed lately rest while the others are enough.

A node that is down costs a timeout each time it is asked. It rests for some questions, counted and
not timed, so that the same questions always go to the same nodes; when the others are too few it is
asked all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from dmm.adapters.evm.node import NoAnswer, Node, NodeRefused

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

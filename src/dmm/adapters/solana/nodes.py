"""Several nodes asked the same: what a quorum says alike, or nothing.

A node that is down costs a timeout each time it is asked. It rests for some questions, counted and
not timed, so that the same questions always go to the same nodes; when the others are too few it is
asked all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from dmm.adapters.solana.codec import chain_id_of
from dmm.adapters.solana.node import NoAnswer, Node, NodeRefused, WrongChain
from dmm.settlement.quorum import agreed
from dmm.units.errors import Permanent, Retryable, ServiceFault

T = TypeVar("T")

REST_ASKS = 32
"""Questions for which a node that did not answer is left out."""


class Nodes:
    """The configured nodes of one cluster, with their health."""

    def __init__(self, rpc_urls: Sequence[str], *, genesis_hash: str, quorum: int) -> None:
        """Describe the nodes, best first; nothing is asked yet.

        Parameters
        ----------
        genesis_hash : what each node must answer, base 58
        quorum : nodes that must agree, >= 1; all of them where fewer are configured

        Raises
        ------
        ServiceFault
            If no node is configured, or the genesis hash is none.
        """
        if not rpc_urls:
            raise ServiceFault("no Solana node is configured: set DMM_SOLANA_RPC_URLS")
        try:
            self.chain_id = chain_id_of(genesis_hash)
        except Permanent as fault:
            raise ServiceFault(f"{fault}: set DMM_SOLANA_GENESIS_HASH") from fault
        self.all = [Node(url, genesis_hash=genesis_hash) for url in rpc_urls]
        self.quorum = min(quorum, len(self.all))
        self._rests = [0] * len(self.all)

    def ask(self, question: Callable[[Node], T]) -> tuple[list[tuple[Node, T]], list[Exception]]:
        """Return answers and faults: of the nodes that are well, and of resting ones if need be."""
        answers: list[tuple[Node, T]] = []
        faults: list[Exception] = []
        resting = [place for place, left in enumerate(self._rests) if left]
        for place in [place for place, left in enumerate(self._rests) if not left]:
            self._ask(place, question, answers, faults)
        for place in resting:
            self._rests[place] -= 1
            if len(answers) < self.quorum:
                self._ask(place, question, answers, faults)
        return answers, faults

    def known(self, question: Callable[[Node], T]) -> T | None:
        """Return what a quorum says alike; None when too few answer or one differs."""
        answers, _ = self.ask(question)
        return agreed([answer for _, answer in answers], quorum=self.quorum)

    def agreed(self, question: Callable[[Node], T], *, what: str) -> T:
        """Return what a quorum says alike.

        Raises
        ------
        Retryable
            If too few answer, or one contradicts.
        ServiceFault
            If all that answer are on another cluster.
        """
        answers, faults = self.ask(question)
        if len(answers) < self.quorum:
            raise silent(faults)
        found = agreed([answer for _, answer in answers], quorum=self.quorum)
        if found is None:
            raise Retryable(
                f"the Solana nodes contradict one another about {what}: one lies or lags; ask "
                "again, then take the odd one out of DMM_SOLANA_RPC_URLS"
            )
        return found

    def _ask(
        self,
        place: int,
        question: Callable[[Node], T],
        answers: list[tuple[Node, T]],
        faults: list[Exception],
    ) -> None:
        node = self.all[place]
        try:
            answers.append((node, question(node)))
        except NodeRefused as fault:
            # It is well and does not know: a lagging or pruned node.
            faults.append(fault)
        except NoAnswer as fault:
            self._rests[place] = REST_ASKS
            faults.append(fault)
        else:
            self._rests[place] = 0


def silent(faults: Sequence[Exception]) -> Retryable | ServiceFault:
    """Return the fault of nodes that did not answer."""
    text = "; ".join(str(fault) for fault in faults)
    if faults and all(isinstance(fault, WrongChain) for fault in faults):
        return ServiceFault(text)
    return Retryable(f"too few Solana nodes answer: {text}")

"""The chain's own record as `dmm.ports.ChainLog`: masterchain blocks, and what our contracts did.

Whatever is asked is asked of every server. An answer counts when a quorum, or all there are when
there are fewer, give it and no server gives another; silence of the others is no contradiction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from dmm.adapters.ton.codec import Book, account
from dmm.adapters.ton.node import (
    CALL_S_MAX,
    Block,
    NoAnswer,
    Node,
    NodeRefused,
    WrongChain,
    open_nodes,
)
from dmm.adapters.ton.reader import CHAIN, Reader, symbol_of
from dmm.ports import Deployment
from dmm.settlement.chain_event import BlockRef, ChainEvent
from dmm.settlement.quorum import QUORUM, agreed, height_reached
from dmm.units.amount import Atoms
from dmm.units.errors import Retryable, ServiceFault

T = TypeVar("T")


class TonLog:
    """Blocks and events of one network through one or more liteservers.

    A payment or deal that takes several blocks is one event's worth, at the block that closes it,
    and `balance` of a vault leaves out what is under way; so both agree at every block.
    """

    def __init__(
        self,
        *,
        configs: Sequence[Path],
        global_id: int,
        deployments: Mapping[str, Deployment],
        answer_s_max: float = CALL_S_MAX,
    ) -> None:
        """Describe the chain; nothing is asked yet.

        Parameters
        ----------
        configs : files in the form of ``global.config.json``
        global_id : the network's number; a server on another counts as silent
        deployments : our contracts, tokens and vaults by name
        answer_s_max : how long a server may take for one answer
        """
        self._book = Book(chain_id=global_id, deployments=deployments)
        self._nodes = open_nodes(configs, global_id=global_id, answer_s_max=answer_s_max)
        self._readers = {node: Reader(node=node, book=self._book) for node in self._nodes}
        self._quorum = min(QUORUM, len(self._nodes))

    def close(self) -> None:
        """Leave the servers; the next question connects again."""
        for node in self._nodes:
            node.close()

    @property
    def name(self) -> str:
        """Return the chain's name in the journal."""
        return CHAIN

    def tips(self) -> tuple[BlockRef, BlockRef]:
        """Return the highest block that a quorum has, twice: on TON the head is final.

        Raises
        ------
        Retryable
            If fewer servers than a quorum answer, or they contradict one another.
        """
        heads, faults = self._ask(lambda node: node.head().height)
        height = height_reached(heads, quorum=self._quorum)
        if height is None:
            raise _too_few(faults)
        block = self.block(height)
        return block, block

    def block(self, height: int) -> BlockRef:
        """Return the masterchain block at a height; `Retryable` when servers are silent."""
        return self._agreed(lambda node: _ref(node.block(height)), what=f"block {height}")

    def events(self, *, from_height: int, to_height: int) -> list[ChainEvent]:
        """Return events in a range of heights, both included, in the chain's order.

        Raises
        ------
        Retryable
            If servers are silent or contradict one another.
        """
        return self._agreed(
            lambda node: self._readers[node].events(first=from_height, last=to_height),
            what=f"transactions of blocks {from_height} to {to_height}",
        )

    def balance(self, *, holder: str, asset: str, height: int) -> Atoms:
        """Return a holder's balance of a jetton at a height, for our vaults without what is open.

        Raises
        ------
        Retryable
            If servers forgot that block or contradict one another.
        """
        owner, symbol = account(holder, what="holder"), symbol_of(self._book, asset)
        found = self._agreed(
            lambda node: self._readers[node].own(owner, symbol, node.block(height)),
            what=f"the {asset} balance of {holder}",
        )
        return Atoms(found)

    def _ask(self, question: Callable[[Node], T]) -> tuple[list[T], list[Exception]]:
        answers: list[T] = []
        faults: list[Exception] = []
        for node in self._nodes:
            try:
                answers.append(question(node))
            except (NoAnswer, NodeRefused) as fault:
                faults.append(fault)
        return answers, faults

    def _agreed(self, question: Callable[[Node], T], *, what: str) -> T:
        answers, faults = self._ask(question)
        if len(answers) < self._quorum:
            raise _too_few(faults)
        found = agreed(answers, quorum=self._quorum)
        if found is None:
            raise Retryable(
                f"the TON servers contradict one another about {what}: one lies or lags; ask "
                "again, then take the odd one out of DMM_TON_CONFIGS"
            )
        return found


def _ref(block: Block) -> BlockRef:
    return BlockRef(
        chain=CHAIN,
        height=block.height,
        block_hash=block.block_hash,
        parent_hash=block.parent_hash,
        time_s=block.time_s,
    )


def _too_few(faults: Sequence[Exception]) -> Retryable | ServiceFault:
    text = "; ".join(str(fault) for fault in faults)
    if faults and all(isinstance(fault, WrongChain) for fault in faults):
        return ServiceFault(text)
    return Retryable(f"too few TON servers answer: {text}")

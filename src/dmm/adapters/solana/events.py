"""The chain's own record as `dmm.ports.ChainLog`: blocks by slot, decoded events, balances.

Whatever is asked is asked of every node. An answer counts when `QUORUM` nodes, or all there are
when there are fewer, give it and no node gives another; silence of the others is no contradiction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dmm.adapters.solana.codec import Book
from dmm.adapters.solana.history import CHAIN, History, ref_of
from dmm.adapters.solana.nodes import Nodes, silent
from dmm.ports import Deployment
from dmm.settlement.chain_event import BlockRef, ChainEvent
from dmm.settlement.quorum import QUORUM, height_reached
from dmm.units.amount import Atoms


class SolanaLog:
    """Slots and events of one cluster through one or more nodes."""

    def __init__(
        self,
        *,
        rpc_urls: Sequence[str],
        genesis_hash: str,
        deployments: Mapping[str, Deployment],
        quorum: int = QUORUM,
    ) -> None:
        """Describe the cluster; nothing is asked yet.

        Parameters
        ----------
        rpc_urls : nodes; one on another cluster counts as silent
        genesis_hash : what each node must answer, base 58
        deployments : our contracts, tokens and vaults by name
        """
        self._nodes = Nodes(rpc_urls, genesis_hash=genesis_hash, quorum=quorum)
        self._history = History(Book(chain_id=self._nodes.chain_id, deployments=deployments))

    @property
    def name(self) -> str:
        """Return the chain's name in the journal."""
        return CHAIN

    def tips(self) -> tuple[BlockRef, BlockRef]:
        """Return (finalized block, head): the highest slot that a quorum calls final.

        The head is the lowest of the nodes' confirmed slots and proves nothing.

        Raises
        ------
        Retryable
            If fewer nodes than a quorum answer, or they contradict one another.
        """
        answers, faults = self._nodes.ask(
            lambda node: (node.slot("finalized"), ref_of(node, node.slot("confirmed")))
        )
        slots = [final for _, (final, _) in answers]
        height = height_reached(slots, quorum=self._nodes.quorum)
        if height is None:
            raise silent(faults)
        heads = [head for _, (_, head) in answers]
        return self.block(height), min(heads, key=lambda head: head.height)

    def block(self, height: int) -> BlockRef:
        """Return a slot's block, or what stands for it where the slot has none.

        Raises
        ------
        Retryable
            If nodes are silent or contradict.
        """
        return self._nodes.agreed(lambda node: ref_of(node, height), what=f"slot {height}")

    def events(self, *, from_height: int, to_height: int) -> list[ChainEvent]:
        """Return events in a range of slots, both included, in the chain's order.

        Raises
        ------
        Retryable
            If nodes are silent or contradict one another.
        ServiceFault
            If our program wrote what its IDL does not know.
        """
        first = max(0, from_height)
        found = self._nodes.agreed(
            lambda node: self._history.events(node, from_slot=first, to_slot=to_height),
            what=f"transactions of slots {first} to {to_height}",
        )
        return list(found)

    def balance(self, *, holder: str, asset: str, height: int) -> Atoms:
        """Return what an owner held at the end of a slot, in all its token accounts.

        Raises
        ------
        Retryable
            If nodes are silent, contradict, or have not finalized that slot.
        """
        found = self._nodes.agreed(
            lambda node: self._history.balance(node, holder=holder, symbol=asset, slot=height),
            what=f"the {asset} balance of {holder}",
        )
        return Atoms(found)

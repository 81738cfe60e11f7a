"""TON through one or more liteservers, as `dmm.ports.Chain`.

Whatever decides about money is asked of every server as of one masterchain block. Unless a quorum
answers alike and nobody contradicts, the answer is UNKNOWN, and UNKNOWN opens nothing. A
masterchain block is final as soon as it is there, so head and finalized block are one.

A message from outside is transport. That it was taken says nothing about the payment, which goes on
in messages of their own: only the key in our contract says what became of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from dmm.adapters.ton.calls import key_getter, key_state
from dmm.adapters.ton.codec import TAKER_NANOTON, Book
from dmm.adapters.ton.node import (
    CALL_S_MAX,
    Block,
    NoAnswer,
    Node,
    NodeRefused,
    WrongChain,
    open_nodes,
)
from dmm.adapters.ton.orders import Home, orders_of
from dmm.adapters.ton.reader import CHAIN, Reader
from dmm.adapters.ton.slots import slots_of
from dmm.adapters.ton.wallet import Wallet, split_id
from dmm.ports import (
    Answer,
    Deployment,
    ExecutedOrder,
    SignRequest,
    SlotOffer,
    SlotRules,
    SlotState,
    Snapshot,
    TxView,
)
from dmm.settlement.intent import Intent, IntentKind, Purpose, Slot
from dmm.settlement.quorum import QUORUM, agreed, height_reached, majority
from dmm.units.errors import OutcomeUnknown, Permanent, Retryable, ServiceFault

T = TypeVar("T")

NANOTON = {
    IntentKind.REWARD: 200_000_000,
    IntentKind.BUYBACK: 700_000_000,
    IntentKind.QUOTE: TAKER_NANOTON,
}
"""What goes with the first message of each kind, for all that follow; the rest comes back."""

MESSAGES_MAX = 1
"""Messages that we pay for ourselves."""


class TonChain:
    """One network; servers on another are refused."""

    def __init__(
        self,
        *,
        configs: Sequence[Path],
        global_id: int,
        deployments: Mapping[str, Deployment],
        message_nanoton_max: int,
        wallet: Wallet = Wallet.HIGHLOAD_V3,
        quorum: int = QUORUM,
        answer_s_max: float = CALL_S_MAX,
    ) -> None:
        """Describe the chain; nothing is asked yet.

        Parameters
        ----------
        configs : files in the form of ``global.config.json``; the first servers of each are asked
        global_id : the network's number, config parameter 19
        deployments : our contracts by name
        message_nanoton_max : cap of what goes with one message
        wallet : what carries the settlement signer's messages, as in the signer's policy
        quorum : servers that must agree before an intent ends, >= 1; all of them where fewer are
            configured, so that a desk on one server trusts that server
        answer_s_max : how long a server may take for one answer
        """
        self._book = Book(chain_id=global_id, deployments=deployments)
        self._nodes = open_nodes(configs, global_id=global_id, answer_s_max=answer_s_max)
        self._readers = {node: Reader(node=node, book=self._book) for node in self._nodes}
        self._quorum = min(quorum, len(self._nodes))
        self._nanoton_max = message_nanoton_max
        self._slots = slots_of(wallet, seqno=self._seqno)

    def close(self) -> None:
        """Leave the servers; the next question connects again."""
        for node in self._nodes:
            node.close()

    @property
    def name(self) -> str:
        """Return the chain's name in the journal."""
        return CHAIN

    @property
    def slot_rules(self) -> SlotRules:
        """Return the rules of the wallet's slots."""
        return self._slots.rules

    def snapshot(self) -> Snapshot:
        """Return the highest masterchain block that a quorum has."""
        heads: dict[Node, Block] = {}
        faults: list[Exception] = []
        for node in self._nodes:
            try:
                heads[node] = node.head()
            except (NoAnswer, NodeRefused) as fault:
                faults.append(fault)
        if not heads:
            raise _no_node(faults)
        quorum = min(self._quorum, len(heads))
        height = height_reached([head.height for head in heads.values()], quorum=quorum)
        blocks = {node: _block_at(node, head, height) for node, head in heads.items()}
        place = majority([None if b is None else b.place() for b in blocks.values()], quorum=quorum)
        if place is None:
            raise Retryable("the TON servers do not agree on a masterchain block: ask again")
        final, block_hash, time_s = place
        return Snapshot(
            chain=CHAIN,
            head_height=final,
            head_time_s=time_s,
            finalized_height=final,
            finalized_hash=block_hash,
            finalized_time_s=time_s,
            witnesses=sum(b is not None and b.place() == place for b in blocks.values()),
        )

    def transaction(self, tx_id: str, *, at: Snapshot) -> TxView:
        """Look a message from outside up among the transactions of the wallet it is for."""
        address, body_hash = split_id(tx_id)

        def ask(node: Node) -> TxView:
            txs = self._readers[node].transactions(address, self._block(node, at))
            found = next((t for t in txs if t.source < 0 and t.body_hash == body_hash), None)
            if found is None:
                return TxView(answer=Answer.ABSENT)
            return TxView(
                answer=Answer.FOUND,
                succeeded=found.is_ok,
                finalized=True,
                height=found.height,
                block_hash=node.block(found.height).block_hash,
            )

        return self._agreed(ask) or TxView(answer=Answer.UNKNOWN)

    def key_state(self, intent: Intent, *, at: Snapshot) -> Answer:
        """Read the intent's key in our contract as of the snapshot's block."""
        getter = key_getter(intent, self._book)

        def ask(node: Node) -> Answer | None:
            block = self._block(node, at)
            said = key_state(intent, node.get(getter.to, getter.method, [getter.argument], block))
            return None if said is Answer.UNKNOWN else said

        return self._agreed(ask) or Answer.UNKNOWN

    def slot_offer(self, signer: str, *, at: Snapshot) -> SlotOffer | None:
        """Return what a new slot of the wallet would be; None when unknown."""
        return self._slots.offer(signer, at=at)

    def slot_state(self, slot: Slot, intent: Intent, *, at: Snapshot) -> SlotState:
        """Tell whether a slot's bytes can still land or, once landed, still pay."""
        return self._slots.state(slot, intent, at=at)

    def sign_request(
        self,
        intent: Intent,
        *,
        generation: int,
        bump: int,
        slot: int,
        purpose: Purpose = Purpose.PAY,
        expires: int = 0,
        anchor: str = "",
    ) -> SignRequest:
        """Build the structured request; what goes with the message is fixed by the intent's kind.

        Raises
        ------
        Permanent
            If that lies above the cap.
        """
        nanoton = NANOTON.get(intent.kind, 0)
        if not nanoton:
            raise Permanent(f"a {intent.kind} cannot be settled on TON")
        if nanoton > self._nanoton_max:
            raise Permanent(
                f"a {intent.kind} takes {nanoton} nanoton, the cap is {self._nanoton_max}: "
                "raise DMM_TON_MESSAGE_NANOTON_MAX"
            )
        return SignRequest(
            intent=intent,
            generation=generation,
            bump=bump,
            slot=slot,
            unit_fee_max=nanoton,
            unit_tip=0,
            gas_max=MESSAGES_MAX,
            purpose=purpose,
            expires=expires,
            anchor=anchor,
        )

    def send(self, raw: bytes) -> None:
        """Hand a message to every server; one that takes it is enough.

        A wallet refuses what it has taken before, in the same words as what it never would: which
        it was only its transactions tell, so a refusal by all of them is no proof of anything.

        Raises
        ------
        OutcomeUnknown
            If no server is known to have taken it.
        """
        doubts: list[str] = []
        for node in self._nodes:
            try:
                node.send(raw)
            except (NoAnswer, NodeRefused) as fault:
                doubts.append(str(fault))
        if len(doubts) == len(self._nodes):
            raise OutcomeUnknown(f"sent, and no server says that it took it: {'; '.join(doubts)}")

    def executed_orders(self, *, from_sequence: int, at: Snapshot) -> list[ExecutedOrder]:
        """Return orders of governance up to the snapshot's block; their hash chain is checked."""
        address = self._book.address("governor")

        def ask(node: Node) -> list[ExecutedOrder]:
            block = self._block(node, at)
            log = node.get(address, "log", [], block)
            return orders_of(
                self._readers[node].transactions(address, block),
                home=Home(network=int(log[3]), contract=int(log[4])),
                chain=CHAIN,
                contract=address,
                from_sequence=from_sequence,
            )

        return self._first(ask)

    def _seqno(self, signer: str, at: Snapshot) -> int | None:
        """Return the next number of a wallet v5 as of the snapshot's block."""
        return self._agreed(
            lambda node: int(node.get(signer, "seqno", [], self._block(node, at))[0])
        )

    def _block(self, node: Node, at: Snapshot) -> Block:
        """Return the snapshot's block on a server; `NoAnswer` when it has another there."""
        block = node.block(at.finalized_height)
        if block.block_hash != at.finalized_hash:
            raise NoAnswer(f"liteserver {node.url} has another block {at.finalized_height}")
        return block

    def _agreed(self, ask: Callable[[Node], T | None]) -> T | None:
        """Return what a quorum says alike; None when too few answer or one differs."""
        answers: list[T | None] = []
        for node in self._nodes:
            try:
                answers.append(ask(node))
            except (NoAnswer, NodeRefused):
                answers.append(None)
        return agreed(answers, quorum=self._quorum)

    def _first(self, ask: Callable[[Node], T]) -> T:
        """Return the first server's answer that there is; `Retryable` when none answers."""
        faults: list[Exception] = []
        for node in self._nodes:
            try:
                return ask(node)
            except (NoAnswer, NodeRefused) as fault:
                faults.append(fault)
        raise _no_node(faults)


def _block_at(node: Node, head: Block, height: int | None) -> Block | None:
    if height is None or head.height < height:
        return None
    try:
        return node.block(height)
    except (NoAnswer, NodeRefused):
        return None


def _no_node(faults: Sequence[Exception]) -> Retryable | ServiceFault:
    text = "; ".join(str(fault) for fault in faults)
    if faults and all(isinstance(fault, WrongChain) for fault in faults):
        return ServiceFault(text)
    return Retryable(f"no TON server answers: {text}")

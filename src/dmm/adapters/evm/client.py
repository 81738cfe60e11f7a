"""The EVM chain through one or more nodes, as `dmm.ports.Chain`.

Whatever decides about money is asked of every configured node at one finalized block hash. Unless
a quorum answers alike and nobody contradicts, the answer is UNKNOWN, and UNKNOWN opens nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from dmm.adapters.evm.calls import key_answer, key_call
from dmm.adapters.evm.codec import Book, account
from dmm.adapters.evm.fees import BURN_GAS, FeeCaps, burn_fees, fees, gas_limit
from dmm.adapters.evm.logs import read_orders
from dmm.adapters.evm.node import Block, NoAnswer, Node, NodeRefused
from dmm.adapters.evm.pool import Pool, too_few
from dmm.adapters.evm.survey import Question, ask, judge
from dmm.ports import (
    Answer,
    Deployment,
    ExecutedOrder,
    Sight,
    SignRequest,
    SlotOffer,
    SlotRules,
    SlotState,
    Snapshot,
    TxView,
)
from dmm.settlement.intent import Intent, Purpose, Slot
from dmm.settlement.quorum import QUORUM, height_reached, majority
from dmm.units.errors import InvariantBroken, OutcomeUnknown, Permanent, Retryable, ServiceFault

T = TypeVar("T")

CHAIN = "evm"
NETS_MAX = 32
"""Quotes in one net: their intent fits a signer's line, their gas is a small part of a block."""

KNOWN_ALREADY = ("already known", "already imported", "known transaction")
"""What nodes say of bytes they hold: the send is done."""

NONCE_USED = ("nonce too low", "nonce is too low")
"""The slot is used on that node's chain, perhaps by these very bytes: look them up."""


class EvmChain:
    """One chain; nodes on another chain id are refused."""

    def __init__(
        self,
        *,
        rpc_urls: Sequence[str],
        chain_id: int,
        deployments: Mapping[str, Deployment],
        artefact_dir: Path,
        fee_gwei_max: int,
        tip_gwei: int,
        quorum: int = QUORUM,
    ) -> None:
        """Describe the chain; nothing is asked yet.

        Parameters
        ----------
        rpc_urls : nodes, best first
        deployments : our contracts by name
        artefact_dir : folder of the compiled contracts, for the layout of their events
        fee_gwei_max : cap of the fee per gas
        tip_gwei : tip per gas of the first attempt
        quorum : nodes that must agree before an intent ends, >= 1; all of them where fewer are
            configured, so that a desk on one node trusts that node
        """
        if not rpc_urls:
            raise ServiceFault("no EVM node is configured: set DMM_EVM_RPC_URLS")
        nodes = [Node(url, chain_id=chain_id) for url in rpc_urls]
        self._pool = Pool(nodes, quorum=min(quorum, len(nodes)))
        self._book = Book(chain_id=chain_id, deployments=deployments)
        self._artefact_dir = artefact_dir
        self._caps = FeeCaps.from_gwei(fee_max=fee_gwei_max, tip=tip_gwei)
        self._nonce: tuple[str, str, int] | None = None

    @property
    def name(self) -> str:
        """Return the chain's name in the journal."""
        return CHAIN

    @property
    def slot_rules(self) -> SlotRules:
        """Return the rules of nonces: one sender's transactions exclude each other in one nonce."""
        return SlotRules(replaces=True, burns=True, atomic=True, nets_max=NETS_MAX)

    def snapshot(self) -> Snapshot:
        """Return the highest finalized block that a quorum has, and a head above it.

        With fewer nodes than the quorum answering it is the block they have; what is read at it
        then stays UNKNOWN.
        """
        answers, faults = self._pool.ask(lambda node: (node, _tips(node)))
        if not answers:
            raise too_few(faults)
        views = dict(answers)
        quorum = min(self._pool.quorum, len(views))
        blocks = _at_height(views, quorum)
        finalized = majority(list(blocks.values()), quorum=quorum)
        if finalized is None:
            raise Retryable("the EVM nodes do not agree on a finalized block: ask again")
        witnesses = [node for node, block in blocks.items() if block == finalized]
        head = views[witnesses[0]][0]
        return Snapshot(
            chain=CHAIN,
            head_height=head.height,
            head_time_s=head.time_s,
            finalized_height=finalized.height,
            finalized_hash=finalized.block_hash,
            finalized_time_s=finalized.time_s,
            witnesses=len(witnesses),
        )

    def transaction(self, tx_id: str, *, at: Snapshot) -> TxView:
        """Look a transaction up on every node; a pending one is ABSENT from the chain."""
        view = self._pool.agreed(lambda node: _view(node, tx_id, at))
        return view or TxView(answer=Answer.UNKNOWN)

    def key_state(self, intent: Intent, *, at: Snapshot) -> Answer:
        """Read the intent's replay key in our contract at the finalized block's hash."""
        calls = key_call(intent, self._book)
        at_hash = {"blockHash": at.finalized_hash}
        words = self._pool.agreed(
            lambda node: tuple(node.word(call.to, call.data, at_hash) for call in calls)
        )
        return Answer.UNKNOWN if words is None else key_answer(intent, words)

    def survey(
        self, asked: Sequence[tuple[Intent, Sequence[str]]], *, at: Snapshot
    ) -> list[Sight | None]:
        """Return keys and transactions of many intents; see `dmm.ports.Surveys`."""
        questions = [self._question(intent, tx_ids) for intent, tx_ids in asked]
        put = [question for question in questions if question is not None]
        said, _ = self._pool.ask(lambda node: ask(node, put, at=at))
        sights = iter(
            judge(question, [one[place] for one in said], quorum=self._pool.quorum)
            for place, question in enumerate(put)
        )
        return [None if question is None else next(sights) for question in questions]

    def _question(self, intent: Intent, tx_ids: Sequence[str]) -> Question | None:
        try:
            calls = key_call(intent, self._book)
        except (Permanent, InvariantBroken):
            return None
        return Question(intent=intent, calls=calls, tx_ids=tuple(tx_ids))

    def next_slot(self, signer: str, *, at: Snapshot) -> int | None:
        """Return the signer's nonce at the finalized block, None unless a quorum agrees."""
        known = self._nonce
        if known is not None and known[:2] == (signer, at.finalized_hash):
            # A block never changes what it says.
            return known[2]
        holder = account(signer, what="signer")
        at_hash = {"blockHash": at.finalized_hash}
        nonce = self._pool.agreed(
            lambda node: int(node.call("eth_getTransactionCount", holder, at_hash), 16)
        )
        if nonce is not None:
            self._nonce = (signer, at.finalized_hash, nonce)
        return nonce

    def slot_offer(self, signer: str, *, at: Snapshot) -> SlotOffer | None:
        """Return the signer's finalized nonce as the lowest slot there can be; None when unknown.

        The head's nonce would leave a gap behind when a reorganisation takes it back.
        """
        nonce = self.next_slot(signer, at=at)
        return None if nonce is None else SlotOffer(floor=nonce)

    def slot_state(self, slot: Slot, intent: Intent, *, at: Snapshot) -> SlotState:
        """Tell whether a nonce is used up at the finalized block."""
        del intent
        nonce = self.next_slot(slot.signer, at=at)
        if nonce is None:
            return SlotState.UNKNOWN
        return SlotState.SPENT if nonce > slot.slot else SlotState.OPEN

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
        """Build the structured request; fees follow from the bump alone, under the cap."""
        burns = purpose is Purpose.BURN
        fee, tip = (burn_fees if burns else fees)(self._caps, bump=bump)
        return SignRequest(
            intent=intent,
            generation=generation,
            bump=bump,
            slot=slot,
            unit_fee_max=fee,
            unit_tip=tip,
            gas_max=BURN_GAS if burns else gas_limit(intent),
            purpose=purpose,
            expires=expires,
            anchor=anchor,
        )

    def send(self, raw: bytes) -> None:
        """Hand bytes to every node; one that takes or has them is enough."""
        taken = False
        doubts: list[str] = []
        refusals: list[str] = []
        for node in self._pool.nodes:
            try:
                node.call("eth_sendRawTransaction", "0x" + raw.hex())
                taken = True
            except NodeRefused as fault:
                text = str(fault).lower()
                if any(words in text for words in KNOWN_ALREADY):
                    taken = True
                elif any(words in text for words in NONCE_USED):
                    doubts.append(f"{node.name}: {fault}")
                else:
                    refusals.append(f"{node.name}: {fault}")
            except NoAnswer as fault:
                doubts.append(str(fault))
        if taken:
            return
        if doubts:
            raise OutcomeUnknown(f"sent, but it cannot be told to what end: {'; '.join(doubts)}")
        raise Permanent(f"every node refused the transaction: {'; '.join(refusals)}")

    def executed_orders(self, *, from_sequence: int, at: Snapshot) -> list[ExecutedOrder]:
        """Return governance orders at or below the finalized block; their hash chain is checked.

        A quorum must tell of the same: an order may release what a kill stopped.
        """
        return self._pool.read(
            lambda node: read_orders(
                node,
                self._book,
                artefact_dir=self._artefact_dir,
                chain=CHAIN,
                from_sequence=from_sequence,
                at=at,
            ),
            what="the executed orders",
        )


def _tips(node: Node) -> tuple[Block, Block]:
    """Return a node's head and what it calls final."""
    latest, finalized = node.blocks("latest", "finalized")
    return latest, finalized


def _at_height(views: Mapping[Node, tuple[Block, Block]], quorum: int) -> dict[Node, Block | None]:
    """Return each node's block at the height that a quorum calls finalized."""
    height = height_reached([finalized.height for _, finalized in views.values()], quorum=quorum)
    blocks: dict[Node, Block | None] = {}
    for node, (_, finalized) in views.items():
        if finalized.height == height:
            blocks[node] = finalized
            continue
        try:
            blocks[node] = None if height is None else node.block(hex(height))
        except (NoAnswer, NodeRefused):
            blocks[node] = None
    return blocks


def _view(node: Node, tx_id: str, at: Snapshot) -> TxView:
    """Return a node's view of a transaction; `NoAnswer` when it contradicts the snapshot."""
    if node.block(hex(at.finalized_height)).block_hash != at.finalized_hash:
        raise NoAnswer(f"node {node.name} has another block at height {at.finalized_height}")
    receipt = node.call("eth_getTransactionReceipt", tx_id)
    if receipt is None:
        return TxView(answer=Answer.ABSENT)
    height, block_hash = int(receipt["blockNumber"], 16), str(receipt["blockHash"])
    if node.block(hex(height)).block_hash != block_hash:
        raise NoAnswer(f"node {node.name} shows a receipt of a block it has left")
    return TxView(
        answer=Answer.FOUND,
        succeeded=int(receipt["status"], 16) == 1,
        finalized=height <= at.finalized_height,
        height=height,
        block_hash=block_hash,
    )

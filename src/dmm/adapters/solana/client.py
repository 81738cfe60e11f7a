"""The Solana cluster through one or more nodes, as `dmm.ports.Chain`.

Whatever decides about money is asked of every configured node, at or after one finalized slot whose
block they all have. Unless a quorum answers alike and nobody contradicts, the answer is UNKNOWN,
and UNKNOWN opens nothing.

A node tells accounts of its present finalized slot only, never of an earlier one. That is enough:
the program never closes an account and never clears a bit, so a key unset now was unset at the
snapshot, and one that is set now is set for good.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from dmm.adapters.solana.codec import Book
from dmm.adapters.solana.fees import FeeCaps, units_limit
from dmm.adapters.solana.finalized import anchored
from dmm.adapters.solana.history import CHAIN
from dmm.adapters.solana.node import Block, NoAnswer, Node, NodeRefused
from dmm.adapters.solana.nodes import Nodes, silent
from dmm.adapters.solana.refusals import ProgramRefused, refusal_of
from dmm.adapters.solana.slots import Slots
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
from dmm.settlement.intent import Intent, Purpose, Slot
from dmm.settlement.quorum import QUORUM, height_reached, majority
from dmm.units.errors import OutcomeUnknown, Permanent, Retryable

KNOWN_ALREADY = "AlreadyProcessed"
"""What a node says of bytes it has seen land: the send is done."""

EXPIRED = "BlockhashNotFound"
"""The blockhash is over, or this node has not seen it yet: look the bytes up."""

SENT_CONFIG = {"encoding": "base64", "preflightCommitment": "confirmed"}


class SolanaChain:
    """One cluster; nodes with another genesis hash are refused.

    A send slot is the reach of a finalized block's hash: bytes that name it can land in the 150
    blocks after it and never again. Two transactions of one payer do not exclude each other, so a
    fee is raised by a new slot, after the old one is proven over. With nonce accounts a slot is the
    value of one of them, and a fee is raised in place.
    """

    def __init__(
        self,
        *,
        rpc_urls: Sequence[str],
        genesis_hash: str,
        deployments: Mapping[str, Deployment],
        unit_fee_max: int,
        unit_tip: int,
        nonce_accounts: Sequence[str] = (),
        quorum: int = QUORUM,
    ) -> None:
        """Describe the cluster; nothing is asked yet.

        Parameters
        ----------
        rpc_urls : nodes, best first
        genesis_hash : what each node must answer, base 58
        deployments : our contracts by name
        unit_fee_max : cap of the priority fee, millionths of a lamport per compute unit
        unit_tip : priority fee of the first slot, in the same unit
        nonce_accounts : durable nonces of the accounts that sign, to be used as slots; none: the
            reach of blockhashes
        quorum : nodes that must agree before an intent ends, >= 1; all of them where fewer are
            configured, so that a desk on one node trusts that node
        """
        self._nodes = Nodes(rpc_urls, genesis_hash=genesis_hash, quorum=quorum)
        self._slots = Slots(
            self._nodes,
            Book(chain_id=self._nodes.chain_id, deployments=deployments),
            FeeCaps(unit_fee_max=unit_fee_max, unit_tip=unit_tip),
            nonce_accounts=nonce_accounts,
        )

    @property
    def name(self) -> str:
        """Return the chain's name in the journal."""
        return CHAIN

    @property
    def slot_rules(self) -> SlotRules:
        """Return the rules of blockhashes, or of durable nonces; see `Slots`."""
        return self._slots.rules

    def snapshot(self) -> Snapshot:
        """Return the highest finalized slot that a quorum has, and a confirmed head above it.

        With fewer nodes than the quorum answering it is the block they have; what is read at it
        then stays UNKNOWN.
        """
        answers, faults = self._nodes.ask(_view_of)
        if not answers:
            raise silent(faults)
        quorum = min(self._nodes.quorum, len(answers))
        height = height_reached([final.slot for _, (final, _, _) in answers], quorum=quorum)
        blocks = {node: _block_at(node, final, height) for node, (final, _, _) in answers}
        finalized = majority(list(blocks.values()), quorum=quorum)
        if finalized is None:
            raise Retryable("the Solana nodes do not agree on a finalized block: ask again")
        witnesses = [node for node, block in blocks.items() if block == finalized]
        _, head_slot, head_time_s = next(view for node, view in answers if node is witnesses[0])
        return Snapshot(
            chain=CHAIN,
            head_height=head_slot,
            head_time_s=head_time_s,
            finalized_height=finalized.slot,
            finalized_hash=finalized.block_hash,
            finalized_time_s=finalized.time_s,
            witnesses=len(witnesses),
        )

    def transaction(self, tx_id: str, *, at: Snapshot) -> TxView:
        """Look a transaction up on every node; one that is not confirmed yet is ABSENT."""
        view = self._nodes.known(lambda node: _status(node, tx_id, at))
        return view or TxView(answer=Answer.UNKNOWN)

    def key_state(self, intent: Intent, *, at: Snapshot) -> Answer:
        """Tell whether the intent's key is used, by the program's account at a finalized slot."""
        used = self._slots.is_used(intent, at=at)
        if used is None:
            return Answer.UNKNOWN
        return Answer.FOUND if used else Answer.ABSENT

    def slot_offer(self, signer: str, *, at: Snapshot) -> SlotOffer | None:
        """Return the reach of the finalized block's hash, or a nonce of the signer's."""
        return self._slots.offer(signer, at=at)

    def slot_state(self, slot: Slot, intent: Intent, *, at: Snapshot) -> SlotState:
        """Tell whether the block's height is past a slot's reach, or its nonce has moved on."""
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
        """Build the structured request; the fee follows from generation and bump alone."""
        price = self._slots.unit_fee(anchor=anchor, generation=generation, bump=bump)
        return SignRequest(
            intent=intent,
            generation=generation,
            bump=bump,
            slot=slot,
            unit_fee_max=price,
            unit_tip=price,
            gas_max=units_limit(intent.kind),
            purpose=purpose,
            expires=expires,
            anchor=anchor,
        )

    def send(self, raw: bytes) -> None:
        """Hand bytes to every node; one that takes or has them is enough.

        Each node tries them first on its own confirmed state.

        Raises
        ------
        ProgramRefused
            If every node refuses them and the program says why.
        """
        text = base64.b64encode(raw).decode()
        taken = False
        doubts: list[str] = []
        refusals: list[tuple[Node, NodeRefused]] = []
        for node in self._nodes.all:
            try:
                node.call("sendTransaction", text, SENT_CONFIG)
                taken = True
            except NodeRefused as fault:
                error = fault.data.get("err") if isinstance(fault.data, dict) else None
                if error == KNOWN_ALREADY:
                    taken = True
                elif error == EXPIRED or error is None:
                    doubts.append(f"{node.name}: {fault}")
                else:
                    refusals.append((node, fault))
            except NoAnswer as fault:
                doubts.append(str(fault))
        if taken:
            return
        if doubts:
            raise OutcomeUnknown(f"sent, but it cannot be told to what end: {'; '.join(doubts)}")
        raise _refused(refusals)

    def executed_orders(self, *, from_sequence: int, at: Snapshot) -> list[ExecutedOrder]:
        """Return nothing: governance executes on its home chain, and this one mirrors the head."""
        del from_sequence, at
        return []


def _view_of(node: Node) -> tuple[Block, int, int]:
    """Return a node's finalized block, its confirmed slot and that slot's time."""
    head = node.slot("confirmed")
    return node.block(node.slot("finalized")), head, node.block_time_s(head)


def _block_at(node: Node, final: Block, slot: int | None) -> Block | None:
    """Return a node's block at the slot that a quorum calls finalized."""
    if slot is None or final.slot == slot:
        return final if slot is not None else None
    try:
        return node.block(slot)
    except (NoAnswer, NodeRefused):
        return None


def _status(node: Node, tx_id: str, at: Snapshot) -> TxView:
    """Return a node's view of a transaction; `NoAnswer` when it contradicts the snapshot."""
    anchored(node, at)
    answer = node.call("getSignatureStatuses", [tx_id], {"searchTransactionHistory": True})
    try:
        status: Any = answer["value"][0]
        if status is None or status["confirmationStatus"] == "processed":
            return TxView(answer=Answer.ABSENT)
        slot, error = int(status["slot"]), status["err"]
        is_final = status["confirmationStatus"] == "finalized"
    except (KeyError, IndexError, TypeError, ValueError) as fault:
        raise NoAnswer(f"node {node.name} answers a status that is none") from fault
    if slot <= at.finalized_height and not is_final:
        raise NoAnswer(f"node {node.name} has {tx_id} below the finalized slot and not final")
    return TxView(
        answer=Answer.FOUND,
        succeeded=error is None,
        finalized=slot <= at.finalized_height,
        height=slot,
        block_hash=node.block(slot).block_hash,
    )


def _refused(refusals: Sequence[tuple[Node, NodeRefused]]) -> Permanent:
    """Return the program's own words where there are any, else the nodes'."""
    for _, fault in refusals:
        error = fault.data.get("err") if isinstance(fault.data, dict) else None
        named: ProgramRefused | None = refusal_of(error)
        if named is not None:
            return named
    texts = "; ".join(f"{node.name}: {fault}" for node, fault in refusals)
    return Permanent(f"every node refused the transaction: {texts}")

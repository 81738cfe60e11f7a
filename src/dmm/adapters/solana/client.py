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

from solders.pubkey import Pubkey

from dmm.adapters.solana.calls import key_account, key_is_used
from dmm.adapters.solana.codec import Book
from dmm.adapters.solana.fees import FeeCaps, unit_fee, units_limit
from dmm.adapters.solana.history import CHAIN
from dmm.adapters.solana.node import Block, NoAnswer, Node, NodeRefused
from dmm.adapters.solana.nodes import Nodes, silent
from dmm.adapters.solana.refusals import ProgramRefused, refusal_of
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
from dmm.units.errors import OutcomeUnknown, Permanent, Retryable, UsageFault

BLOCKHASH_BLOCKS = 150
"""Blocks for which a blockhash may be named, counted in block heights."""

KNOWN_ALREADY = "AlreadyProcessed"
"""What a node says of bytes it has seen land: the send is done."""

EXPIRED = "BlockhashNotFound"
"""The blockhash is over, or this node has not seen it yet: look the bytes up."""

SENT_CONFIG = {"encoding": "base64", "preflightCommitment": "confirmed"}


class SolanaChain:
    """One cluster; nodes with another genesis hash are refused.

    A send slot is the reach of a finalized block's hash: bytes that name it can land in the 150
    blocks after it and never again. Two transactions of one payer do not exclude each other, so a
    fee is raised by a new slot, after the old one is proven over.
    """

    def __init__(
        self,
        *,
        rpc_urls: Sequence[str],
        genesis_hash: str,
        deployments: Mapping[str, Deployment],
        unit_fee_max: int,
        unit_tip: int,
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
        quorum : nodes that must agree before an intent ends, >= 1; all of them where fewer are
            configured, so that a desk on one node trusts that node
        """
        self._nodes = Nodes(rpc_urls, genesis_hash=genesis_hash, quorum=quorum)
        self._book = Book(chain_id=self._nodes.chain_id, deployments=deployments)
        self._caps = FeeCaps(unit_fee_max=unit_fee_max, unit_tip=unit_tip)

    @property
    def name(self) -> str:
        """Return the chain's name in the journal."""
        return CHAIN

    @property
    def slot_rules(self) -> SlotRules:
        """Return the rules of blockhashes: a slot ends by itself and holds nobody up."""
        return SlotRules(replaces=False, burns=False, atomic=True)

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
        address = str(key_account(intent, self._book))
        used = self._nodes.known(lambda node: self._is_used(node, intent, address, at))
        if used is None:
            return Answer.UNKNOWN
        return Answer.FOUND if used else Answer.ABSENT

    def slot_offer(self, signer: str, *, at: Snapshot) -> SlotOffer | None:
        """Return the reach of the finalized block's hash: no fork takes that block away."""
        del signer
        block = self._nodes.known(lambda node: _anchor(node, at))
        if block is None:
            return None
        return SlotOffer(
            floor=at.finalized_time_s,
            expires=block.height + BLOCKHASH_BLOCKS,
            anchor=block.block_hash,
        )

    def slot_state(self, slot: Slot, intent: Intent, *, at: Snapshot) -> SlotState:
        """Tell whether the finalized block's height lies past what a slot's bytes can reach."""
        del intent
        block = self._nodes.known(lambda node: _anchor(node, at))
        if block is None:
            return SlotState.UNKNOWN
        return SlotState.SPENT if block.height > slot.expires else SlotState.OPEN

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
        """Build the structured request; the fee follows from the generation alone."""
        price = unit_fee(self._caps, generation=generation)
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
                    doubts.append(f"{node.url}: {fault}")
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

    def _is_used(self, node: Node, intent: Intent, address: str, at: Snapshot) -> bool:
        _anchor(node, at)
        config = {
            "encoding": "base64",
            "commitment": "finalized",
            "minContextSlot": at.finalized_height,
        }
        answer = node.call("getAccountInfo", address, config)
        try:
            if int(answer["context"]["slot"]) < at.finalized_height:
                raise NoAnswer(f"node {node.url} answers from before slot {at.finalized_height}")
            body = answer["value"]
            owner = None if body is None else Pubkey.from_string(body["owner"])
            data = b"" if body is None else base64.b64decode(body["data"][0])
            return key_is_used(intent, owner, data, self._book)
        except (KeyError, IndexError, TypeError, ValueError, UsageFault) as error:
            raise NoAnswer(f"node {node.url} answers an account that is none: {error}") from error


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


def _anchor(node: Node, at: Snapshot) -> Block:
    """Return the snapshot's finalized block; `NoAnswer` from a node that has another one there."""
    block = node.block(at.finalized_height)
    if block.block_hash != at.finalized_hash:
        raise NoAnswer(f"node {node.url} has another block in slot {at.finalized_height}")
    return block


def _status(node: Node, tx_id: str, at: Snapshot) -> TxView:
    """Return a node's view of a transaction; `NoAnswer` when it contradicts the snapshot."""
    _anchor(node, at)
    answer = node.call("getSignatureStatuses", [tx_id], {"searchTransactionHistory": True})
    try:
        status: Any = answer["value"][0]
        if status is None or status["confirmationStatus"] == "processed":
            return TxView(answer=Answer.ABSENT)
        slot, error = int(status["slot"]), status["err"]
        is_final = status["confirmationStatus"] == "finalized"
    except (KeyError, IndexError, TypeError, ValueError) as fault:
        raise NoAnswer(f"node {node.url} answers a status that is none") from fault
    if slot <= at.finalized_height and not is_final:
        raise NoAnswer(f"node {node.url} has {tx_id} below the finalized slot and not final")
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
    texts = "; ".join(f"{node.url}: {fault}" for node, fault in refusals)
    return Permanent(f"every node refused the transaction: {texts}")

"""Faulty nodes and the chain that the driver reads through them, with the shipped quorum rules."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from simulation.chain_model import ANCHOR_BLOCKS, Block, ChainModel, Tx

from dmm.ports import (
    Answer,
    SignRequest,
    SlotOffer,
    SlotRules,
    SlotState,
    Snapshot,
    TxView,
)
from dmm.settlement import quorum as rules
from dmm.settlement.carrier import is_carrier, trades_of
from dmm.settlement.intent import Intent, Purpose, Slot
from dmm.units.errors import OutcomeUnknown, Permanent, Retryable

T = TypeVar("T")
NODES = 3
RULES = {
    "evm": SlotRules(replaces=True, burns=True, atomic=True),
    "solana": SlotRules(replaces=False, burns=False, atomic=True),
    "durable": SlotRules(replaces=True, burns=False, atomic=True),
    "ton": SlotRules(replaces=False, burns=False, atomic=False),
}
KEYS = {"paid": Answer.FOUND, "pending": Answer.PENDING, "refunded": Answer.REFUNDED}


def member_keys(intent: Intent) -> tuple[str, ...]:
    """Return the keys of what a carrier settles; none for an intent that pays itself."""
    return tuple(str(trade["key"]) for trade in trades_of(intent)) if is_carrier(intent) else ()


@dataclass
class Node:
    """One node: it may lag, drop questions, sit on a branch of its own, or lie about everything."""

    model: ChainModel
    rng: random.Random
    lies: bool = False
    fork: Block | None = None
    """The tip of a branch that everybody else has left."""

    def head(self, *, faulty: bool) -> Block | None:
        if not faulty:
            return self.model.head
        if self.rng.random() < 0.03:
            return None
        if self.fork is not None:
            return self.fork
        heads = self.model.heads
        lag = self.rng.choice((0, 0, 0, 0, 1, 2, 6))
        return heads[max(0, len(heads) - 1 - lag)] if lag else self.model.head


class SimChain:
    """A chain behind `NODES` nodes; one instance lives as long as one worker's turn."""

    def __init__(self, world: Any) -> None:
        self._world = world
        self.name = "evm"
        self._views: dict[int, tuple[Snapshot, Block, list[Block | None]]] = {}
        self.used: set[int] = set()
        """Snapshots read from in this turn."""
        self.unknown = False
        self.key_witnesses = 0
        self._looked_at: bytes | None = None

    @property
    def slot_rules(self) -> SlotRules:
        return RULES[self._world.model.kind]

    def snapshot(self) -> Snapshot:
        world = self._world
        world.boundary(self)
        if world.chaos and world.rng.random() < 0.03:
            raise Retryable("no node answers")
        heads = [node.head(faulty=world.chaos) for node in world.nodes]
        known = [head for head in heads if head is not None]
        if not known:
            raise Retryable("no node answers")
        quorum = min(world.quorum, len(known))
        finals = [None if head is None else self._final(head) for head in heads]
        height = rules.height_reached(
            [None if final is None else final.height for final in finals], quorum=quorum
        )
        assert height is not None
        blocks = [
            None if final is None or head is None or final.height < height else head.at(height)
            for head, final in zip(heads, finals, strict=True)
        ]
        numbers = rules.majority(
            [None if block is None else block.number for block in blocks], quorum=quorum
        )
        if numbers is None:
            raise Retryable("the nodes do not agree on a finalized block")
        having = [
            head
            for head, block in zip(heads, blocks, strict=True)
            if head is not None and block is not None and block.number == numbers
        ]
        final, head = having[0].at(height), having[0]
        at = Snapshot(
            chain=self.name,
            head_height=head.height,
            head_time_s=head.time_s,
            finalized_height=final.height,
            finalized_hash=final.block_hash,
            finalized_time_s=final.time_s,
            witnesses=len(having),
        )
        views = [h if h is not None and h.knows(final) else None for h in heads]
        self._views[id(at)] = (at, final, views)
        return at

    def _final(self, head: Block) -> Block:
        return head.final

    def _agreed(self, at: Snapshot, ask: Callable[[Block, Block, bool], T]) -> T | None:
        """Return what a quorum says; each node answers from its own head and the final block."""
        world = self._world
        world.boundary(self)
        self.used.add(id(at))
        _, final, heads = self._views[id(at)]
        answers: list[T | None] = []
        for node, head in zip(world.nodes, heads, strict=True):
            silent = head is None or (world.chaos and world.rng.random() < 0.02)
            answers.append(None if silent or head is None else ask(head, final, node.lies))
        found = rules.agreed(answers, quorum=world.quorum)
        self.witnesses = sum(answer == found for answer in answers)
        self.unknown |= found is None
        return found

    def _turn_to(self, intent: Intent) -> None:
        """What was unknown of one intent says nothing about the next of a pass."""
        if self._looked_at != intent.intent_id:
            self._looked_at, self.unknown = intent.intent_id, False

    def key_state(self, intent: Intent, *, at: Snapshot) -> Answer:
        self._turn_to(intent)
        key, members = intent.intent_id.hex(), member_keys(intent)

        def ask(head: Block, final: Block, lies: bool) -> Answer:
            true = KEYS.get(final.keys.get(key, ""), Answer.ABSENT)
            if members:
                # The contract knows no carriers: it knows what they settle.
                used = [member in final.keys for member in members]
                true = Answer.REFUNDED if any(used) else Answer.ABSENT
                true = Answer.FOUND if all(used) else true
            if not lies:
                return true
            return Answer.ABSENT if true is Answer.FOUND else Answer.FOUND

        found = self._agreed(at, ask)
        self.key_witnesses = self.witnesses
        return Answer.UNKNOWN if found is None else found

    def transaction(self, tx_id: str, *, at: Snapshot) -> TxView:
        def ask(head: Block, final: Block, lies: bool) -> TxView:
            receipt = head.receipts.get(tx_id)
            if receipt is None or lies:
                return TxView(answer=Answer.ABSENT)
            height, ok = receipt
            return TxView(
                answer=Answer.FOUND,
                succeeded=ok,
                finalized=tx_id in final.receipts,
                height=height,
                block_hash=head.at(height).block_hash,
            )

        found = self._agreed(at, ask)
        return TxView(answer=Answer.UNKNOWN) if found is None else found

    def slot_offer(self, signer: str, *, at: Snapshot) -> SlotOffer | None:
        kind = self._world.model.kind

        def ask(head: Block, final: Block, lies: bool) -> SlotOffer:
            if kind == "evm":
                return SlotOffer(floor=final.nonces.get(signer, 0) + 3 * lies)
            if kind == "solana":
                # Anchored at the finalized block, so that no fork takes the anchor away.
                reach = final.height + self._world.model.finality + ANCHOR_BLOCKS
                return SlotOffer(floor=final.time_s, expires=reach, anchor=str(final.number))
            return SlotOffer(floor=final.time_s)

        return self._agreed(at, ask)

    def slot_state(self, slot: Slot, intent: Intent, *, at: Snapshot) -> SlotState:
        kind = self._world.model.kind
        self._turn_to(intent)

        def ask(head: Block, final: Block, lies: bool) -> SlotState:
            if kind == "evm":
                spent = final.nonces.get(slot.signer, 0) > slot.slot
            elif kind == "solana":
                spent = final.height >= slot.expires
            elif kind == "durable":
                spent = (slot.signer, slot.slot) in final.used
            else:
                spent = final.time_s > intent.deadline_s
            return SlotState.SPENT if spent != lies else SlotState.OPEN

        found = self._agreed(at, ask)
        return SlotState.UNKNOWN if found is None else found

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
        self._world.boundary(self)
        return SignRequest(
            intent=intent,
            generation=generation,
            bump=bump,
            slot=slot,
            unit_fee_max=1 + bump,
            unit_tip=1,
            gas_max=100_000,
            purpose=purpose,
            expires=expires,
            anchor=anchor,
        )

    def replay_key(self, request: SignRequest) -> str:
        """Return the key that the built bytes carry: a function of the intent alone."""
        return request.intent.intent_id.hex()

    def send(self, raw: bytes) -> None:
        world = self._world
        world.boundary(self)
        tx: Tx = world.bytes_of[raw]
        world.about_to_send(self, tx, raw)
        draw = world.rng.random() if world.chaos else 1.0
        if draw < 0.07:
            raise OutcomeUnknown("the request was lost")
        if world.model._fits(tx, world.model.head) is None and world.model.kind == "evm":
            raise OutcomeUnknown("nonce too low: perhaps by these very bytes")
        if draw < 0.09 or world.model._fits(tx, world.model.head) is None:
            raise Permanent("every node refused it")
        world.model.accept(tx)
        if draw < 0.2:
            raise OutcomeUnknown("timed out after it was accepted")
        if draw < 0.25:
            world.model.accept(replace(tx))
        world.boundary(self)

    def executed_orders(self, **_: object) -> list[Any]:
        return []

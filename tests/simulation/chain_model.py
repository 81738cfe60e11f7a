"""A small EVM-like chain: nonces, replay keys, forks, finality, a mempool that forgets."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

FINALITY = 4
"""Blocks between head and finalized block; forks are shallower."""

BLOCK_S = 5


@dataclass(frozen=True, kw_only=True)
class Tx:
    tx_id: str
    intent: str
    signer: str
    slot: int
    amount: int
    deadline_s: int


@dataclass(kw_only=True)
class Block:
    """A block with the whole state after it."""

    parent: Block | None
    height: int
    number: int
    time_s: int
    next_slot: int = 0
    paid: dict[str, int] = field(default_factory=dict)
    receipts: dict[str, tuple[int, bool]] = field(default_factory=dict)

    @property
    def block_hash(self) -> str:
        return f"0x{self.number:064x}"

    @property
    def final(self) -> Block:
        block = self
        for _ in range(FINALITY):
            if block.parent is None:
                break
            block = block.parent
        return block


class ChainModel:
    """The network: mempool, blocks, forks. `guard` is the contract's own replay check."""

    def __init__(self, rng: random.Random, *, guard: bool, start_s: int) -> None:
        self.rng = rng
        self.guard = guard
        self.head = Block(parent=None, height=0, number=0, time_s=start_s)
        self.heads = [self.head]
        self.pool: dict[str, Tx] = {}
        self.known: dict[str, Tx] = {}
        self._number = 0

    def accept(self, tx: Tx) -> None:
        self.known[tx.tx_id] = tx
        if tx.tx_id not in self.head.receipts:
            self.pool[tx.tx_id] = tx

    def mine(self, *, take: float = 1.0, revert: float = 0.0) -> None:
        parent = self.head
        self._number += 1
        block = Block(
            parent=parent,
            height=parent.height + 1,
            number=self._number,
            time_s=parent.time_s + BLOCK_S,
            next_slot=parent.next_slot,
            paid=dict(parent.paid),
            receipts=dict(parent.receipts),
        )
        for tx in sorted(self.pool.values(), key=lambda t: (t.slot, t.tx_id)):
            if tx.slot < block.next_slot:
                self.pool.pop(tx.tx_id)
            elif tx.slot == block.next_slot and self.rng.random() < take:
                self._execute(tx, block, revert)
        self.head = block
        self.heads.append(block)

    def _execute(self, tx: Tx, block: Block, revert: float) -> None:
        self.pool.pop(tx.tx_id)
        block.next_slot += 1
        used = block.paid.get(tx.intent, 0) > 0
        ok = block.time_s <= tx.deadline_s and not (self.guard and used)
        ok = ok and self.rng.random() >= revert
        block.receipts[tx.tx_id] = (block.height, ok)
        if ok:
            block.paid[tx.intent] = block.paid.get(tx.intent, 0) + 1

    def reorg(self, depth: int) -> None:
        """Replace up to `depth` blocks, fewer than finality, by a longer branch."""
        tip = self.head
        block = tip
        for _ in range(min(depth, FINALITY - 1)):
            if block.parent is None:
                return
            block = block.parent
        for tx_id in tip.receipts:
            if tx_id not in block.receipts and self.rng.random() < 0.7:
                self.pool[tx_id] = self.known[tx_id]
        self.head = block
        while self.head.height <= tip.height:
            self.mine(take=0.4)

    def evict(self) -> None:
        if self.pool:
            self.pool.pop(self.rng.choice(sorted(self.pool)))

    def gossip_again(self) -> None:
        """Someone sends old bytes again."""
        if self.known:
            self.accept(self.known[self.rng.choice(sorted(self.known))])

"""Small chains of four kinds: forks, finality, a mempool that forgets, and contracts with keys.

======== ==================================== ============================= ==================
kind     a send slot is                       bytes can no longer land when payment is
======== ==================================== ============================= ==================
evm      a nonce of its sender                the nonce is used up          one transaction
solana   the reach of a recent block's hash   that height has passed        one transaction
durable  an account whose value moves on      the value has moved           one transaction
ton      a query id of a highload wallet      the deadline has passed       three messages
======== ==================================== ============================= ==================

`guard` is the contract's own replay check; with it off the journal alone must pay once.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["evm", "solana", "durable", "ton"]
KINDS: tuple[Kind, ...] = ("evm", "solana", "durable", "ton")

FINALITY = {"evm": 4, "solana": 4, "durable": 4, "ton": 2}
"""Blocks between head and finalized block; forks are shallower."""

BLOCK_S = 5
ANCHOR_BLOCKS = 6
"""How long the hash of a block may be named by a transaction that lives on a recent hash."""

LEG_BLOCKS_MAX = 3
REFUND_BLOCKS = 4
"""How long after a bounced leg the contract closes the key by a refund."""


@dataclass(frozen=True, kw_only=True)
class Tx:
    tx_id: str
    key: str
    signer: str
    slot: int
    deadline_s: int
    pays: bool
    expires: int = 0
    anchor: str = ""
    members: tuple[str, ...] = ()
    """Keys of what a carrier settles; all of them or none, and with them its own mark."""

    @property
    def keys(self) -> tuple[str, ...]:
        return (self.key, *self.members)


@dataclass(kw_only=True)
class Block:
    """A block with the whole state after it."""

    parent: Block | None
    height: int
    number: int
    time_s: int
    finality: int
    nonces: dict[str, int] = field(default_factory=dict)
    used: set[tuple[str, int]] = field(default_factory=set)
    paid: dict[str, int] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    receipts: dict[str, tuple[int, bool]] = field(default_factory=dict)
    legs: tuple[tuple[int, str, Tx], ...] = ()

    @property
    def block_hash(self) -> str:
        return f"0x{self.number:064x}"

    @property
    def final(self) -> Block:
        return self.at(max(0, self.height - self.finality))

    def at(self, height: int) -> Block:
        block = self
        while block.height > height and block.parent is not None:
            block = block.parent
        return block

    def ancestors(self) -> Iterator[Block]:
        block: Block | None = self
        while block is not None:
            yield block
            block = block.parent

    def knows(self, block: Block) -> bool:
        return self.at(block.height) is block


class ChainModel:
    """The network: mempool, blocks, forks. Payments of `bad` keys always fail."""

    def __init__(
        self,
        rng: random.Random,
        *,
        kind: Kind = "evm",
        guard: bool,
        start_s: int,
        finality: int | None = None,
    ) -> None:
        self.rng = rng
        self.kind = kind
        self.guard = guard
        self.finality = FINALITY[kind] if finality is None else finality
        self.head = Block(parent=None, height=0, number=0, time_s=start_s, finality=self.finality)
        self.heads = [self.head]
        self.pool: dict[str, Tx] = {}
        self.known: dict[str, Tx] = {}
        self.bad: set[str] = set()
        self.sweep_s: int | None = None
        """How long past its deadline a used key and its receipt are kept; None for ever."""
        self._number = 0

    def accept(self, tx: Tx) -> None:
        self.known[tx.tx_id] = tx
        if tx.tx_id not in self.head.receipts:
            self.pool[tx.tx_id] = tx

    # -- blocks

    def mine(self, *, take: float = 1.0, revert: float = 0.0, order: bool = True) -> None:
        parent = self.head
        self._number += 1
        block = Block(
            parent=parent,
            height=parent.height + 1,
            number=self._number,
            time_s=parent.time_s + BLOCK_S,
            finality=self.finality,
            nonces=dict(parent.nonces),
            used=set(parent.used),
            paid=dict(parent.paid),
            keys=dict(parent.keys),
            receipts=dict(parent.receipts),
            legs=parent.legs,
        )
        self._deliver(block, revert)
        self._sweep(block)
        pending = sorted(self.pool.values(), key=lambda t: (t.signer, t.slot, t.tx_id))
        if not order:
            self.rng.shuffle(pending)
        for tx in pending:
            fits = self._fits(tx, block)
            if fits is None:
                self.pool.pop(tx.tx_id)
            elif fits and self.rng.random() < take:
                self._execute(tx, block, revert)
        self.head = block
        self.heads.append(block)

    def _fits(self, tx: Tx, block: Block) -> bool | None:
        """Tell whether a transaction may enter a block; None when it never can again."""
        if tx.tx_id in block.receipts:
            return None
        if self.kind == "evm":
            nonce = block.nonces.get(tx.signer, 0)
            return None if tx.slot < nonce else tx.slot == nonce
        if self.kind == "solana":
            if block.height > tx.expires:
                return None
            return any(str(b.number) == tx.anchor for b in self._recent(block))
        if (tx.signer, tx.slot) in block.used:
            return None
        # A wallet takes no message past its time; it forgets ids, but none that is still valid.
        return None if self.kind == "ton" and block.time_s > tx.expires else True

    def _recent(self, block: Block) -> Iterator[Block]:
        for count, ancestor in enumerate(block.ancestors()):
            if count > ANCHOR_BLOCKS + self.finality:
                return
            yield ancestor

    def _execute(self, tx: Tx, block: Block, revert: float) -> None:
        self.pool.pop(tx.tx_id)
        block.nonces[tx.signer] = tx.slot + 1 if self.kind == "evm" else 0
        block.used.add((tx.signer, tx.slot))
        if self.kind == "ton":
            block.receipts[tx.tx_id] = (block.height, True)
            due = block.height + self.rng.randint(1, LEG_BLOCKS_MAX)
            block.legs += ((due, "order", tx),)
            return
        ok = not tx.pays or self._takes(tx, block, revert)
        block.receipts[tx.tx_id] = (block.height, ok)
        if ok and tx.pays:
            self._pay(tx, block)

    def _takes(self, tx: Tx, block: Block, revert: float) -> bool:
        """Tell whether the contract carries a payment out."""
        if block.time_s > tx.deadline_s:
            return False
        if self.guard and any(key in block.keys for key in tx.keys):
            return False
        return not self.bad & set(tx.keys) and self.rng.random() >= revert

    def _pay(self, tx: Tx, block: Block) -> None:
        for key in tx.keys:
            block.keys[key] = "paid"
            block.paid[key] = block.paid.get(key, 0) + 1

    def _deliver(self, block: Block, revert: float) -> None:
        """Deliver messages that are due: order, then leg, then excesses or a refund."""
        due = [leg for leg in block.legs if leg[0] <= block.height]
        block.legs = tuple(leg for leg in block.legs if leg[0] > block.height)
        for _, what, tx in due:
            if what == "order" and block.time_s <= tx.deadline_s:
                if self.guard and tx.key in block.keys:
                    continue
                block.keys[tx.key] = "pending"
                leg = "leg" if tx.key not in self.bad and self.rng.random() >= revert else "bounce"
                later = self.rng.randint(1, LEG_BLOCKS_MAX)
                later += REFUND_BLOCKS if leg == "bounce" else 0
                block.legs += ((block.height + later, leg, tx),)
            elif what == "leg":
                self._pay(tx, block)
            elif what == "bounce":
                block.keys[tx.key] = "refunded"

    def _sweep(self, block: Block) -> None:
        if self.sweep_s is not None:
            late = {
                tx.key for tx in self.known.values() if tx.deadline_s + self.sweep_s < block.time_s
            }
            block.keys = {key: value for key, value in block.keys.items() if key not in late}
            block.receipts = {
                tx_id: receipt
                for tx_id, receipt in block.receipts.items()
                if self.known[tx_id].key not in late
            }

    # -- what goes wrong

    def reorg(self, depth: int) -> None:
        """Replace up to `depth` blocks, fewer than finality, by a longer branch."""
        tip = self.head
        block = tip.at(max(0, tip.height - min(depth, self.finality - 1)))
        if block is tip:
            return
        for tx_id in tip.receipts:
            if tx_id not in block.receipts and self.rng.random() < 0.7:
                self.pool[tx_id] = self.known[tx_id]
        self.head = block
        while self.head.height <= tip.height:
            self.mine(take=0.4, order=False)

    def evict(self) -> None:
        if self.pool:
            self.pool.pop(self.rng.choice(sorted(self.pool)))

    def gossip_again(self) -> None:
        """Someone sends old bytes again."""
        if self.known:
            self.accept(self.known[self.rng.choice(sorted(self.known))])

    def can_land(self, tx: Tx) -> bool:
        """Tell, knowing everything, whether bytes could still be part of the finalized chain."""
        final = self.head.final
        if tx.tx_id in final.receipts:
            return False
        if self.kind == "evm":
            return tx.slot >= final.nonces.get(tx.signer, 0)
        if self.kind == "solana":
            return final.height < tx.expires
        if self.kind == "durable":
            return (tx.signer, tx.slot) not in final.used
        return final.time_s <= tx.deadline_s

"""The chain's record in memory: as the follower's store keeps it, and as a node tells it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dmm.ledger.journal import Posting
from dmm.ports import AttemptView, Books, IntentView
from dmm.rfq.protocol import RfqTrade
from dmm.settlement.chain_event import BlockRef, ChainEvent
from dmm.settlement.intent import IntentState
from dmm.units.amount import Atoms
from dmm.units.chain import address_key
from dmm.units.errors import InvariantBroken, Retryable
from dmm.units.ids import Hash32, Json

NOBODY = "0x" + "00" * 20


class MemoryChainEvents:
    """ChainEventStore and AuditStore in dicts, for a journal that has the rest."""

    _postings: dict[str, Posting]
    _trades: dict[Hash32, RfqTrade]
    entries: dict[Hash32, Any]

    def __init__(self) -> None:
        super().__init__()
        self._blocks: dict[tuple[str, str], BlockRef] = {}
        self._events: dict[tuple[str, str, int], ChainEvent] = {}
        self._final: dict[tuple[str, int], str] = {}

    def final_head(self, chain: str) -> BlockRef | None:
        heights = [height for on, height in self._final if on == chain]
        return self._blocks[chain, self._final[chain, max(heights)]] if heights else None

    def blocks_above(self, chain: str, height: int) -> list[BlockRef]:
        found = [b for b in self._blocks.values() if b.chain == chain and b.height > height]
        return sorted(found, key=lambda b: (b.height, b.block_hash))

    def record_tip(self, blocks: Sequence[BlockRef], events: Sequence[ChainEvent]) -> int:
        added = dict(self._blocks)
        for block in blocks:
            parent = added.get((block.chain, block.parent_hash))
            if parent is None or parent.height != block.height - 1:
                raise InvariantBroken(f"block {block.block_hash} does not stand on its parent")
            self._same_block(added, block)
        new = len(added) - len(self._blocks)
        events_added, _ = self._with_events(added, events)
        self._blocks, self._events = added, events_added
        return new

    def record_final(
        self, blocks: Sequence[BlockRef], events: Sequence[ChainEvent], postings: Sequence[Posting]
    ) -> int:
        added, final = dict(self._blocks), dict(self._final)
        for block in blocks:
            self._same_block(added, block)
            known = final.get((block.chain, block.height))
            top = max((h for on, h in final if on == block.chain), default=-1)
            if known is None and block.height <= top:
                raise InvariantBroken(f"block {block.height} lies at or below the last final one")
            if final.setdefault((block.chain, block.height), block.block_hash) != block.block_hash:
                raise InvariantBroken(f"block {block.height} is final as {known}")
        events_added, new = self._with_events(added, events)
        self.post(postings)  # type: ignore[attr-defined]
        self._blocks, self._final, self._events = added, final, events_added
        return new

    def final_events(self, chain: str, *, from_height: int, to_height: int) -> list[ChainEvent]:
        found = [
            event
            for event in self._events.values()
            if event.chain == chain and from_height <= event.height <= to_height
            if self._final.get((chain, event.height)) == event.block_hash
        ]
        return sorted(found, key=lambda event: (event.height, event.log_index))

    def rfq_issued(
        self, *, quote_ids: Sequence[Hash32], nonces: Sequence[tuple[str, int]] = ()
    ) -> list[RfqTrade]:
        places = {(address_key(maker), nonce) for maker, nonce in nonces}
        found = [
            trade
            for quote_id, trade in self._trades.items()
            if quote_id in quote_ids
            or (address_key(trade.quote.maker), trade.quote.nonce) in places
        ]
        return sorted(found, key=lambda trade: (trade.quote.maker, trade.quote.nonce))

    def books(self, chain: str, vaults: Sequence[str]) -> Books:
        entries = [entry for entry in self.entries.values() if entry.intent.chain == chain]
        return Books(
            intents=tuple(_view(entry) for entry in entries),
            attempts=tuple(
                AttemptView(
                    tx_id=attempt.tx_id,
                    intent_id=attempt.intent_id,
                    generation=attempt.generation,
                    bump=attempt.bump,
                    signer=attempt.signer,
                    slot=attempt.slot,
                    state=attempt.state.value,
                )
                for entry in entries
                for attempt in entry.attempts
            ),
            postings=tuple(p for p in self._postings.values() if p.debit.vault in vaults),
            followed_height=max((h for on, h in self._final if on == chain), default=-1),
        )

    def _same_block(self, added: dict[tuple[str, str], BlockRef], block: BlockRef) -> None:
        if added.setdefault((block.chain, block.block_hash), block) != block:
            raise InvariantBroken(f"block {block.block_hash} is known with other content")

    def _with_events(
        self, blocks: dict[tuple[str, str], BlockRef], events: Sequence[ChainEvent]
    ) -> tuple[dict[tuple[str, str, int], ChainEvent], int]:
        added = dict(self._events)
        for event in events:
            if (event.chain, event.block_hash) not in blocks:
                raise InvariantBroken(f"block {event.block_hash} of an event is not known")
            place = (event.chain, event.block_hash, event.log_index)
            if added.setdefault(place, event) != event:
                raise InvariantBroken(f"log {place} is known with other content")
        return added, len(added) - len(self._events)


def _view(entry: Any) -> IntentView:
    tx_id, height = entry.final or (None, None)
    failed = entry.state is IntentState.FAILED
    return IntentView(
        intent=entry.intent,
        state=entry.state,
        generation=entry.generation,
        final_tx_id=tx_id or "",
        closed_height=entry.proofs[-1]["height"] if failed else height,
        proof=entry.proofs[-1] if failed else None,
    )


@dataclass
class NodeLog:
    """A `ChainLog` of blocks that a test lays down; `fork` names the branch from a height on."""

    name: str = "evm"
    final: int = 0
    head: int = 0
    forks: dict[int, str] = field(default_factory=dict)
    written: list[ChainEvent] = field(default_factory=list)
    rebased: dict[tuple[str, str], int] = field(default_factory=dict)
    fault: Exception | None = None
    asked: list[int] = field(default_factory=list)

    def block_hash(self, height: int) -> str:
        """Return a hash that depends on every fork at or below the height."""
        branch = "".join(
            f"{at:04x}{name}" for at, name in sorted(self.forks.items()) if at <= height
        )
        return f"0x{height:08x}{branch}".ljust(66, "0")

    def tips(self) -> tuple[BlockRef, BlockRef]:
        if self.fault is not None:
            raise self.fault
        return self.block(self.final), self.block(self.head)

    def block(self, height: int) -> BlockRef:
        if not 0 <= height <= self.head:
            raise Retryable(f"no block {height}")
        self.asked.append(height)
        return BlockRef(
            chain=self.name,
            height=height,
            block_hash=self.block_hash(height),
            parent_hash=self.block_hash(height - 1) if height else "0x",
            time_s=1_700_000_000 + 2 * height,
        )

    def events(self, *, from_height: int, to_height: int) -> list[ChainEvent]:
        found = [
            event
            for event in self.written
            if from_height <= event.height <= to_height
            if event.block_hash == self.block_hash(event.height)
        ]
        return sorted(found, key=lambda event: (event.height, event.log_index))

    def balance(self, *, holder: str, asset: str, height: int) -> Atoms:
        held = self.rebased.get((holder, asset), 0)
        for event in self.events(from_height=0, to_height=height):
            if event.source == f"token:{asset}":
                came = event.args["recipient"] == holder.lower()
                held += event.number("amount") * (came - (event.args["sender"] == holder.lower()))
        return Atoms(held)

    # -- writing

    def write(self, source: str, name: str, *, height: int, tx_id: str = "", **args: Json) -> str:
        """Write an event, by default in a transaction of its own; return the transaction."""
        tx_id = tx_id or f"0xt{len(self.written)}"
        self.head = max(self.head, height)
        self.written.append(
            ChainEvent(
                chain=self.name,
                height=height,
                block_hash=self.block_hash(height),
                tx_id=tx_id,
                log_index=len(self.written),
                source=source,
                name=name,
                args=args,
            )
        )
        return tx_id

    def move(
        self, sender: str, recipient: str, asset: str, amount: int, *, height: int, tx_id: str = ""
    ) -> str:
        """Write a transfer of a token."""
        return self.write(
            f"token:{asset}",
            "Transfer",
            height=height,
            tx_id=tx_id,
            sender=sender,
            recipient=recipient,
            amount=amount,
        )

    def rewrite(self, event: ChainEvent, **changes: Any) -> None:
        """Tell an event otherwise from now on."""
        self.written[self.written.index(event)] = replace(event, **changes)

"""The chain as the follower read it: blocks, events, and which blocks count for good."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from psycopg.types.json import Jsonb

from dmm.adapters.postgres.ledger import post
from dmm.adapters.postgres.runs import Part
from dmm.adapters.postgres.session import Cursor
from dmm.ledger.journal import Posting
from dmm.settlement.chain_event import BlockRef, ChainEvent
from dmm.units.errors import InvariantBroken
from dmm.units.ids import Json, canonical_json

_BLOCK = "SELECT b.chain, b.height, b.block_hash, b.parent_hash, b.time_s FROM chain_block b "
_EVENT = """SELECT e.chain, b.height, e.block_hash, e.tx_id, e.log_index, e.source, e.name, e.args
FROM chain_event e JOIN chain_block b USING (chain, block_hash) """


class ChainEvents(Part):
    """Implements `ports.ChainEventStore`."""

    def final_head(self, chain: str) -> BlockRef | None:
        """Return the last block followed as final; None before the first."""
        found = self._session.transact(
            lambda cursor: _blocks(
                cursor,
                "JOIN final_block f USING (chain, block_hash) WHERE b.chain = %s "
                "ORDER BY f.height DESC LIMIT 1",
                [chain],
            )
        )
        return found[0] if found else None

    def blocks_above(self, chain: str, height: int) -> list[BlockRef]:
        """Return known blocks above a height, reorganised ones included, by height."""
        return self._session.transact(
            lambda cursor: _blocks(
                cursor,
                "WHERE b.chain = %s AND b.height > %s ORDER BY b.height, b.block_hash",
                [chain, height],
            )
        )

    def record_tip(self, blocks: Sequence[BlockRef], events: Sequence[ChainEvent]) -> int:
        """Add blocks that are not final yet, lowest first; return how many were new.

        Raises
        ------
        InvariantBroken
            If a block does not stand on a known one, or is known with other content.
        """
        return self._session.transact(lambda cursor: _record_tip(cursor, blocks, events))

    def record_final(
        self, blocks: Sequence[BlockRef], events: Sequence[ChainEvent], postings: Sequence[Posting]
    ) -> int:
        """Add final blocks, lowest first, with their events and postings, in one transaction.

        Again is a no-op; returns how many events were not known before.

        Raises
        ------
        InvariantBroken
            If a height is final with another block, or an event is known with other content.
        """
        return self._session.transact(
            lambda cursor: _record_final(cursor, blocks, events, postings)
        )

    def final_events(self, chain: str, *, from_height: int, to_height: int) -> list[ChainEvent]:
        """Return events of final blocks in a range of heights, both included, in their order."""
        return self._session.transact(
            lambda cursor: _events(
                cursor,
                "JOIN final_block f USING (chain, block_hash) WHERE e.chain = %s "
                "AND f.height BETWEEN %s AND %s ORDER BY f.height, e.log_index",
                [chain, from_height, to_height],
            )
        )


def _record_tip(cursor: Cursor, blocks: Sequence[BlockRef], events: Sequence[ChainEvent]) -> int:
    new = _insert_blocks(cursor, blocks, linked=True)
    _insert_events(cursor, events)
    return new


def _record_final(
    cursor: Cursor,
    blocks: Sequence[BlockRef],
    events: Sequence[ChainEvent],
    postings: Sequence[Posting],
) -> int:
    _insert_blocks(cursor, blocks, linked=False)
    new = _insert_events(cursor, events)
    for block in blocks:
        cursor.execute(
            "SELECT block_hash FROM final_block WHERE chain = %s AND height = %s",
            [block.chain, block.height],
        )
        known = cursor.fetchone()
        if known is None:
            cursor.execute(
                "INSERT INTO final_block (chain, height, block_hash) VALUES (%s, %s, %s)",
                [block.chain, block.height, block.block_hash],
            )
        elif known[0] != block.block_hash:
            raise InvariantBroken(
                f"block {block.height} of {block.chain} is final as {known[0]} in the journal, the "
                f"chain says {block.block_hash}: it reorganised below finality"
            )
    post(cursor, postings)
    return new


def _insert_blocks(cursor: Cursor, blocks: Sequence[BlockRef], *, linked: bool) -> int:
    new = 0
    for block in blocks:
        cursor.execute(
            """INSERT INTO chain_block (chain, block_hash, height, parent_hash, time_s, linked)
               VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (chain, block_hash) DO NOTHING""",
            [
                block.chain,
                block.block_hash,
                block.height,
                block.parent_hash,
                block.time_s,
                linked,
            ],
        )
        new += cursor.rowcount
    hashes = [block.block_hash for block in blocks]
    known = {
        (block.chain, block.block_hash): block
        for block in _blocks(cursor, "WHERE b.block_hash = ANY(%s)", [hashes])
    }
    for block in blocks:
        if known[block.chain, block.block_hash] != block:
            raise InvariantBroken(f"block {block.block_hash} is known with other content")
    return new


def _insert_events(cursor: Cursor, events: Sequence[ChainEvent]) -> int:
    hashes = sorted({event.block_hash for event in events})
    known = {_place(e): e for e in _events(cursor, "WHERE e.block_hash = ANY(%s)", [hashes])}
    fresh = []
    for event in events:
        there = known.get(_place(event))
        if there is None:
            fresh.append(event)
        elif _content(there) != _content(event):
            raise InvariantBroken(
                f"log {event.log_index} of block {event.block_hash} is known with other content: "
                "a node lied then or lies now"
            )
    cursor.executemany(
        """INSERT INTO chain_event (chain, block_hash, log_index, tx_id, source, name, args)
           VALUES (%s, %s, %s, %s, %s, %s, %s)""",
        [
            (e.chain, e.block_hash, e.log_index, e.tx_id, e.source, e.name, Jsonb(e.args))
            for e in fresh
        ],
    )
    return len(fresh)


def _place(event: ChainEvent) -> tuple[str, str, int]:
    return event.chain, event.block_hash, event.log_index


def _content(event: ChainEvent) -> tuple[str, str, str, bytes]:
    args: Json = event.args
    return event.tx_id, event.source, event.name, canonical_json(args)


def _blocks(cursor: Cursor, rest: str, values: Iterable[Any]) -> list[BlockRef]:
    cursor.execute(_BLOCK + rest, list(values))
    return [
        BlockRef(chain=chain, height=height, block_hash=own, parent_hash=parent, time_s=time_s)
        for chain, height, own, parent, time_s in cursor
    ]


def _events(cursor: Cursor, rest: str, values: Iterable[Any]) -> list[ChainEvent]:
    cursor.execute(_EVENT + rest, list(values))
    return [
        ChainEvent(
            chain=chain,
            height=height,
            block_hash=block_hash,
            tx_id=tx_id,
            log_index=log_index,
            source=source,
            name=name,
            args=args,
        )
        for chain, height, block_hash, tx_id, log_index, source, name, args in cursor
    ]

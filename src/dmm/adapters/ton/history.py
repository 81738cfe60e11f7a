"""Transactions of accounts by logical time, each with the masterchain block that holds it.

A liteserver hands transactions out backwards, by their hash chain, with the number of their shard's
block. What is final, and where the desk's heights come from, is the masterchain: the block that
holds a transaction is the first that holds its shard's block. Where the basechain is one shard that
is looked up by number; where it is split the first block is searched for at which the account's
last transaction is not older.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dmm.adapters.ton.messages import Tx, transaction_of
from dmm.adapters.ton.node import Block, NoAnswer, Node

PAGE_MAX = 16
"""Transactions that a liteserver gives at once."""

TRANSACTIONS_MAX = 20_000
"""Of one account, read at the most: past it the desk needs an archive, not a liteserver."""

SEARCH_STEPS_MAX = 40
BLOCKS_BEFORE, BLOCKS_AFTER = 4, 64
"""Around the block of a transaction's time: a shard's block waits for the masterchain's next."""


class History:
    """What one server says an account did, from its first transaction on; it only grows."""

    def __init__(self, node: Node, address: str) -> None:
        self._node, self._address = node, address
        self._txs: list[Tx] = []

    def upto(self, block: Block) -> list[Tx]:
        """Return the account's transactions up to a block, oldest first.

        Raises
        ------
        NoAnswer
            If the server's answers do not follow from one another.
        """
        last = self._txs[-1].lt if self._txs else 0
        state = self._node.state(self._address, block)
        if state.last_lt > last:
            self._txs += self._placed(self._walk(state.last_lt, state.last_hash, last), block)
        return [tx for tx in self._txs if tx.height <= block.height]

    def _walk(self, lt: int, tx_hash: bytes, known_lt: int) -> list[tuple[Any, int]]:
        """Return new transactions, oldest first, each with its shard block's number."""
        found: list[tuple[Any, int]] = []
        while lt > known_lt:
            if len(found) >= TRANSACTIONS_MAX:
                raise NoAnswer(f"{self._address} has more than {TRANSACTIONS_MAX} transactions")
            page = self._node.transactions(self._address, lt=lt, tx_hash=tx_hash, count=PAGE_MAX)
            for tx, shard in page:
                if tx.lt != lt or tx.cell.hash != tx_hash:
                    raise NoAnswer(f"liteserver {self._node.url} breaks the chain of transactions")
                found.append((tx, shard))
                lt, tx_hash = int(tx.prev_trans_lt), tx.prev_trans_hash
                if lt <= known_lt:
                    break
        return found[::-1]

    def _placed(self, found: Sequence[tuple[Any, int]], block: Block) -> list[Tx]:
        self._look_ahead([shard for _, shard in found], block)
        low = self._txs[-1].height if self._txs else 1
        placed: list[Tx] = []
        for tx, shard in found:
            low = self._in_step(low=low, high=block.height, shard=shard) or self._search(
                int(tx.lt), int(tx.now), low=low, high=block.height
            )
            placed.append(transaction_of(tx, account=self._address, height=low))
        return placed

    def _look_ahead(self, guesses: Sequence[int], block: Block) -> None:
        """Ask for what the guesses need all at once."""
        heights = {h for g in guesses for h in (g - 1, g) if 1 <= h <= block.height}
        self._node.shard_tops(sorted(heights))

    def _in_step(self, *, low: int, high: int, shard: int) -> int | None:
        """Return the masterchain block of a shard's block where both have one number, else None."""
        if not low <= shard <= high:
            return None
        before, here = self._node.shard_tops([max(shard - 1, 1), shard])
        is_first = shard == 1 or (before is not None and before < shard)
        return shard if here is not None and here >= shard and is_first else None

    def _search(self, lt: int, time_s: int, *, low: int, high: int) -> int:
        """Return the first masterchain block at which the account is at `lt` or past it.

        It is looked for around the transaction's time first: servers forget old states.
        """
        near = self._node.height_at(time_s)
        first, last = max(low, near - BLOCKS_BEFORE), min(high, near + BLOCKS_AFTER)
        if first <= last and self._is_at(lt, last):
            if first == low or not self._is_at(lt, first - 1):
                low = first
            high = last
        for _ in range(SEARCH_STEPS_MAX):
            if low >= high:
                return high
            middle = (low + high) // 2
            if self._is_at(lt, middle):
                high = middle
            else:
                low = middle + 1
        raise NoAnswer(f"no block holds transaction {lt} of {self._address}")

    def _is_at(self, lt: int, height: int) -> bool:
        return self._node.state(self._address, self._node.block(height)).last_lt >= lt

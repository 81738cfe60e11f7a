"""Which masterchain block holds a transaction, where the basechain is one shard and where not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytoniq_core import begin_cell
from pytoniq_core.tlb.block import CurrencyCollection
from pytoniq_core.tlb.transaction import InternalMsgInfo, MessageAny

from dmm.adapters.ton.cells import at
from dmm.adapters.ton.history import History
from dmm.adapters.ton.node import Block, NoAnswer, Node, State

ADDRESS = "0:" + "77" * 32


@dataclass
class _Description:
    aborted: bool = False
    compute_ph: str = "vm"


class _Tx:
    """A transaction as the client hands it out."""

    def __init__(self, lt: int, before: _Tx | None) -> None:
        self.lt, self.now = lt, 1_000 + lt
        self.prev_trans_lt = before.lt if before else 0
        self.prev_trans_hash = before.cell.hash if before else bytes(32)
        self.cell = begin_cell().store_uint(lt, 64).store_bytes(self.prev_trans_hash).end_cell()
        self.description, self.out_msgs = _Description(), []
        info = InternalMsgInfo(
            ihr_disabled=True,
            bounce=False,
            bounced=False,
            src=at(5),
            dest=at(7),
            value=CurrencyCollection(grams=0),
            ihr_fee=0,
            fwd_fee=0,
            created_lt=0,
            created_at=0,
        )
        self.in_msg = MessageAny(info=info, init=None, body=begin_cell().end_cell())


class _Node:
    """A server: `heights` are the masterchain blocks of transactions 10, 20, 30 …"""

    url = "fake"

    def __init__(self, heights: list[int], *, shards: list[int] | None) -> None:
        self.txs: list[_Tx] = []
        for place in range(len(heights)):
            self.txs.append(_Tx(10 * (place + 1), self.txs[-1] if self.txs else None))
        self.heights, self.shards = heights, shards
        self.lies = False

    def state(self, _address: str, block: Block) -> State:
        past = [t for t, h in zip(self.txs, self.heights, strict=True) if h <= block.height]
        if not past:
            return State(data=None, last_lt=0, last_hash=bytes(32))
        return State(data=None, last_lt=past[-1].lt, last_hash=past[-1].cell.hash)

    def block(self, height: int) -> Block:
        return Block(
            height=height, block_hash=f"{height:064x}", parent_hash="", time_s=0, named=None
        )

    def shard_tops(self, heights: list[int]) -> list[int | None]:
        if self.shards is None:
            return [None for _ in heights]
        return [self.shards[height - 1] for height in heights]

    def height_at(self, time_s: int) -> int:
        place = (time_s - 1_000) // 10 - 1
        return max(1, self.heights[place] - 3)

    def transactions(
        self, _address: str, *, lt: int, tx_hash: bytes, count: int
    ) -> list[tuple[Any, int]]:
        past = [t for t in self.txs if t.lt <= lt][::-1][:count]
        if self.lies:
            past = past[1:] + past[:1]
        numbers = [self.heights[t.lt // 10 - 1] for t in past]
        return list(zip(past, numbers, strict=True))


def history(node: _Node) -> History:
    return History(cast("Node", node), ADDRESS)


@given(
    steps=st.lists(st.integers(0, 90), min_size=1, max_size=40),
    in_step=st.booleans(),
    cut=st.integers(1, 4_000),
)
def test_every_transaction_is_placed_in_the_block_that_holds_it(
    steps: list[int], in_step: bool, cut: int
) -> None:
    heights = [1 + sum(steps[: place + 1]) for place in range(len(steps))]
    top = heights[-1] + 5
    node = _Node(heights, shards=list(range(1, top + 1)) if in_step else None)
    made = history(node)
    early = made.upto(node.block(min(cut, top)))
    assert [tx.height for tx in early] == [h for h in heights if h <= min(cut, top)]
    found = made.upto(node.block(top))
    assert [(tx.lt, tx.height) for tx in found] == [
        (tx.lt, height) for tx, height in zip(node.txs, heights, strict=True)
    ]


def test_a_shard_that_runs_ahead_of_the_masterchain_is_searched_for() -> None:
    # Three of the shard's blocks in each of the masterchain's.
    node = _Node([4, 4, 9], shards=[3 * n for n in range(1, 21)])
    assert [tx.height for tx in history(node).upto(node.block(20))] == [4, 4, 9]


def test_an_account_without_transactions_has_no_history() -> None:
    node = _Node([5], shards=None)
    assert history(node).upto(node.block(4)) == []


def test_a_server_that_breaks_the_chain_of_transactions_is_not_believed() -> None:
    node = _Node([2, 3, 4], shards=None)
    node.lies = True
    with pytest.raises(NoAnswer, match="breaks the chain of transactions"):
        history(node).upto(node.block(9))

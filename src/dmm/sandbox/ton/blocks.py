"""Blocks of the local chain as cells: enough of the format for headers, states and their proofs.

One shard and one masterchain block are made together under one number. What validators add (value
flow, message queues, signatures) is left empty: a client that trusts its server never reads it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

from pytoniq_core import Cell, begin_cell

from dmm.sandbox.ton.trie import Edge, bag, depth_balance, label, merkle_proof, prove, pruned

SHARD = -(1 << 63)
MASTERCHAIN, BASECHAIN = -1, 0
STATE_TAG, BLOCK_TAG, INFO_TAG = b"\x90\x23\xaf\xe2", b"\x11\xef\x55\xaa", b"\x9b\xc7\xa9\x87"
EMPTY = begin_cell().end_cell()


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockId:
    """What names a block of a workchain."""

    workchain: int
    seqno: int
    root_hash: bytes
    file_hash: bytes

    def to_tl(self) -> dict[str, object]:
        """Return it as TL's tonNode.blockIdExt."""
        return {
            "workchain": self.workchain,
            "shard": SHARD,
            "seqno": self.seqno,
            "root_hash": self.root_hash.hex(),
            "file_hash": self.file_hash.hex(),
        }


@dataclass(frozen=True, kw_only=True)
class LocalBlock:
    """One number: the shard's block with its accounts, and the masterchain's.

    `previous` names both blocks of the number before, the shard's first; `lt_before` is where its
    logical time ended.
    """

    seqno: int
    time_s: int
    lt: int
    global_id: int
    accounts: Edge | None
    previous: tuple[BlockId, BlockId] | None
    lt_before: int

    @cached_property
    def shard(self) -> BlockId:
        """Return what names the shard's block."""
        return _named(BASECHAIN, self.seqno, self.shard_cell)

    @cached_property
    def master(self) -> BlockId:
        """Return what names the masterchain's block."""
        return _named(MASTERCHAIN, self.seqno, self.master_cell)

    @cached_property
    def shard_cell(self) -> Cell:
        """Return the shard's block."""
        return self._block(BASECHAIN, self.state())

    @cached_property
    def master_cell(self) -> Cell:
        """Return the masterchain's block; its state stands for the shard's block of its number."""
        return self._block(MASTERCHAIN, begin_cell().store_bytes(self.shard_cell.hash).end_cell())

    def state(self, way: Cell | None = None) -> Cell:
        """Return the shard's state, with the accounts' tree replaced by a pruned one when given."""
        nanoton = self.accounts.nanoton if self.accounts else 0
        tree = way if way is not None else (self.accounts.cell if self.accounts else None)
        accounts = begin_cell().store_maybe_ref(tree).store_cell(depth_balance(nanoton)).end_cell()
        totals = (
            begin_cell()
            .store_uint(0, 64)
            .store_uint(0, 64)
            .store_coins(nanoton)
            .store_bit_int(0)
            .store_coins(0)
            .store_bits("000")
            .end_cell()
        )
        return (
            begin_cell()
            .store_bytes(STATE_TAG)
            .store_int(self.global_id, 32)
            .store_cell(_shard_ident(BASECHAIN))
            .store_uint(self.seqno, 32)
            .store_uint(0, 32)
            .store_uint(self.time_s, 32)
            .store_uint(self.lt, 64)
            .store_uint(self.seqno, 32)
            .store_ref(EMPTY)
            .store_bit_int(0)
            .store_ref(accounts)
            .store_ref(totals)
            .store_bit_int(0)
            .end_cell()
        )

    def _block(self, workchain: int, state: Cell) -> Cell:
        update = begin_cell().store_ref(EMPTY).store_ref(state).end_cell()
        return (
            begin_cell()
            .store_bytes(BLOCK_TAG)
            .store_int(self.global_id, 32)
            .store_ref(self._info(workchain))
            .store_ref(EMPTY)
            .store_ref(update)
            .store_ref(EMPTY)
            .end_cell()
        )

    def _info(self, workchain: int) -> Cell:
        named = None
        if self.previous is not None:
            named = self.previous[0 if workchain == BASECHAIN else 1]
        reference = begin_cell().store_uint(self.lt_before, 64)
        reference.store_uint(max(self.seqno - 1, 0), 32)
        reference.store_bytes(named.root_hash if named else bytes(32))
        reference.store_bytes(named.file_hash if named else bytes(32))
        is_shard = int(workchain != MASTERCHAIN)
        info = (
            begin_cell()
            .store_bytes(INFO_TAG)
            .store_uint(0, 32)
            .store_bit_int(is_shard)
            .store_bits("0000000")
            .store_uint(0, 8)
            .store_uint(self.seqno, 32)
            .store_uint(0, 32)
            .store_cell(_shard_ident(workchain))
            .store_uint(self.time_s, 32)
            .store_uint(self.lt_before, 64)
            .store_uint(self.lt, 64)
            .store_uint(0, 32)
            .store_uint(0, 32)
            .store_uint(self.seqno, 32)
            .store_uint(0, 32)
        )
        if is_shard:
            info.store_ref(reference.end_cell())
        return info.store_ref(reference.end_cell()).end_cell()


def _named(workchain: int, seqno: int, cell: Cell) -> BlockId:
    file_hash = hashlib.sha256(b"file" + cell.hash).digest()
    return BlockId(workchain=workchain, seqno=seqno, root_hash=cell.hash, file_hash=file_hash)


def account_proof(block: LocalBlock, key: str) -> bytes | None:
    """Return the proof of an account in a block's state; None when the state has none."""
    way = prove(block.accounts, key) if block.accounts else None
    if way is None:
        return None
    state = block.state(way)
    header = block._block(BASECHAIN, pruned(block.state()))  # noqa: SLF001 - a block's own module
    return bag(merkle_proof(header), merkle_proof(state))


def header_proof(block: LocalBlock, workchain: int) -> bytes:
    """Return a block's header as a proof: everything else pruned."""
    cell = block.shard_cell if workchain == BASECHAIN else block.master_cell
    header = begin_cell().store_bytes(BLOCK_TAG).store_int(block.global_id, 32)
    header.store_ref(cell.refs[0])
    for ref in cell.refs[1:]:
        header.store_ref(pruned(ref))
    return bag(merkle_proof(header.end_cell()))


def shards(block: LocalBlock) -> bytes:
    """Return the masterchain's list of shards: the one there is (TL-B ShardHashes)."""
    named = block.shard
    coins = begin_cell().store_coins(0).store_bit_int(0).store_coins(0).store_bit_int(0).end_cell()
    description = (
        begin_cell()
        .store_bit_int(0)
        .store_bits("1010")
        .store_uint(block.seqno, 32)
        .store_uint(block.seqno, 32)
        .store_uint(block.lt, 64)
        .store_uint(block.lt, 64)
        .store_bytes(named.root_hash)
        .store_bytes(named.file_hash)
        .store_bits("00000000")
        .store_uint(0, 32)
        .store_uint(1 << 63, 64)
        .store_uint(block.seqno, 32)
        .store_uint(block.time_s, 32)
        .store_bit_int(0)
        .store_ref(coins)
        .end_cell()
    )
    tree = label("0" * 32, 32).store_ref(description).end_cell()
    return bag(begin_cell().store_bit_int(1).store_ref(tree).end_cell())


def _shard_ident(workchain: int) -> Cell:
    return (
        begin_cell()
        .store_bits("00")
        .store_uint(0, 6)
        .store_int(workchain, 32)
        .store_uint(0, 64)
        .end_cell()
    )

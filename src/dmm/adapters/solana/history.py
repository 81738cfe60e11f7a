"""The cluster's record through one node: blocks without gaps, and what happened in a range."""

from __future__ import annotations

import base64
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from dmm.adapters.solana.abi import program_abi
from dmm.adapters.solana.codec import TOKEN, TOKEN_2022, Book, base58
from dmm.adapters.solana.node import BLOCK_CONFIG, SLOT_SKIPPED, Block, NoAnswer, Node, NodeRefused
from dmm.adapters.solana.told import told_of
from dmm.adapters.solana.transaction import Landed, change_of, landed_of
from dmm.settlement.chain_event import BlockRef, ChainEvent
from dmm.units.errors import Permanent

CHAIN = "solana"
SIGNATURES_PER_PAGE = 1_000
PAGES_MAX = 1_000
"""Pages of one account's signatures that are turned: a million transactions."""

SKIPPED_MAX = 1_000
"""Slots without a block that may follow one another."""

MINT_BYTES = 32
EVENTS_PER_TX_MAX = 1_000
CACHED_MAX = 4_096
"""Final transactions kept in memory."""

TRANSACTION_CONFIG = {
    "encoding": "json",
    "commitment": "confirmed",
    "maxSupportedTransactionVersion": 0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A transaction in an account's history."""

    slot: int
    tx_id: str
    is_final: bool


class History:
    """Reads the record, and keeps what can no longer change."""

    def __init__(self, book: Book) -> None:
        """Take our deployments."""
        self._book = book
        self._final: OrderedDict[tuple[Node, str], Landed] = OrderedDict()

    def events(self, node: Node, *, from_slot: int, to_slot: int) -> tuple[ChainEvent, ...]:
        """Return our events in a range of slots, both included, in the chain's order."""
        owners, mints = sorted(self._book.vaults()), set(self._book.tokens())
        accounts = [str(self._book.program), *token_accounts_of(node, owners, mints=mints)]
        lines = lines_of(node, accounts, from_slot=from_slot, to_slot=to_slot)
        return tuple(
            event
            for slot in sorted({line.slot for line in lines})
            for event in self._block_events(node, slot, [x for x in lines if x.slot == slot])
        )

    def balance(self, node: Node, *, holder: str, symbol: str, slot: int) -> int:
        """Return what an owner held of a token at the end of a slot, in all its accounts.

        Nodes tell the present only: what moved since that slot is taken back off it.
        """
        mint = str(self._book.token(symbol))
        config = {"encoding": "base64", "commitment": "finalized", "minContextSlot": slot}
        answer = node.call("getTokenAccountsByOwner", holder, {"mint": mint}, config)
        try:
            read_at = int(answer["context"]["slot"])
            accounts = [str(item["pubkey"]) for item in answer["value"]]
        except (KeyError, TypeError, ValueError) as error:
            raise NoAnswer(f"node {node.name} answers token accounts that are none") from error
        total = sum(_atoms(item, node) for item in answer["value"])
        later = lines_of(node, accounts, from_slot=slot + 1, to_slot=read_at)
        return total - sum(
            change_of(self._landed(node, line), owner=holder, mint=mint) for line in later
        )

    def _block_events(self, node: Node, slot: int, lines: Sequence[Line]) -> list[ChainEvent]:
        config = BLOCK_CONFIG | {"transactionDetails": "signatures"}
        body = node.call("getBlock", slot, config)
        try:
            block_hash = str(body["blockhash"])
            places = {str(tx_id): place for place, tx_id in enumerate(body["signatures"])}
            ordered = sorted(lines, key=lambda line: places[line.tx_id])
        except (KeyError, TypeError) as error:
            raise NoAnswer(f"node {node.name} lists a transaction not in slot {slot}") from error
        found = []
        for line in ordered:
            told = told_of(self._landed(node, line), book=self._book, abi=program_abi())
            if len(told) > EVENTS_PER_TX_MAX:
                raise NoAnswer(f"{line.tx_id} holds {len(told)} events")
            first = places[line.tx_id] * EVENTS_PER_TX_MAX
            found += [
                ChainEvent(
                    chain=CHAIN,
                    height=slot,
                    block_hash=block_hash,
                    tx_id=line.tx_id,
                    log_index=first + index,
                    source=one.source,
                    name=one.name,
                    args=one.args,
                )
                for index, one in enumerate(told)
            ]
        return found

    def _landed(self, node: Node, line: Line) -> Landed:
        key = (node, line.tx_id)
        if line.is_final and key in self._final:
            self._final.move_to_end(key)
            return self._final[key]
        body = node.call("getTransaction", line.tx_id, TRANSACTION_CONFIG)
        if not isinstance(body, dict) or body.get("slot") != line.slot:
            raise NoAnswer(f"node {node.name} does not have {line.tx_id} in slot {line.slot}")
        try:
            landed = landed_of(body)
        except Permanent as fault:
            raise NoAnswer(f"node {node.name}: {line.tx_id}: {fault}") from fault
        if line.is_final:
            self._final[key] = landed
            while len(self._final) > CACHED_MAX:
                self._final.popitem(last=False)
        return landed


def ref_of(node: Node, slot: int) -> BlockRef:
    """Return a slot's place in a chain without gaps.

    A slot without a block stands for the block before it, under that block's hash and the number of
    slots in between; so every slot has one parent, the slot before.
    """
    try:
        block = node.block(slot)
    except NodeRefused as fault:
        if fault.code not in SLOT_SKIPPED:
            raise
        last = node.block(_last_slot(node, slot))
        return _ref(last, slot, gap=slot - last.slot, time_s=last.time_s)
    if slot == 0:
        parent = block.parent_hash
    else:
        parent = _gap_hash(block.parent_hash, slot - 1 - block.parent_slot)
    return BlockRef(
        chain=CHAIN,
        height=slot,
        block_hash=block.block_hash,
        parent_hash=parent,
        time_s=block.time_s,
    )


def token_accounts_of(node: Node, owners: Sequence[str], *, mints: Collection[str]) -> list[str]:
    """Return the token accounts of these mints that owners have, each once.

    Parameters
    ----------
    mints : of either token program; accounts of other mints are nobody's business
    """
    config = {
        "encoding": "base64",
        "commitment": "confirmed",
        # A token account begins with its mint.
        "dataSlice": {"offset": 0, "length": MINT_BYTES},
    }
    found: set[str] = set()
    for owner in owners:
        for program in (TOKEN, TOKEN_2022):
            wanted = {"programId": str(program)}
            answer = node.call("getTokenAccountsByOwner", owner, wanted, config)
            try:
                found |= {
                    str(item["pubkey"])
                    for item in answer["value"]
                    if base58(base64.b64decode(item["account"]["data"][0])) in mints
                }
            except (KeyError, IndexError, TypeError, ValueError) as error:
                raise NoAnswer(f"node {node.name} answers token accounts that are none") from error
    return sorted(found)


def lines_of(node: Node, accounts: Sequence[str], *, from_slot: int, to_slot: int) -> list[Line]:
    """Return the transactions that name any of these accounts and succeeded, each once."""
    found: dict[str, Line] = {}
    if from_slot <= to_slot:
        for address in accounts:
            for line in _history(node, address, from_slot=from_slot, to_slot=to_slot):
                found[line.tx_id] = line
    return list(found.values())


def _history(node: Node, address: str, *, from_slot: int, to_slot: int) -> list[Line]:
    found: list[Line] = []
    config: dict[str, Any] = {"limit": SIGNATURES_PER_PAGE, "commitment": "confirmed"}
    for _ in range(PAGES_MAX):
        page = node.call("getSignaturesForAddress", address, config)
        if not isinstance(page, list):
            raise NoAnswer(f"node {node.name} answers a history that is none")
        try:
            found += [
                Line(
                    slot=int(item["slot"]),
                    tx_id=str(item["signature"]),
                    is_final=item.get("confirmationStatus") == "finalized",
                )
                for item in page
                if item["err"] is None and from_slot <= item["slot"] <= to_slot
            ]
            if len(page) < SIGNATURES_PER_PAGE or int(page[-1]["slot"]) < from_slot:
                return found
            config["before"] = str(page[-1]["signature"])
        except (KeyError, TypeError, ValueError) as error:
            raise NoAnswer(f"node {node.name} answers a history that is none") from error
    raise NoAnswer(f"{address} has over {PAGES_MAX} pages of history since slot {from_slot}")


def _last_slot(node: Node, slot: int) -> int:
    """Return the last slot with a block before one without."""
    config = {"commitment": "confirmed"}
    found = node.call("getBlocks", max(0, slot - SKIPPED_MAX), slot, config)
    if not isinstance(found, list) or not found or not 0 <= int(found[-1]) < slot:
        raise NoAnswer(f"node {node.name} has no block in the {SKIPPED_MAX} slots before {slot}")
    return int(found[-1])


def _ref(last: Block, slot: int, *, gap: int, time_s: int) -> BlockRef:
    return BlockRef(
        chain=CHAIN,
        height=slot,
        block_hash=_gap_hash(last.block_hash, gap),
        parent_hash=_gap_hash(last.block_hash, gap - 1),
        time_s=time_s,
    )


def _gap_hash(block_hash: str, gap: int) -> str:
    return block_hash if gap == 0 else f"{block_hash}+{gap}"


def _atoms(item: Any, node: Node) -> int:
    """Return what a token account holds: 8 bytes, little-endian, at 64."""
    try:
        data = base64.b64decode(item["account"]["data"][0])
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise NoAnswer(f"node {node.name} answers a token account that is none") from error
    return int.from_bytes(data[64:72], "little")

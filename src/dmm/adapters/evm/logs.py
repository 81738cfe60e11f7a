"""What the chain's own log says of governance: the orders it executed, as a hash chain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from dmm.adapters.evm.artefacts import load
from dmm.adapters.evm.codec import BLOCK_OF, SEQUENCE, Book, calldata, order_head
from dmm.adapters.evm.node import NoAnswer, Node
from dmm.ports import ExecutedOrder, Snapshot
from dmm.units.errors import InvariantBroken
from dmm.units.ids import Hash32

TRANSFER_TOPIC = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
"""keccak256 of Transfer(address,address,uint256), ERC-20."""

LOG_BLOCKS_MAX = 2_000
"""Heights asked for at once: nodes refuse long ranges."""

ORDERS_PER_CALL_MAX = 256


def read_orders(
    node: Node, book: Book, *, artefact_dir: Path, chain: str, from_sequence: int, at: Snapshot
) -> list[ExecutedOrder]:
    """Return executed orders in sequence, at most 256, as of the snapshot's finalized block.

    Raises
    ------
    InvariantBroken
        If an order's head does not follow from its content, or orders do not follow one another.
    """
    at_hash = {"blockHash": at.finalized_hash}
    contract = book.address("governor")
    topic, types = load(artefact_dir, "GovernorLog").event("OrderExecuted")
    last = node.word(contract, calldata(SEQUENCE), at_hash)
    orders: list[ExecutedOrder] = []
    first = max(1, from_sequence)
    for sequence in range(first, min(last, first + ORDERS_PER_CALL_MAX - 1) + 1):
        height = node.word(contract, calldata(BLOCK_OF, sequence), at_hash)
        query = {
            "fromBlock": hex(height),
            "toBlock": hex(height),
            "address": contract,
            "topics": [topic, f"0x{sequence:064x}"],
        }
        logs = node.call("eth_getLogs", query)
        if len(logs) != 1:
            raise NoAnswer(f"node {node.name} has no event of order {sequence} at {height}")
        order = _order(logs[0], types, chain=chain, sequence=sequence, contract=contract)
        _require_link(order, logs[0]["topics"][2], book, orders)
        orders.append(order)
    return orders


def _require_link(
    order: ExecutedOrder, family: str, book: Book, before: list[ExecutedOrder]
) -> None:
    head = order_head(
        chain_id=book.chain_id,
        contract=order.contract,
        sequence=order.sequence,
        family=bytes.fromhex(family.removeprefix("0x")),
        previous_head=order.previous_head,
        body=order.body,
        expiry_s=order.expiry_s,
    )
    follows = not before or before[-1].head == order.previous_head
    if head != order.head or not follows:
        raise InvariantBroken(f"order {order.sequence} of {order.contract} breaks the hash chain")


def _order(
    log: dict[str, Any], types: list[str], *, chain: str, sequence: int, contract: str
) -> ExecutedOrder:
    data = bytes.fromhex(log["data"].removeprefix("0x"))
    try:
        previous_head, head, body, expiry_s = decode(types, data)
    except DecodingError as error:
        raise InvariantBroken(f"order {sequence} of {contract} cannot be read: {error}") from error
    family = bytes.fromhex(log["topics"][2].removeprefix("0x")).rstrip(b"\0")
    return ExecutedOrder(
        chain=chain,
        contract=contract,
        sequence=sequence,
        # A family nobody knows must not hide the orders after it.
        family=family.decode("ascii", errors="replace"),
        previous_head=Hash32(previous_head),
        head=Hash32(head),
        body=body,
        expiry_s=expiry_s,
        height=int(log["blockNumber"], 16),
        tx_id=str(log["transactionHash"]),
    )

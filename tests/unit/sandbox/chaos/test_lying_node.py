"""What a lying node makes of an honest answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dmm.sandbox.chaos.liar import (
    AHEAD_S,
    STALE_BLOCKS,
    LyingNode,
    Manner,
    twist_evm,
    twist_solana,
)

BLOCK = {"number": "0x64", "hash": "0xaa", "timestamp": "0x10"}
FINAL = {"number": "0x50", "hash": "0xff", "timestamp": "0x8"}


def ask(method: str, params: list[Any]) -> Any:
    assert method == "eth_getBlockByNumber"
    return FINAL if params[0] == "finalized" else {**BLOCK, "number": params[0]}


@pytest.mark.parametrize(
    ("method", "params", "result"),
    [
        ("eth_getBlockByNumber", ["latest", False], BLOCK),
        ("eth_getTransactionReceipt", ["0x1"], None),
        ("eth_call", [{}, "latest"], "0x" + "00" * 32),
        ("eth_getLogs", [{}], [{"topics": []}]),
    ],
)
def test_an_honest_node_changes_nothing(method: str, params: list[Any], result: Any) -> None:
    assert twist_evm(Manner.HONEST, method, params, result, ask) == result
    assert twist_solana(Manner.HONEST, method, params, result, ask) == result


def test_a_stale_node_calls_an_older_block_the_head() -> None:
    told = twist_evm(Manner.STALE, "eth_getBlockByNumber", ["latest", False], BLOCK, ask)
    assert int(told["number"], 16) == 0x64 - STALE_BLOCKS


def test_a_stale_node_knows_a_block_that_is_named_by_its_height() -> None:
    told = twist_evm(Manner.STALE, "eth_getBlockByNumber", ["0x64", False], BLOCK, ask)
    assert told == BLOCK


def test_a_false_node_shows_a_payment_that_never_was_as_final() -> None:
    told = twist_evm(Manner.FALSE, "eth_getTransactionReceipt", ["0x1"], None, ask)
    assert told == {"blockNumber": "0x50", "blockHash": "0xff", "status": "0x1"}


@pytest.mark.parametrize(("status", "told"), [("0x1", "0x0"), ("0x0", "0x1")])
def test_a_false_node_turns_the_outcome_of_a_transaction_around(status: str, told: str) -> None:
    receipt = {"status": status, "blockNumber": "0x5"}
    found = twist_evm(Manner.FALSE, "eth_getTransactionReceipt", ["0x1"], receipt, ask)
    assert found["status"] == told


@pytest.mark.parametrize(("honest", "told"), [(0, 1), (7, 0)])
def test_a_false_node_says_the_opposite_of_a_key(honest: int, told: int) -> None:
    word = "0x" + honest.to_bytes(32, "big").hex()
    assert int(twist_evm(Manner.FALSE, "eth_call", [{}, "0x1"], word, ask), 16) == told


def test_a_clock_ahead_moves_only_the_time() -> None:
    told = twist_evm(Manner.AHEAD, "eth_getBlockByNumber", ["0x64", False], BLOCK, ask)
    assert told == {**BLOCK, "timestamp": hex(0x10 + AHEAD_S)}
    assert twist_solana(Manner.AHEAD, "getBlockTime", [5], 100, ask) == 100 + AHEAD_S


@pytest.mark.parametrize(
    ("method", "value", "told"),
    [
        ("getAccountInfo", {"lamports": 1}, None),
        ("getSignatureStatuses", [{"err": None}, None], [None, None]),
        ("getTokenAccountsByOwner", [{"pubkey": "x"}], []),
    ],
)
def test_a_false_solana_node_knows_of_nothing(method: str, value: Any, told: Any) -> None:
    result = {"context": {"slot": 9}, "value": value}
    found = twist_solana(Manner.FALSE, method, [], result, ask)
    assert found == {"context": {"slot": 9}, "value": told}


def test_a_stale_solana_node_is_some_slots_behind() -> None:
    assert twist_solana(Manner.STALE, "getSlot", [], 100, ask) == 100 - STALE_BLOCKS
    assert twist_solana(Manner.STALE, "getSlot", [], 3, ask) == 0


class Behind(LyingNode):
    """A proxy whose node behind answers from memory."""

    def __init__(self) -> None:
        self.manner, self.lies, self._twist = Manner.HONEST, 0, twist_evm

    def _forward(self, content: bytes) -> bytes | None:
        asked = json.loads(content)
        found = None if asked["method"] == "eth_getTransactionReceipt" else FINAL
        return json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": found}).encode()


def request(method: str, *params: object) -> bytes:
    body = {"jsonrpc": "2.0", "id": 3, "method": method, "params": list(params)}
    return json.dumps(body).encode()


def test_a_silent_node_answers_nothing_until_it_is_calm() -> None:
    node = Behind()
    node.manner = Manner.SILENT
    assert node.answer(request("eth_chainId")) is None
    assert node.calm() == 1
    assert node.answer(request("eth_chainId")) is not None


def test_lies_are_counted_and_truths_are_not() -> None:
    node = Behind()
    node.manner = Manner.FALSE
    told = node.answer(request("eth_getTransactionReceipt", "0x1"))
    assert told is not None
    assert json.loads(told)["id"] == 3
    assert json.loads(told)["result"]["status"] == "0x1"
    node.answer(request("eth_getBlockByNumber", "latest", False))
    assert node.calm() == 1

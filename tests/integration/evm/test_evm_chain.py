"""The chain adapter against a real node: paid once, three-valued answers, no guesses."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from dmm.adapters.evm import node as node_module
from dmm.adapters.evm.codec import calldata
from dmm.market.instrument import Asset
from dmm.ports import Answer
from dmm.sandbox.evm.actors import execute_order
from dmm.sandbox.evm.deploy import deploy
from dmm.sandbox.evm.transact import Sender
from dmm.settlement.chain_event import TRANSFER
from dmm.settlement.intent import Intent
from dmm.units.amount import Atoms
from dmm.units.errors import OutcomeUnknown, Permanent, Retryable, ServiceFault
from dmm.units.ids import ZERO_HASH


@pytest.mark.parametrize("kind", ["reward", "buyback", "fill"])
def test_each_kind_of_intent_is_paid_and_its_key_is_used_once_final(local: Any, kind: str) -> None:
    intent: Intent = local.fill(nonce=301) if kind == "fill" else getattr(local, kind)()
    chain = local.chain()
    assert chain.key_state(intent, at=chain.snapshot()) is Answer.ABSENT
    tx_id = local.pay(intent)
    at = chain.snapshot()
    view = chain.transaction(tx_id, at=at)
    assert (view.answer, view.succeeded, view.finalized) == (Answer.FOUND, True, False)
    assert chain.key_state(intent, at=at) is Answer.ABSENT, "used at the head is not used yet"
    at = local.finalize()
    assert chain.transaction(tx_id, at=at).finalized
    assert chain.key_state(intent, at=at) is Answer.FOUND
    again = local.pay(intent)
    assert local.view(again).succeeded is False


def test_the_same_bytes_sent_again_are_fine(local: Any) -> None:
    tx_id, raw = local.signed(local.reward())
    for _ in range(3):
        local.chain().send(raw)
    local.node.mine(1)
    assert local.view(tx_id).succeeded
    # The node has forgotten the bytes, not the nonce: only a look at the chain tells.
    with pytest.raises(OutcomeUnknown, match="nonce too low"):
        local.chain().send(raw)


def test_a_fee_bump_replaces_its_predecessor_at_the_same_nonce(local: Any) -> None:
    intent = local.reward()
    slot = int(
        local.node.rpc("eth_getTransactionCount", local.actors.operator.address, "latest"), 16
    )
    first, raw = local.signed(intent, slot=slot)
    local.chain().send(raw)
    second, raw = local.signed(intent, slot=slot, bump=1)
    local.chain().send(raw)
    local.node.mine(1)
    assert local.view(first).answer is Answer.ABSENT
    assert local.view(second).succeeded


def test_bytes_every_node_calls_invalid_are_refused_for_good(local: Any) -> None:
    with pytest.raises(Permanent, match="every node refused"):
        local.chain().send(b"\x02\xc0")


def test_a_reorg_takes_a_payment_back_and_the_same_bytes_bring_it_again(local: Any) -> None:
    local.finalize()
    intent = local.reward()
    tx_id, raw = local.signed(intent)
    local.chain().send(raw)
    local.node.mine(3)
    before = local.view(tx_id)
    assert before.answer is Answer.FOUND
    local.node.reorg(8)
    assert local.view(tx_id).answer is Answer.ABSENT
    local.chain().send(raw)
    local.node.mine(1)
    after = local.view(tx_id)
    assert after.succeeded
    assert after.block_hash != before.block_hash
    assert local.chain().key_state(intent, at=local.finalize()) is Answer.FOUND


def test_a_cancelled_quote_was_never_paid(local: Any) -> None:
    intent = local.fill(nonce=77)
    Sender(rpc=local.node.rpc, key=local.actors.desk, chain_id=31_337).submit(
        local.deployments["settlement"].address,
        calldata("cancel(uint256,uint256)", 0, 1 << 77),
    )
    at = local.finalize()
    assert local.chain().key_state(intent, at=at) is Answer.ABSENT
    assert local.view(local.pay(intent)).succeeded is False


def test_a_late_payment_reverts_and_its_key_stays_unset(local: Any) -> None:
    intent = local.reward(deadline_s=local.chain().snapshot().head_time_s - 1)
    tx_id = local.pay(intent)
    at = local.finalize()
    view = local.chain().transaction(tx_id, at=at)
    assert (view.finalized, view.succeeded) == (True, False)
    assert local.chain().key_state(intent, at=at) is Answer.ABSENT
    assert at.finalized_time_s >= intent.deadline_s


def test_the_next_slot_counts_what_is_final(local: Any) -> None:
    at = local.finalize()
    slot = local.chain().next_slot(local.actors.operator.address, at=at)
    local.pay(local.reward())
    at = local.chain().snapshot()
    assert local.chain().next_slot(local.actors.operator.address, at=at) == slot
    at = local.finalize()
    assert local.chain().next_slot(local.actors.operator.address, at=at) == slot + 1


def test_balances_are_what_the_transfers_say(local: Any) -> None:
    local.pay(local.buyback())
    at = local.finalize()
    log, treasury = local.log(), local.deployments["treasury"].address
    moved = [
        event
        for event in log.events(from_height=0, to_height=at.finalized_height)
        if event.name == TRANSFER
    ]
    for asset in ("DCT", "USDT", "BTC"):
        gained = sum(
            event.number("amount")
            * (
                (event.text("recipient") == treasury.lower())
                - (event.text("sender") == treasury.lower())
            )
            for event in moved
            if event.source == f"token:{asset}"
        )
        held = log.balance(holder=treasury, asset=asset, height=at.finalized_height)
        assert held == gained
    assert moved == sorted(moved, key=lambda event: (event.height, event.log_index))


def test_a_balance_at_a_height_the_node_forgot_may_be_asked_later(local: Any) -> None:
    local.node.mine(200)
    with pytest.raises(Retryable, match="too few EVM nodes answer"):
        local.log().balance(holder=local.actors.desk.address, asset="BTC", height=1)


def test_orders_are_read_in_sequence_with_their_bodies(local: Any) -> None:
    bodies = [b'{"gamma":2}', b'{"kill_id":5}', b"\xff\x00 anything"]
    families = ["policy", "release", "unknown"]
    for index, (family, body) in enumerate(zip(families, bodies, strict=True)):
        with local.mining():
            sequence, _ = execute_order(
                rpc=local.node.rpc, actors=local.actors, book=local.book, family=family, body=body
            )
        assert sequence == index + 1
    before = local.chain().snapshot()
    assert local.chain().executed_orders(from_sequence=1, at=before) == []
    orders = local.chain().executed_orders(from_sequence=1, at=local.finalize())
    assert [order.body for order in orders] == bodies
    assert [order.family for order in orders] == families
    assert [order.previous_head for order in orders] == [ZERO_HASH, *(o.head for o in orders[:2])]
    tail = local.chain().executed_orders(from_sequence=3, at=local.finalize())
    assert tail == orders[2:]


def test_a_second_deployment_on_the_same_chain_changes_nothing(
    local: Any, project_root: Any
) -> None:
    from_before = list(local.deployments.values())
    again = deploy(
        node=local.node,
        artefact_dir=project_root / "contracts" / "evm" / "build",
        actors=local.actors,
        position=Asset(symbol="BTC", decimals=8),
        cash=Asset(symbol="USDT", decimals=6),
    )
    assert again == from_before


# -- nodes that fail -----------------------------------------------------------------------------


@contextmanager
def strange_node(answer: Any) -> Iterator[str]:
    """Serve JSON-RPC by a function of (method, params); None hangs up without an answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            result = answer(body["method"], body["params"])
            if result is None:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            content = json.dumps({"jsonrpc": "2.0", "id": body["id"]} | result).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def relay(local: Any, **override: Any) -> Any:
    """Answer as the real node does, except for the methods given."""

    def answer(method: str, params: list[Any]) -> dict[str, Any] | None:
        if method in override:
            changed: dict[str, Any] | None = override[method]
            return changed
        try:
            return {"result": local.node.rpc(method, *params)}
        except ServiceFault as fault:
            return {"error": {"code": -1, "message": str(fault)}}

    return answer


def test_a_node_on_another_chain_is_refused_by_name(local: Any) -> None:
    chain = local.chain(chain_id=1)
    with pytest.raises(ServiceFault, match=r"is on chain 0x7a69, not 1: change its URL"):
        chain.snapshot()


def test_a_node_on_another_chain_gives_no_quorum(local: Any) -> None:
    intent = local.reward()
    with strange_node(relay(local, eth_chainId={"result": "0x1"})) as wrong:
        chain = local.chain(local.node.url, wrong)
        at = chain.snapshot()
        assert chain.key_state(intent, at=at) is Answer.UNKNOWN


def test_two_nodes_that_agree_give_an_answer(local: Any) -> None:
    intent = local.reward()
    tx_id = local.pay(intent)
    at = local.finalize()
    with strange_node(relay(local)) as second:
        chain = local.chain(local.node.url, second)
        assert chain.key_state(intent, at=at) is Answer.FOUND
        assert chain.transaction(tx_id, at=at).finalized


def test_one_node_that_lies_about_a_key_makes_it_unknown(local: Any) -> None:
    intent = local.reward()
    with strange_node(relay(local, eth_call={"result": "0x" + "01".rjust(64, "0")})) as liar:
        chain = local.chain(local.node.url, liar)
        assert chain.key_state(intent, at=chain.snapshot()) is Answer.UNKNOWN


def test_one_node_without_the_receipt_makes_it_unknown(local: Any) -> None:
    tx_id = local.pay(local.reward())
    with strange_node(relay(local, eth_getTransactionReceipt={"result": None})) as lagging:
        chain = local.chain(local.node.url, lagging)
        assert chain.transaction(tx_id, at=chain.snapshot()).answer is Answer.UNKNOWN


def test_a_snapshot_the_node_has_left_is_unknown(local: Any) -> None:
    intent = local.reward()
    at = replace(local.chain().snapshot(), finalized_hash="0x" + "ab" * 32)
    assert local.chain().key_state(intent, at=at) is Answer.UNKNOWN
    assert local.chain().transaction("0x" + "01" * 32, at=at).answer is Answer.UNKNOWN
    assert local.chain().next_slot(local.actors.operator.address, at=at) is None


def test_a_contract_that_is_not_there_is_unknown_not_unpaid(local: Any) -> None:
    treasury = replace(local.deployments["treasury"], address="0x" + "77" * 20)
    chain = type(local)(
        local.node, local.actors, local.deployments | {"treasury": treasury}
    ).chain()
    assert chain.key_state(local.reward(), at=chain.snapshot()) is Answer.UNKNOWN


def test_no_node_at_all_may_be_asked_later(local: Any) -> None:
    with pytest.raises(Retryable, match="too few EVM nodes answer"):
        local.chain("http://127.0.0.1:9").snapshot()


def test_a_node_that_takes_bytes_and_hangs_up_leaves_the_outcome_unknown(local: Any) -> None:
    _, raw = local.signed(local.reward())
    with strange_node(relay(local, eth_sendRawTransaction=None)) as rude:
        with pytest.raises(OutcomeUnknown, match="did not answer eth_sendRawTransaction"):
            local.chain(rude).send(raw)
        local.chain(rude, local.node.url).send(raw)
    local.node.mine(1)


def test_a_node_that_is_silent_runs_out_of_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        node = node_module.Node(url, chain_id=31_337, read_timeout_s=0.1)
        with pytest.raises(node_module.NoAnswer, match="did not answer eth_chainId"):
            node.call("eth_blockNumber")


def test_amounts_beyond_a_double_survive(local: Any) -> None:
    """2^53 + 1 atoms arrive exactly."""
    amount = Atoms(2**53 + 1)
    sender = Sender(rpc=local.node.rpc, key=local.actors.deployer, chain_id=31_337)
    sender.submit(
        local.deployments["token:DCT"].address,
        calldata("mint(address,uint256)", local.actors.guardian.address, amount),
    )
    at = local.finalize()
    held = local.log().balance(
        holder=local.actors.guardian.address, asset="DCT", height=at.finalized_height
    )
    assert held == amount

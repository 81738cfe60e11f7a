"""The chain's record by real nodes and by nodes that lie, lag, fail or are on another chain."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from dmm.adapters.evm.codec import calldata
from dmm.adapters.evm.events import EvmLog
from dmm.sandbox.evm.node import CHAIN_ID
from dmm.sandbox.evm.transact import Sender
from dmm.units.amount import Atoms
from dmm.units.errors import Retryable, ServiceFault

BUILD = Path(__file__).resolve().parents[3] / "contracts" / "evm" / "build"

Change = Callable[[str, list[Any], Any], Any]
"""Turns the real answer to (method, params) into what the strange node says; None hangs up."""


@contextmanager
def proxy(local: Any, change: Change) -> Iterator[str]:
    """Serve a node that asks the real one and changes what it says."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            try:
                real = {"result": local.node.rpc(body["method"], *body["params"])}
            except ServiceFault as fault:
                real = {"error": {"code": -1, "message": str(fault)}}
            if "result" in real:
                real["result"] = change(body["method"], body["params"], real["result"])
                if real["result"] is HANG_UP:
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
            content = json.dumps({"jsonrpc": "2.0", "id": body["id"]} | real).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


HANG_UP = object()


def honest(_method: str, _params: list[Any], answer: Any) -> Any:
    return answer


def silent(_method: str, _params: list[Any], _answer: Any) -> Any:
    return HANG_UP


def on_another_chain(method: str, _params: list[Any], answer: Any) -> Any:
    return "0x1" if method == "eth_chainId" else answer


def hides_logs(method: str, _params: list[Any], answer: Any) -> Any:
    return answer[:-1] if method == "eth_getLogs" else answer


def changes_amounts(method: str, _params: list[Any], answer: Any) -> Any:
    if method != "eth_getLogs":
        return answer
    return [
        log | {"data": "0x" + f"{int(log['data'][:66], 16) + 1:064x}" + log["data"][66:]}
        for log in answer
    ]


def on_a_fork(method: str, _params: list[Any], answer: Any) -> Any:
    if method == "eth_getBlockByNumber" and answer:
        return answer | {"hash": "0x" + "ab" * 32}
    return answer


def calls_its_head_final(method: str, params: list[Any], answer: Any) -> Any:
    return answer if params != ["finalized", False] else answer | {"number": "0xffffff"}


def garbage(method: str, _params: list[Any], answer: Any) -> Any:
    return [{"nonsense": 1}] if method == "eth_getLogs" else answer


def log_of(local: Any, *urls: str, chain_id: int = CHAIN_ID) -> EvmLog:
    return EvmLog(
        rpc_urls=urls or (local.node.url,),
        chain_id=chain_id,
        deployments=local.deployments,
        artefact_dir=BUILD,
    )


def test_every_kind_of_payment_leaves_its_events(local: Any) -> None:
    first = log_of(local).tips()[1].height + 1
    intents = (local.reward(), local.buyback(), local.fill(nonce=401))
    tx_ids = [local.pay(intent) for intent in intents]
    at = local.finalize()
    events = log_of(local).events(from_height=first, to_height=at.finalized_height)
    names = {tx: [e.name for e in events if e.tx_id == tx] for tx in tx_ids}
    assert [sorted(names[tx]) for tx in tx_ids] == [
        ["Paid", "Transfer"],
        ["BoughtBack", "Filled", "Transfer", "Transfer", "Transfer"],
        ["Filled", "Transfer", "Transfer"],
    ]
    reward, buyback, fill = intents
    (paid,) = [event for event in events if event.name == "Paid"]
    assert paid.args == {
        "key": reward.intent_id.hex(),
        "token": local.deployments["token:DCT"].address.lower(),
        "to": reward.recipient.lower(),
        "amount": reward.amount,
    }
    (bought,) = [event for event in events if event.name == "BoughtBack"]
    assert bought.number("paidAmount") == buyback.amount
    assert bought.args["burnt"] is True
    filled = [event for event in events if event.name == "Filled"][-1]
    assert filled.text("maker") == fill.scope.lower()
    assert filled.number("nonce") == 401
    assert events == sorted(events, key=lambda event: (event.height, event.log_index))


def test_transfers_among_strangers_are_nobody_s_business(local: Any) -> None:
    taker, other = local.actors.takers
    at = local.finalize()
    Sender(rpc=local.node.rpc, key=taker, chain_id=CHAIN_ID).submit(
        local.deployments["token:USDT"].address,
        calldata("transfer(address,uint256)", other.address, 5),
    )
    last = local.finalize().finalized_height
    assert log_of(local).events(from_height=at.finalized_height, to_height=last) == []


def test_blocks_stand_on_their_parents(local: Any) -> None:
    final, head = log_of(local).tips()
    assert head.height - final.height == 16
    above = log_of(local).block(final.height + 1)
    assert above.parent_hash == final.block_hash
    with pytest.raises(Retryable, match="has no block"):
        log_of(local).block(head.height + 1)


def test_what_a_vault_holds_is_what_its_transfers_sum_to(local: Any) -> None:
    local.pay(local.reward())
    at = local.finalize()
    treasury = local.deployments["treasury"].address
    log = log_of(local)
    events = log.events(from_height=0, to_height=at.finalized_height)
    came = sum(
        e.number("amount")
        * ((e.args["recipient"] == treasury.lower()) - (e.args["sender"] == treasury.lower()))
        for e in events
        if e.source == "token:DCT"
    )
    assert log.balance(holder=treasury, asset="DCT", height=at.finalized_height) == Atoms(came)


@pytest.mark.parametrize("odd", [hides_logs, changes_amounts, on_a_fork])
def test_a_node_that_contradicts_the_others_stops_the_reading(local: Any, odd: Change) -> None:
    local.pay(local.reward())
    at = local.finalize()
    with proxy(local, honest) as second, proxy(local, odd) as liar:
        log = log_of(local, local.node.url, second, liar)
        first, last = at.finalized_height - 20, at.finalized_height
        ask = {on_a_fork: lambda: log.block(last)}.get(
            odd, lambda: log.events(from_height=first, to_height=last)
        )
        with pytest.raises(Retryable, match="contradict one another"):
            ask()


@pytest.mark.parametrize("odd", [silent, on_another_chain])
def test_one_of_three_nodes_may_be_silent(local: Any, odd: Change) -> None:
    with proxy(local, honest) as second, proxy(local, odd) as down:
        log = log_of(local, down, local.node.url, second)
        final, _ = log.tips()
        assert log.block(final.height) == final


@pytest.mark.parametrize("odd", [silent, garbage])
def test_one_of_two_nodes_alone_is_no_quorum(local: Any, odd: Change) -> None:
    at = local.finalize()
    with proxy(local, odd) as down:
        log = log_of(local, local.node.url, down)
        with pytest.raises(Retryable, match="too few EVM nodes answer"):
            log.events(from_height=0, to_height=at.finalized_height)


def test_a_node_that_lags_does_not_hold_finality_back_where_two_go_on(local: Any) -> None:
    at = local.finalize()

    def lags(method: str, params: list[Any], answer: Any) -> Any:
        if method == "eth_getBlockByNumber" and params[0] in ("finalized", "latest"):
            return local.node.rpc(method, hex(at.finalized_height - 40), False)
        return answer

    with proxy(local, honest) as second, proxy(local, lags) as behind:
        assert log_of(local, local.node.url, second, behind).tips()[0].height == (
            at.finalized_height
        )
        assert log_of(local, local.node.url, behind).tips()[0].height == at.finalized_height - 40


def test_one_node_alone_cannot_call_its_head_final(local: Any) -> None:
    at = local.finalize()
    with proxy(local, calls_its_head_final) as eager:
        final, _ = log_of(local, local.node.url, eager).tips()
        assert final.height == at.finalized_height


def test_a_node_on_another_chain_leaves_no_quorum_of_two_and_is_named(local: Any) -> None:
    with proxy(local, on_another_chain) as wrong:
        log = log_of(local, local.node.url, wrong)
        with pytest.raises(ServiceFault, match="is on chain 0x1, not 31337"):
            log.block(0)


def test_nodes_on_another_chain_are_refused_by_name(local: Any) -> None:
    with pytest.raises(ServiceFault, match=r"is on chain 0x7a69, not 1: change its URL"):
        log_of(local, chain_id=1).tips()


def test_a_contract_of_another_build_is_refused_by_name(local: Any, tmp_path: Path) -> None:
    for name in ("Settlement", "Treasury", "Distributor", "GovernorLog"):
        body = json.loads((BUILD / f"{name}.json").read_text(encoding="utf-8"))
        body["abi"] = [entry for entry in body["abi"] if entry.get("name") != "CapSet"]
        (tmp_path / f"{name}.json").write_text(json.dumps(body), encoding="utf-8")
    log = EvmLog(
        rpc_urls=(local.node.url,),
        chain_id=CHAIN_ID,
        deployments=local.deployments,
        artefact_dir=tmp_path,
    )
    with pytest.raises(ServiceFault, match="treasury wrote an event"):
        log.events(from_height=0, to_height=log.tips()[0].height)

"""Deals and payments that end another way, and orders of governance, as the desk reads them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from dmm.adapters.ton.cells import OP_RESOLVE, OP_TREASURY_RESOLVE, op
from dmm.adapters.ton.node import open_nodes
from dmm.adapters.ton.sign import Key
from dmm.adapters.ton.wallet import outgoing, query_id_of
from dmm.ports import Answer
from dmm.sandbox.ton import desk_cells
from dmm.sandbox.ton.cells import OP_BRAKE, at
from dmm.sandbox.ton.demo_cells import approval, execution, proposal
from dmm.sandbox.ton.node import GLOBAL_ID
from tests.integration.ton.conftest import TON1, Local
from tests.integration.ton.test_ton_log import ASSETS, VAULTS, legs

LOCKED_OUT, LOCKED_IN, FREE = 1, 2, 0
RESOLVE_AFTER_S = 3_600


def send(local: Local, key: Key, to: int, body: Any) -> None:
    local.ordinal += 1
    _, content = key.send_on(
        outgoing(to=to, nanoton=TON1 // 5, body=body),
        query_id=query_id_of(7_000_000 + local.ordinal),
        created_at_s=local.now_s(),
    )
    local.chain().send(content)
    local.idle()


@contextmanager
def braked(local: Local, symbol: str, owner: int, status: int) -> Iterator[None]:
    """Have the DEMO issuer lock somebody's wallet for a while."""
    for value in (status, FREE):
        body = op(
            OP_BRAKE,
            write=lambda b, value=value: b.store_address(at(owner)).store_uint(value, 4),
        )
        send(local, local.actors.deployer, local.book.minter(symbol), body)
        if value == status:
            yield


def require_agreement(local: Local, first: int) -> list[str]:
    """Hold balances against events at every block since one; return the events' names."""
    last, log = local.idle(), local.one_server()
    events = log.events(from_height=1, to_height=last)
    for height in range(first, last + 1):
        past = [event for event in events if event.height <= height]
        for vault in VAULTS:
            holder = local.deployments[vault].address
            for asset in ASSETS:
                held = log.balance(holder=holder, asset=asset, height=height)
                assert held == legs(past, holder, asset), (height, vault, asset)
    return [event.name for event in events if event.height > first]


def test_a_deal_whose_leg_bounces_is_refunded_and_moves_nothing(local: Local) -> None:
    intent = local.fill()
    vault = local.book.account("settlement")
    with braked(local, "BTC", vault, LOCKED_OUT):
        first = local.idle()
        local.pay(intent)
    assert local.state(intent) is Answer.REFUNDED
    assert require_agreement(local, first) == ["Refunded"]


def test_a_deal_that_its_receiver_refuses_in_silence_waits_for_a_person(local: Local) -> None:
    intent = local.fill()
    taker, vault = local.actors.takers[0], local.book.account("settlement")
    with braked(local, "BTC", taker.account, LOCKED_IN):
        first = local.idle()
        local.pay(intent)
        assert local.state(intent) is Answer.PENDING
        assert require_agreement(local, first) == []
    local.node.advance(intent.deadline_s - local.now_s() + RESOLVE_AFTER_S + 60)
    body = op(OP_RESOLVE, write=lambda b: b.store_uint(intent.ordinal, 64).store_bit_int(0))
    send(local, local.actors.desk, vault, body)
    assert local.state(intent) is Answer.REFUNDED
    assert require_agreement(local, first) == ["Refunded"]


def test_a_payment_that_its_receiver_refuses_in_silence_waits_for_a_person(local: Local) -> None:
    intent = local.reward()
    receiver = int(intent.recipient.removeprefix("0:"), 16)
    local.pay(local.reward(recipient=intent.recipient))
    with braked(local, "DCT", receiver, LOCKED_IN):
        first = local.idle()
        local.pay(intent)
        assert local.state(intent) is Answer.PENDING
        assert require_agreement(local, first) == []
    local.node.advance(intent.deadline_s - local.now_s() + RESOLVE_AFTER_S + 60)
    key = int.from_bytes(intent.intent_id, "big")
    body = op(OP_TREASURY_RESOLVE, write=lambda b: b.store_uint(key, 256).store_bit_int(0))
    send(local, local.actors.operator, local.book.account("treasury"), body)
    assert local.state(intent) is Answer.REFUNDED
    assert require_agreement(local, first) == ["Returned"]


def test_executed_orders_are_read_from_the_chain_with_their_heads(local: Local) -> None:
    chain, governor = local.chain(), local.book.account("governor")
    multisig, owners = local.book.account("multisig"), local.actors.owners
    before = chain.executed_orders(from_sequence=1, at=chain.snapshot())
    head = before[-1].head if before else bytes(32)
    bodies = [b"a policy of this desk", bytes(range(256)) * 2]
    for place, content in enumerate(bodies):
        body = desk_cells.execute_order(
            family=b"policy".ljust(32, b"\0"),
            sequence=len(before) + place + 1,
            previous_head=head,
            expiry_s=local.now_s() + 600,
            body=content,
        )
        number = _next_order(local)
        send(local, owners[0], multisig, proposal(governor, body, local.now_s() + 600))
        send(local, owners[1], multisig, approval(number))
        send(local, local.actors.deployer, multisig, execution(number))
        found = chain.executed_orders(from_sequence=1, at=chain.snapshot())
        assert len(found) == len(before) + place + 1
        head = found[-1].head
    found = chain.executed_orders(from_sequence=len(before) + 1, at=chain.snapshot())
    assert [order.body for order in found] == bodies
    assert {order.family for order in found} == {"policy"}
    assert found[1].previous_head == found[0].head


def _next_order(local: Local) -> int:
    node = open_nodes([local.node.config_path], global_id=GLOBAL_ID)[0]
    return int(node.get(local.book.address("multisig"), "multisig", [], node.head())[3])


@pytest.mark.parametrize("sequence", [0, 1])
def test_an_unused_log_has_no_order_past_its_end(local: Local, sequence: int) -> None:
    chain = local.chain()
    found = chain.executed_orders(from_sequence=10**6 + sequence, at=chain.snapshot())
    assert found == []

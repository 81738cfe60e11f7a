"""The log and the balances say the same at every block, in any order of messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pytoniq_core import begin_cell

from dmm.adapters.ton import cells
from dmm.adapters.ton.sign import Key
from dmm.adapters.ton.wallet import outgoing, query_id_of
from dmm.settlement.chain_event import ChainEvent
from dmm.units.errors import Permanent, Retryable
from tests.integration.ton.conftest import TON1, Local

ASSETS = ("BTC", "USDT", "DCT")
VAULTS = ("vault:desk", "vault:treasury")


def legs(events: list[ChainEvent], holder: str, asset: str) -> int:
    total = 0
    for event in events:
        if event.name == "Transfer" and event.source == f"token:{asset}":
            total += event.number("amount") * (event.text("recipient") == holder)
            total -= event.number("amount") * (event.text("sender") == holder)
    return total


def send_from(local: Local, key: Key, *, to: int, nanoton: int, body: Any) -> None:
    local.ordinal += 1
    _, content = key.send_on(
        outgoing(to=to, nanoton=nanoton, body=body),
        query_id=query_id_of(4_000_000 + local.ordinal),
        created_at_s=local.now_s(),
    )
    local.chain().send(content)


def test_balances_and_events_agree_at_every_block_while_messages_mix(local: Local) -> None:
    first = local.idle()
    local.node.set_faults(held_per_mille=400)
    local.node.pause(paused=True)
    intents = [
        local.reward(),
        local.fill(),
        local.buyback(),
        local.reward(asset="USDT", amount=77),
        local.fill(local.quote(taker=local.actors.takers[1].address, fee_bps=13)),
    ]
    quote: Any = local.buyback()
    refused = quote.inputs["quote"]["maker_amount"] + 1
    intents.append(local.buyback(ordinal=700_000, inputs=quote.inputs | {"min_out": refused}))
    for intent in intents:
        local.chain().send(local.signed(intent).raw)
        local.node.seal()
    for _ in range(60):
        local.node.seal()
        if local.node.status()["is_idle"]:
            break
    local.node.pause(paused=False)
    last = local.idle()
    log = local.log()
    events = log.events(from_height=1, to_height=last)
    names = [event.name for event in events if event.height > first and event.name != "Transfer"]
    assert sorted(names) == ["BoughtBack", "Filled", "Filled", "Paid", "Paid", "Returned"]
    # One server is enough here, and six questions a block are asked.
    log = local.one_server()
    for height in range(first, last + 1):
        past = [event for event in events if event.height <= height]
        for vault in VAULTS:
            holder = local.deployments[vault].address
            for asset in ASSETS:
                held = log.balance(holder=holder, asset=asset, height=height)
                assert held == legs(past, holder, asset), (height, vault, asset)


def test_one_reading_gives_what_several_give(local: Local) -> None:
    local.pay(local.reward())
    last = local.idle()
    whole = local.log().events(from_height=1, to_height=last)
    log, pieces = local.new_log(), []
    for start in range(1, last + 1, 17):
        pieces += log.events(from_height=start, to_height=min(start + 16, last))
    assert pieces == whole
    places = [(event.height, event.log_index) for event in whole]
    assert places == sorted(set(places))


def test_a_payment_is_told_with_its_legs_in_one_transaction(local: Local) -> None:
    before = local.idle()
    intent = local.reward()
    local.pay(intent)
    events = local.log().events(from_height=before + 1, to_height=local.idle())
    assert [event.name for event in events] == ["Transfer", "Paid"]
    assert len({(event.tx_id, event.height, event.block_hash) for event in events}) == 1
    paid = events[1]
    assert (paid.text("key"), paid.text("to")) == (intent.intent_id.hex(), intent.recipient)
    assert paid.number("amount") == intent.amount


def test_a_gift_is_told_and_nobody_can_pass_it_off_as_a_purchase(local: Local) -> None:
    before = local.idle()
    taker = local.actors.takers[0]
    bought = cells.op(cells.OP_BOUGHT, query_id=0)
    body = cells.transfer(
        amount=41,
        to=local.book.account("treasury"),
        response=taker.account,
        forward_nanoton=TON1 // 20,
        payload=bought,
    )
    wallet = local.book.wallet_of(taker.account, "DCT")
    send_from(local, taker, to=wallet, nanoton=TON1 // 4, body=body)
    events = local.log().events(from_height=before + 1, to_height=local.idle())
    assert [(event.name, event.number("amount")) for event in events] == [("Transfer", 41)]
    assert events[0].text("sender") == taker.address


@pytest.mark.parametrize("owner", ["settlement", "treasury"])
@pytest.mark.parametrize("op", [cells.OP_FILL, cells.OP_BOUGHT, cells.OP_REFUSED])
def test_a_strangers_payload_that_breaks_off_stops_nobody(
    local: Local, op: int, owner: str
) -> None:
    first = local.idle()
    taker, book = local.actors.takers[0], local.book
    for rest in (0, 12, 200):
        payload = begin_cell().store_uint(op, 32).store_uint(5, 64).store_uint(1, rest or 1)
        body = cells.transfer(
            amount=5,
            to=book.account(owner),
            response=taker.account,
            forward_nanoton=TON1 // 20,
            payload=payload.end_cell(),
        )
        to = book.wallet_of(taker.account, "DCT")
        send_from(local, taker, to=to, nanoton=TON1 // 4, body=body)
    events = local.log().events(from_height=first + 1, to_height=local.idle())
    assert {event.name for event in events} <= {"Transfer"}


def test_an_order_for_another_vault_or_by_a_stranger_leaves_no_event(local: Local) -> None:
    before = local.idle()
    stranger = local.actors.takers[1]
    body = cells.pay(
        key=5,
        deadline_s=local.now_s() + 60,
        asset=local.book.wallet_of(local.book.account("treasury"), "DCT"),
        to=stranger.account,
        amount=1_000,
    )
    to = local.book.account("treasury")
    send_from(local, stranger, to=to, nanoton=TON1 // 4, body=body)
    assert local.log().events(from_height=before + 1, to_height=local.idle()) == []


def test_blocks_name_the_one_before(local: Local) -> None:
    last = local.idle()
    log = local.log()
    assert log.block(last).parent_hash == log.block(last - 1).block_hash
    final, head = log.tips()
    assert final == head
    assert final.height >= last
    with pytest.raises(Retryable):
        log.block(last + 10_000)


def test_an_asset_that_is_not_deployed_is_no_question(local: Local) -> None:
    with pytest.raises(Permanent, match="token:ETH is not deployed"):
        local.log().balance(holder=local.deployments["treasury"].address, asset="ETH", height=1)
    with pytest.raises(Permanent, match="no TON address in raw form"):
        local.log().balance(holder="EQB", asset="BTC", height=1)


def test_a_file_of_a_dead_network_is_a_reason_to_wait(local: Local, tmp_path: Path) -> None:
    server = local.node.config["liteservers"][0] | {"port": 1}
    with pytest.raises(Retryable, match="too few TON servers answer"):
        local.log(local.config(tmp_path, liteservers=[server])).tips()

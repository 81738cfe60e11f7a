"""The chain as the driver sees it, on real contracts: paid once, refused, returned."""

from __future__ import annotations

import base64
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytoniq_core import Cell
from pytoniq_core.tlb.transaction import MessageAny

from dmm.adapters.ton import cells
from dmm.adapters.ton.client import NANOTON
from dmm.adapters.ton.node import open_nodes
from dmm.adapters.ton.sign import Key, sign_quote
from dmm.adapters.ton.wallet import TIMEOUT_S, outgoing, query_id_of
from dmm.ports import Answer, SlotState
from dmm.sandbox.ton.actors import accept
from dmm.sandbox.ton.node import GLOBAL_ID
from dmm.settlement.intent import IntentKind, Slot
from dmm.units.errors import OutcomeUnknown, Permanent, Retryable, ServiceFault
from tests.integration.ton.conftest import TON1, Local

STRANGER = Key(b"\x11" * 32)


def test_a_reward_is_paid_once_however_often_its_bytes_arrive(local: Local) -> None:
    intent = local.reward()
    before = local.held(intent.recipient, "DCT")
    assert local.state(intent) is Answer.ABSENT
    first = local.pay(intent)
    assert local.state(intent) is Answer.FOUND
    # The wallet refuses its own bytes; under another query id the contract refuses the key.
    with pytest.raises(OutcomeUnknown):
        local.chain().send(first.raw)
    again = local.pay(intent)
    assert again.tx_id != first.tx_id
    assert local.held(intent.recipient, "DCT") == before + intent.amount
    chain = local.chain()
    view = chain.transaction(first.tx_id, at=chain.snapshot())
    assert (view.answer, view.succeeded, view.finalized) == (Answer.FOUND, True, True)
    assert view.height is not None
    assert view.block_hash == local.log().block(view.height).block_hash


def test_a_buyback_takes_a_makers_quote_and_burns_what_it_bought(local: Local) -> None:
    intent = local.buyback()
    treasury = local.deployments["treasury"].address
    cash, tokens = local.held(treasury, "USDT"), local.held(treasury, "DCT")
    supply = _supply(local, "DCT")
    local.pay(intent)
    assert local.state(intent) is Answer.FOUND
    assert local.held(treasury, "USDT") == cash - intent.amount
    assert local.held(treasury, "DCT") == tokens
    assert _supply(local, "DCT") == supply - 999_000_000_007


def test_a_quote_is_settled_by_its_takers_order_that_anybody_hands_in(local: Local) -> None:
    quote = local.quote()
    intent = local.fill(quote)
    before = local.held(quote.taker, "BTC"), local.held(quote.taker, "USDT")
    done = local.signed(intent)
    # Neither our key nor our wallet is part of it.
    assert done.tx_id.startswith(quote.taker)
    assert done.fee_atoms_max == 0
    local.chain().send(done.raw)
    local.idle()
    assert local.state(intent) is Answer.FOUND
    assert local.held(quote.taker, "BTC") == before[0] + quote.maker_amount
    assert local.held(quote.taker, "USDT") == before[1] - quote.taker_amount


def test_a_quote_signed_by_another_key_gives_its_taker_everything_back(local: Local) -> None:
    quote = local.quote()
    forged = sign_quote(quote, key=STRANGER, book=local.book)
    before = local.held(quote.taker, "USDT")
    _, takers = accept(quote, actors=local.actors, book=local.book, maker_signature=forged)
    honest = local.fill(quote)
    inputs: dict[str, Any] = {
        "maker_signature": "0x" + forged.hex(),
        "taker_signature": "0x" + takers.hex(),
    }
    intent = replace(honest, inputs=honest.inputs | inputs)
    local.pay(intent)
    assert local.state(intent) is Answer.ABSENT
    assert local.held(quote.taker, "USDT") == before


def test_a_payment_past_its_deadline_is_refused_by_the_contract(local: Local) -> None:
    intent = local.reward(deadline_s=local.now_s() - 1)
    done = local.pay(intent)
    chain = local.chain()
    at = chain.snapshot()
    # The wallet took the message, and that proves nothing.
    assert chain.transaction(done.tx_id, at=at).answer is Answer.FOUND
    assert chain.key_state(intent, at=at) is Answer.ABSENT
    slot = Slot(signer=done.signer, slot=1, generation=0)
    assert chain.slot_state(slot, intent, at=at) is SlotState.SPENT


def test_a_slot_is_open_until_its_intents_deadline_has_passed(local: Local) -> None:
    chain = local.chain()
    at = chain.snapshot()
    slot = Slot(signer=local.actors.operator.address, slot=1, generation=0)
    for ahead_s, wanted in ((0, SlotState.OPEN), (1, SlotState.SPENT)):
        intent = local.reward(deadline_s=at.finalized_time_s - ahead_s)
        assert chain.slot_state(slot, intent, at=at) is wanted
    offer = chain.slot_offer(slot.signer, at=at)
    assert offer is not None
    assert offer.expires == at.finalized_time_s + TIMEOUT_S
    assert offer.floor == at.finalized_time_s  # past every slot that a lost journal gave out


def test_a_payment_above_the_days_cap_moves_nothing(local: Local) -> None:
    cap = 1_000_000 * 10**8
    intent = local.reward(asset="BTC", amount=cap + 1)
    local.pay(intent)
    assert local.state(intent) is Answer.ABSENT


def test_a_purchase_that_the_maker_refuses_comes_back_and_is_over(local: Local) -> None:
    intent = local.buyback()
    quote: Any = intent.inputs["quote"]
    bad = replace(
        intent,
        ordinal=intent.ordinal + 500_000,
        inputs=intent.inputs | {"min_out": quote["maker_amount"] + 1},
    )
    treasury = local.deployments["treasury"].address
    before = local.held(treasury, "USDT")
    local.pay(bad)
    assert local.state(bad) is Answer.REFUNDED
    assert local.held(treasury, "USDT") == before


def test_too_little_beside_a_payment_is_refused_before_anything_moves(local: Local) -> None:
    intent = local.reward()
    done = local.signed(intent)
    call_body = _body_of(done.raw)
    treasury = local.book.account("treasury")
    _, content = local.actors.operator.send_on(
        outgoing(to=treasury, nanoton=TON1 // 100, body=call_body),
        query_id=query_id_of(900_000 + local.ordinal),
        created_at_s=local.now_s(),
    )
    local.chain().send(content)
    local.idle()
    assert local.state(intent) is Answer.ABSENT


def test_what_is_under_way_is_pending_and_never_paid_twice(local: Local) -> None:
    intent = local.reward()
    done = local.signed(intent)
    local.node.pause(paused=True)
    local.chain().send(done.raw)
    seen = []
    for _ in range(8):
        local.node.seal()
        seen.append(local.state(intent))
    local.node.pause(paused=False)
    assert seen[0] is Answer.ABSENT
    assert Answer.PENDING in seen
    assert seen[-1] is Answer.FOUND
    assert sorted(seen, key=[Answer.ABSENT, Answer.PENDING, Answer.FOUND].index) == seen


# -- servers -------------------------------------------------------------------------------------


def test_an_answer_of_one_server_alone_decides_nothing(local: Local) -> None:
    intent = local.reward()
    local.pay(intent)
    chain = local.chain()
    at = chain.snapshot()
    assert at.witnesses == 3
    local.node.set_server(0, is_deaf=True)
    local.node.set_server(1, is_deaf=True)
    deaf = local.new_chain(answer_s_max=1.0)
    assert deaf.key_state(intent, at=at) is Answer.UNKNOWN


def test_a_server_that_lags_holds_nobody_back(local: Local) -> None:
    intent = local.reward()
    local.node.set_server(2, behind=50)
    local.pay(intent)
    chain = local.chain()
    at = chain.snapshot()
    assert at.witnesses == 2
    assert chain.key_state(intent, at=at) is Answer.FOUND


def test_a_snapshot_of_another_chain_is_unknown(local: Local) -> None:
    chain = local.chain()
    at = replace(chain.snapshot(), finalized_hash="ab" * 32)
    assert chain.key_state(local.reward(), at=at) is Answer.UNKNOWN


def test_a_network_with_another_number_is_refused_by_name(local: Local) -> None:
    chain = local.chain(global_id=-239)
    with pytest.raises(ServiceFault, match=r"is on network -217 .*, not -239"):
        chain.snapshot()
    assert GLOBAL_ID == -217


def test_a_network_with_another_beginning_is_refused(local: Local, tmp_path: Path) -> None:
    validator = local.node.config["validator"]
    zero = validator["zero_state"] | {"root_hash": base64.b64encode(bytes(32)).decode()}
    path = local.config(tmp_path, validator=validator | {"zero_state": zero})
    with pytest.raises(ServiceFault, match=r"zero state .* change its configuration"):
        local.chain(path).snapshot()


@pytest.mark.parametrize("content", ["", "{}", '{"liteservers": [], "validator": {}}', "[1]"])
def test_a_file_that_is_no_configuration_is_refused(
    local: Local, tmp_path: Path, content: str
) -> None:
    path = tmp_path / "global.config.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ServiceFault, match=r"no configuration|names no liteserver"):
        local.chain(path)
    with pytest.raises(ServiceFault, match="DMM_TON_CONFIGS"):
        local.chain(configs=())


def test_servers_that_are_down_are_a_reason_to_wait(local: Local, tmp_path: Path) -> None:
    server = local.node.config["liteservers"][0] | {"port": 1}
    path = local.config(tmp_path, liteservers=[server])
    with pytest.raises(Retryable, match="no TON server answers"):
        local.chain(path).snapshot()
    with pytest.raises(OutcomeUnknown, match="no server says that it took it"):
        local.chain(path).send(b"")


def test_a_connection_that_was_lost_is_made_again(local: Local) -> None:
    chain = local.new_chain(answer_s_max=0.5)
    for server in range(3):
        local.node.set_server(server, is_deaf=True)
    with pytest.raises(Retryable, match="no TON server answers"):
        chain.snapshot()
    for server in range(3):
        local.node.set_server(server)
    until_s = time.monotonic() + 20
    while time.monotonic() < until_s:
        try:
            found = chain.snapshot()
        except Retryable:
            continue
        if found.witnesses == 3:
            return
    pytest.fail("the servers were not asked again")


def test_a_message_above_the_cap_is_not_asked_for(local: Local) -> None:
    chain = local.chain(message_nanoton_max=NANOTON[IntentKind.REWARD])
    with pytest.raises(Permanent, match="raise DMM_TON_MESSAGE_NANOTON_MAX"):
        chain.sign_request(local.buyback(), generation=0, bump=0, slot=0)


def _supply(local: Local, symbol: str) -> int:
    node = open_nodes([local.node.config_path], global_id=GLOBAL_ID)[0]
    minter = local.deployments[f"token:{symbol}"].address
    return int(node.get(minter, "get_jetton_data", [], node.head())[0])


def _body_of(content: bytes) -> Any:
    outer = MessageAny.deserialize(Cell.one_from_boc(content).begin_parse())
    order = outer.body.begin_parse().load_ref().begin_parse()
    inner = MessageAny.deserialize(order.load_ref().begin_parse())
    assert inner.body.begin_parse().load_uint(32) == cells.OP_PAY
    return inner.body

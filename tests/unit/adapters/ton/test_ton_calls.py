from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import ton_values as make

from dmm.adapters.ton.calls import call_of, key_getter, key_state, relay_of
from dmm.adapters.ton.cells import OP_BUYBACK, OP_PAY
from dmm.adapters.ton.codec import TAKER_NANOTON
from dmm.adapters.ton.sign import sign_settlement
from dmm.adapters.ton.wallet import TIMEOUT_S
from dmm.ports import Answer, SignRequest
from dmm.settlement.intent import Intent, Purpose
from dmm.units.errors import Permanent

BOOK = make.book()


def request(intent: Intent, **change: Any) -> SignRequest:
    terms: dict[str, Any] = {
        "intent": intent,
        "generation": 0,
        "bump": 0,
        "slot": 5_117,
        "unit_fee_max": 700_000_000,
        "unit_tip": 0,
        "gas_max": 1,
        "expires": make.NOW_S + TIMEOUT_S,
    }
    return SignRequest(**(terms | change))


def test_a_reward_names_its_key_deadline_asset_recipient_and_amount() -> None:
    intent = make.reward()
    call = call_of(intent, BOOK)
    rest = call.body.begin_parse()
    treasury = BOOK.account("treasury")
    assert call.to == treasury
    assert [rest.load_uint(n) for n in (32, 64, 256, 32, 256, 256)] == [
        OP_PAY,
        0,
        int.from_bytes(intent.intent_id, "big"),
        intent.deadline_s,
        BOOK.wallet_of(treasury, "DCT"),
        make.TAKER.account,
    ]
    assert rest.load_coins() == intent.amount


def test_the_same_intent_gives_the_same_cell_and_another_gives_another() -> None:
    assert call_of(make.reward(), BOOK).body.hash == call_of(make.reward(), BOOK).body.hash
    other = make.reward(ordinal=6)
    assert call_of(other, BOOK).body.hash != call_of(make.reward(), BOOK).body.hash


def test_a_buyback_carries_its_makers_quote_and_what_it_must_bring() -> None:
    call = call_of(make.buyback(), BOOK)
    rest = call.body.begin_parse()
    assert rest.load_uint(32) == OP_BUYBACK
    purchase = rest.load_ref().begin_parse()
    treasury = BOOK.account("treasury")
    assert purchase.load_uint(256) == BOOK.wallet_of(treasury, "USDT")
    assert purchase.load_uint(256) == BOOK.wallet_of(treasury, "DCT")
    assert purchase.load_coins() == 250_000_003
    assert purchase.load_bit() == 1


@pytest.mark.parametrize(
    ("intent", "words"),
    [
        (make.reward(contract="settlement"), "calls no contract 'settlement'"),
        (make.reward(inputs={"x": 1}), "a reward carries no inputs"),
        (make.reward(asset="ETH"), "token:ETH is not deployed"),
        (make.reward(recipient="0xab"), "the reward's recipient is no TON address"),
        (make.reward(amount=0), "the reward's amount must be in"),
        (make.reward(amount=2**120), "the reward's amount must be in"),
        (make.reward(deadline_s=2**32), "does not fit 32 bits"),
        (make.buyback(amount=1), "differ in amount"),
        (make.buyback(asset="BTC"), "differ in asset"),
        (make.buyback(make.quote(maker_asset="DCT")), "differ in taker"),
        (make.buyback(inputs={"quote": 5}), "carries its quote"),
        (make.fill(), "settled by its taker's own order"),
    ],
)
def test_an_intent_that_cannot_be_called_is_refused_by_name(intent: Intent, words: str) -> None:
    with pytest.raises(Permanent, match=words):
        call_of(intent, BOOK)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"min_out": 0}, "min_out must be an integer > 0, got 0"),
        ({"min_out": True}, "min_out must be an integer"),
        ({"burn": 1}, "burn must be true or false"),
        ({"maker_signature": "0xab"}, "maker_signature must be 64 bytes in hex, got .0xab."),
        ({"maker_signature": 5}, "maker_signature must be 64 bytes in hex, got 5"),
    ],
)
def test_a_buyback_with_wrong_inputs_is_refused(change: dict[str, Any], words: str) -> None:
    intent = make.buyback()
    with pytest.raises(Permanent, match=words):
        call_of(replace(intent, inputs=intent.inputs | change), BOOK)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scope": make.TREASURY}, "differ in maker"),
        ({"ordinal": 5}, "differ in nonce"),
        ({"asset": "DCT"}, "differ in asset"),
        ({"amount": 5}, "differ in amount"),
        ({"deadline_s": 5}, "differ in deadline"),
        ({"recipient": make.TREASURY}, "differ in recipient"),
        ({"contract": "treasury"}, "calls no contract 'treasury'"),
    ],
)
def test_a_quote_intent_that_contradicts_its_quote_is_refused(
    change: dict[str, Any], words: str
) -> None:
    with pytest.raises(Permanent, match=words):
        relay_of(make.fill(**change), BOOK)


def test_an_acceptance_of_another_makers_signature_is_refused() -> None:
    intent = make.fill()
    other: dict[str, Any] = {"maker_signature": "0x" + "ab" * 64}
    with pytest.raises(Permanent, match="differ in maker_signature"):
        relay_of(replace(intent, inputs=intent.inputs | other), BOOK)


def test_what_settles_a_quote_is_the_takers_message_whoever_hands_it_in() -> None:
    intent = make.fill()
    mine, theirs = (
        sign_settlement(request(intent), key=key, book=BOOK) for key in (make.OPERATOR, make.MAKER)
    )
    assert (mine.tx_id, mine.raw) == (theirs.tx_id, theirs.raw)
    assert mine.tx_id.startswith(make.TAKER.address)
    assert (mine.signer, mine.fee_atoms_max) == (make.OPERATOR.address, 0)


def test_a_payment_is_a_message_of_our_wallet_under_its_slots_query_id() -> None:
    first, again, other = (
        sign_settlement(request(make.reward(), slot=slot), key=make.OPERATOR, book=BOOK)
        for slot in (3, 3, 4)
    )
    assert first == again
    assert first.tx_id != other.tx_id
    assert first.tx_id.startswith(make.OPERATOR.address)
    assert first.fee_atoms_max == 700_000_000


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"purpose": Purpose.BURN}, "never burnt"),
        ({"gas_max": 0}, "takes 1 message, 0 are allowed"),
        ({"expires": make.NOW_S}, "before the deadline"),
    ],
)
def test_a_request_that_makes_no_sense_on_ton_is_refused(
    change: dict[str, Any], words: str
) -> None:
    with pytest.raises(Permanent, match=words):
        sign_settlement(request(make.reward(), **change), key=make.OPERATOR, book=BOOK)


def test_a_takers_message_above_the_cap_is_not_handed_in() -> None:
    with pytest.raises(Permanent, match="above the cap"):
        sign_settlement(
            request(make.fill(), unit_fee_max=TAKER_NANOTON - 1), key=make.OPERATOR, book=BOOK
        )


ABSENT, PENDING, FOUND = Answer.ABSENT, Answer.PENDING, Answer.FOUND
REFUNDED, UNKNOWN = Answer.REFUNDED, Answer.UNKNOWN


@pytest.mark.parametrize(
    ("intent", "answers"),
    [
        (make.fill(), [ABSENT, PENDING, FOUND, REFUNDED, ABSENT, UNKNOWN]),
        (make.reward(), [ABSENT, PENDING, FOUND, REFUNDED]),
        (
            make.buyback(),
            [ABSENT, PENDING, FOUND, REFUNDED, PENDING, PENDING, FOUND, UNKNOWN],
        ),
        (
            replace(make.buyback(), inputs=make.buyback().inputs | {"burn": False}),
            [ABSENT, PENDING, FOUND, REFUNDED, FOUND, PENDING, PENDING],
        ),
    ],
)
def test_a_contracts_state_of_a_key_means_one_thing(intent: Intent, answers: list[Answer]) -> None:
    assert [key_state(intent, [state, 0]) for state in range(len(answers))] == answers


@pytest.mark.parametrize("stack", [[], [None], ["2"]])
def test_an_answer_that_is_no_state_is_unknown(stack: list[object]) -> None:
    assert key_state(make.reward(), stack) is Answer.UNKNOWN


def test_the_key_that_is_asked_for_is_a_function_of_the_intents_identity() -> None:
    intent = make.reward()
    same = make.reward(amount=intent.amount + 1, deadline_s=intent.deadline_s + 1)
    assert key_getter(intent, BOOK) == key_getter(same, BOOK)
    assert key_getter(intent, BOOK).argument == int.from_bytes(intent.intent_id, "big")
    assert key_getter(make.fill(), BOOK).argument == make.quote().nonce

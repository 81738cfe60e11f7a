"""An intent and the quote it carries say the same, or the intent is refused by the difference."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import ton_values as make

from dmm.rfq.carried import accepted_quote, purchase_of, require_no_inputs, signature_in
from dmm.units.errors import Permanent


def test_an_accepted_quote_is_read_whole() -> None:
    quote = make.quote()
    read, acceptance = accepted_quote(make.fill(quote))
    assert read == quote
    assert acceptance.quote_id == quote.quote_id
    assert acceptance.amount == quote.taker_amount


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scope": "another maker"}, "differ in maker"),
        ({"ordinal": 1_030}, "differ in nonce: 1029 is not 1030"),
        ({"asset": "DCT"}, "differ in asset"),
        ({"amount": 5}, "differ in amount: 250000003 is not 5"),
        ({"deadline_s": 7}, "differ in deadline"),
        ({"recipient": "somebody"}, "differ in recipient"),
    ],
)
def test_an_intent_of_another_deal_is_refused_by_the_difference(
    change: dict[str, Any], words: str
) -> None:
    with pytest.raises(Permanent, match=words):
        accepted_quote(replace(make.fill(), **change))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"quote": None}, "carries its quote, got None"),
        ({"acceptance": {"amount": 1}}, "an acceptance holds"),
        ({"acceptance": {"quote_id": "0xab", "amount": 1, "recipient": "x"}}, "32 bytes in hex"),
        ({"acceptance": {"quote_id": 5, "amount": 1, "recipient": "x"}}, "32 bytes in hex, got 5"),
        ({"acceptance": {"quote_id": "", "amount": True, "recipient": "x"}}, "are unreadable"),
    ],
)
def test_inputs_that_cannot_be_read_are_refused_by_name(change: dict[str, Any], words: str) -> None:
    intent = make.fill()
    with pytest.raises(Permanent, match=words):
        accepted_quote(replace(intent, inputs=intent.inputs | change))


@pytest.mark.parametrize("min_out", [0, -1, True, "5", None, 1.5])
def test_a_purchase_must_bring_something(min_out: object) -> None:
    intent = make.buyback()
    assert purchase_of(intent).min_out > 0
    with pytest.raises(Permanent, match="min_out must be an integer > 0"):
        purchase_of(replace(intent, inputs=intent.inputs | {"min_out": min_out}))  # type: ignore[dict-item]


def test_a_signature_has_its_chains_length_or_any_where_it_is_read_further() -> None:
    inputs = {"maker_signature": "0x0102"}
    assert signature_in(inputs, "maker_signature") == b"\x01\x02"
    with pytest.raises(Permanent, match="must be 64 bytes in hex, got '0x0102'"):
        signature_in(inputs, "maker_signature", length=64)
    with pytest.raises(Permanent, match="taker_signature must be bytes in hex, got None"):
        signature_in(inputs, "taker_signature")


def test_a_reward_with_inputs_is_refused() -> None:
    require_no_inputs(make.reward())
    with pytest.raises(Permanent, match=r"carries no inputs, got \['note'\]"):
        require_no_inputs(replace(make.reward(), inputs={"note": "hello"}))

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmm.adapters.evm.calls import BUYBACK, FILL, PAY, call_of, key_answer
from dmm.adapters.evm.codec import (
    Book,
    acceptance_digest,
    calldata,
    order_head,
    quote_digest,
    selector,
    split_types,
)
from dmm.ports import Answer, Deployment
from dmm.rfq.protocol import Acceptance, FirmQuote
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.amount import Atoms
from dmm.units.errors import Permanent

NAMES = ("settlement", "treasury", "governor", "token:DCT", "token:BTC", "token:USDT")
MAKER, HOT, TAKER = (f"0x{index:040x}" for index in (0xA1, 0xA2, 0xA3))
SIGNATURE = "0x" + "07" * 65


def book(chain_id: int = 31_337) -> Book:
    return Book(
        chain_id=chain_id,
        deployments={
            name: Deployment(chain="evm", name=name, address=f"0x{index + 1:040x}", height=1)
            for index, name in enumerate(NAMES)
        },
    )


def quote(**change: Any) -> FirmQuote:
    terms: dict[str, Any] = {
        "chain": "evm",
        "contract": book().address("settlement"),
        "maker": MAKER,
        "signer": HOT,
        "taker": TAKER,
        "maker_asset": "BTC",
        "taker_asset": "USDT",
        "maker_amount": Atoms(250_000_000),
        "taker_amount": Atoms(150_000_000_000),
        "fee_bps": 5,
        "fee_recipient": HOT,
        "expiry_s": 1_900_000_030,
        "settle_by_s": 1_900_000_090,
        "nonce": 259,
    }
    return FirmQuote(**(terms | change))


def reward(**change: Any) -> Intent:
    terms: dict[str, Any] = {
        "kind": IntentKind.REWARD,
        "chain": "evm",
        "contract": "treasury",
        "vault": "treasury",
        "scope": "run/liquidity",
        "epoch": 3,
        "ordinal": 2,
        "asset": "DCT",
        "recipient": TAKER,
        "amount": Atoms(17),
        "deadline_s": 1_900_000_000,
        "inputs": {},
    }
    return Intent(**(terms | change))


def fill(of: FirmQuote | None = None, **change: Any) -> Intent:
    given = of or quote()
    terms: dict[str, Any] = {
        "kind": IntentKind.QUOTE,
        "contract": "settlement",
        "vault": "desk",
        "scope": given.maker,
        "ordinal": given.nonce,
        "asset": given.maker_asset,
        "amount": given.maker_amount,
        "deadline_s": given.settle_by_s,
        "inputs": {
            "quote": given.to_json(),
            "maker_signature": SIGNATURE,
            "acceptance": {
                "quote_id": given.quote_id.hex(),
                "amount": given.taker_amount,
                "recipient": TAKER,
            },
            "taker_signature": SIGNATURE,
        },
    }
    return reward(**(terms | change))


def buyback(of: FirmQuote | None = None, **inputs: Any) -> Intent:
    given = of or quote(maker_asset="DCT", taker=book().address("treasury"))
    body = {
        "quote": given.to_json(),
        "maker_signature": SIGNATURE,
        "min_out": 249_000_000,
        "burn": True,
    }
    return reward(
        kind=IntentKind.BUYBACK,
        asset=given.taker_asset,
        amount=given.taker_amount,
        recipient=given.maker,
        inputs=body | inputs,
    )


def test_each_kind_calls_its_own_function_of_its_own_contract() -> None:
    for intent, signature, contract in (
        (reward(), PAY, "treasury"),
        (buyback(), BUYBACK, "treasury"),
        (fill(), FILL, "settlement"),
    ):
        call = call_of(intent, book())
        assert call.data[:4] == selector(signature)
        assert call.to == book().address(contract)


def test_a_payment_carries_the_intent_s_id_as_its_key() -> None:
    data = call_of(reward(), book()).data
    assert data[4:36] == reward().intent_id
    assert call_of(reward(amount=Atoms(18)), book()).data[4:36] == reward().intent_id


def test_a_reward_with_inputs_is_refused() -> None:
    with pytest.raises(Permanent, match="carries no inputs"):
        call_of(reward(inputs={"burn": True}), book())


def test_an_intent_for_another_contract_is_refused() -> None:
    with pytest.raises(Permanent, match="calls no contract 'settlement'"):
        call_of(reward(contract="settlement"), book())


@pytest.mark.parametrize("recipient", ["", "lp-1", "0x" + "00" * 20, "0x" + "zz" * 20])
def test_a_recipient_must_be_an_address_and_not_zero(recipient: str) -> None:
    with pytest.raises(Permanent, match="is no EVM address"):
        call_of(reward(recipient=recipient), book())


def test_an_asset_nobody_deployed_is_refused() -> None:
    with pytest.raises(Permanent, match="token:DOGE is not deployed"):
        call_of(reward(asset="DOGE"), book())


def test_an_amount_that_fits_no_word_is_refused() -> None:
    with pytest.raises(Permanent, match="pay cannot be encoded"):
        call_of(reward(amount=Atoms(2**256)), book())


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"scope": TAKER}, "maker"),
        ({"ordinal": 260}, "nonce"),
        ({"asset": "USDT"}, "asset"),
        ({"amount": Atoms(1)}, "amount"),
        ({"deadline_s": 1}, "deadline"),
        ({"recipient": MAKER}, "recipient"),
    ],
)
def test_a_fill_s_intent_must_say_what_its_quote_says(change: dict[str, Any], word: str) -> None:
    with pytest.raises(Permanent, match=f"differ in {word}"):
        call_of(fill(**change), book())


def test_an_acceptance_of_another_quote_is_refused() -> None:
    inputs = dict(fill().inputs)
    inputs["acceptance"] = {
        "quote_id": "05" * 32,
        "amount": quote().taker_amount,
        "recipient": TAKER,
    }
    with pytest.raises(Permanent, match="differ in quote_id"):
        call_of(fill(inputs=inputs), book())


@pytest.mark.parametrize(
    "change",
    [
        {"maker_signature": "0x07"},
        {"maker_signature": None},
        {"taker_signature": "xx" * 65},
        {"acceptance": {"quote_id": "05" * 32}},
        {"quote": None},
    ],
)
def test_unreadable_inputs_are_refused(change: dict[str, Any]) -> None:
    inputs = dict(fill().inputs) | change
    with pytest.raises(Permanent):
        call_of(fill(inputs=inputs), book())


@pytest.mark.parametrize("min_out", [0, -1, True, "5", None])
def test_a_buyback_needs_a_least_output(min_out: object) -> None:
    with pytest.raises(Permanent, match="min_out must be an integer > 0"):
        call_of(buyback(min_out=min_out), book())


def test_a_buyback_takes_only_a_quote_for_the_treasury() -> None:
    with pytest.raises(Permanent, match="differ in taker"):
        call_of(buyback(quote(maker_asset="DCT")), book())


def test_a_quote_for_another_contract_is_refused() -> None:
    with pytest.raises(Permanent, match="not for our settlement"):
        quote_digest(quote(contract=TAKER), book())


CHANGES: dict[str, Any] = {
    "maker": TAKER,
    "signer": MAKER,
    "taker": MAKER,
    "maker_asset": "DCT",
    "taker_asset": "DCT",
    "maker_amount": Atoms(3),
    "taker_amount": Atoms(3),
    "fee_bps": 6,
    "fee_recipient": MAKER,
    "expiry_s": 1_900_000_031,
    "settle_by_s": 1_900_000_091,
    "nonce": 258,
}


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_every_term_of_a_quote_is_signed(name: str) -> None:
    changed = replace(quote(), **{name: CHANGES[name]})
    assert quote_digest(changed, book()) != quote_digest(quote(), book())
    accepted = Acceptance(quote_id=quote().quote_id, amount=Atoms(5), recipient=TAKER)
    assert acceptance_digest(accepted, changed, book()) != acceptance_digest(
        accepted, quote(), book()
    )


def test_a_quote_is_signed_for_one_chain() -> None:
    assert quote_digest(quote(), book(1)) != quote_digest(quote(), book())


@given(nonce=st.integers(0, 2**256 - 1), other=st.integers(0, 255))
def test_a_nonce_is_read_from_its_own_bit_and_a_cancelled_one_was_never_paid(
    nonce: int, other: int
) -> None:
    given_quote = quote(nonce=nonce)
    intent = fill(given_quote)
    bit = 1 << (nonce & 255)
    assert key_answer(intent, (bit, 0)) is Answer.FOUND
    assert key_answer(intent, (bit, bit)) is Answer.ABSENT
    assert key_answer(intent, (0, 0)) is Answer.ABSENT
    assert (key_answer(intent, (1 << other, 0)) is Answer.FOUND) == (other == nonce & 255)


def test_argument_types_are_split_at_the_outer_level() -> None:
    assert split_types("bytes32,(address,(uint8,bool)[]),bytes[]") == [
        "bytes32",
        "(address,(uint8,bool)[])",
        "bytes[]",
    ]
    assert split_types("") == []


def test_calldata_of_a_transfer_is_what_the_standard_says() -> None:
    """ERC-20 transfer(address,uint256): selector a9059cbb, two words."""
    data = calldata("transfer(address,uint256)", TAKER, 258)
    assert data.hex() == "a9059cbb" + "a3".rjust(64, "0") + "102".rjust(64, "0")


def test_every_part_of_an_order_moves_its_head() -> None:
    terms: dict[str, Any] = {
        "chain_id": 31_337,
        "contract": MAKER,
        "sequence": 4,
        "family": b"policy".ljust(32, b"\0"),
        "previous_head": b"\x03" * 32,
        "body": b"{}",
        "expiry_s": 77,
    }
    changes: dict[str, Any] = {
        "chain_id": 5,
        "contract": HOT,
        "sequence": 5,
        "family": b"release".ljust(32, b"\0"),
        "previous_head": b"\x04" * 32,
        "body": b"[]",
        "expiry_s": 78,
    }
    heads = {order_head(**terms)} | {
        order_head(**(terms | {name: value})) for name, value in changes.items()
    }
    assert len(heads) == len(changes) + 1

"""What a transaction was for: every transfer explained once, by what the journal knows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmm.settlement.chain_event import ChainEvent
from dmm.settlement.explain import (
    Cause,
    Explainer,
    Finding,
    Known,
    paid_heights,
    statement_nonces,
)
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.amount import Atoms
from dmm.units.errors import Permanent

TREASURY, DESK, DISTRIBUTOR = "0x" + "aa" * 20, "0x" + "bb" * 20, "0x" + "dd" * 20
TAKER = "0x" + "cc" * 20
VAULTS = {TREASURY: "treasury", DESK: "desk"}


def event(
    name: str, *, source: str, tx_id: str = "t1", height: int = 50, **args: Any
) -> ChainEvent:
    return ChainEvent(
        chain="evm",
        height=height,
        block_hash=f"0x{height}",
        tx_id=tx_id,
        log_index=len(args),
        source=source,
        name=name,
        args=args,
    )


def move(sender: str, recipient: str, asset: str, amount: int, **where: Any) -> ChainEvent:
    return event(
        "Transfer",
        source=f"token:{asset}",
        sender=sender,
        recipient=recipient,
        amount=amount,
        **where,
    )


def reward(ordinal: int = 3, amount: int = 30) -> Intent:
    return Intent(
        kind=IntentKind.REWARD,
        chain="evm",
        contract="treasury",
        vault="treasury",
        scope="s",
        epoch=2,
        ordinal=ordinal,
        asset="DCT",
        recipient=TAKER.upper().replace("X", "x"),
        amount=Atoms(amount),
        deadline_s=99,
        inputs={},
    )


def quote(nonce: int, give: int = 40, get: int = 650) -> Intent:
    return Intent(
        kind=IntentKind.QUOTE,
        chain="evm",
        contract="settlement",
        vault="desk",
        scope=DESK.upper().replace("X", "x"),
        epoch=2,
        ordinal=nonce,
        asset="BTC",
        recipient="",
        amount=Atoms(give),
        deadline_s=99,
        inputs={"quote": {"taker_asset": "USDT", "taker_amount": get}},
    )


def paid(intent: Intent, **where: Any) -> ChainEvent:
    return event(
        "Paid",
        source="treasury",
        key=intent.intent_id.hex(),
        token="0xd0",
        to=TAKER,
        amount=intent.amount,
        **where,
    )


def filled(quote_id: str, nonce: int, maker: str = DESK, **where: Any) -> ChainEvent:
    return event(
        "Filled", source="settlement", quoteId=quote_id, maker=maker, nonce=nonce, amount=1, **where
    )


def explain(*events: ChainEvent, **known: Any) -> list[tuple[Cause, dict[Any, int]]]:
    found = Explainer(Known(vaults=VAULTS, distributor=DISTRIBUTOR, **known)).explain(events)
    return [(finding.cause, dict(finding.changes)) for finding in found]


def test_many_payments_of_one_transaction_are_each_their_intent_s() -> None:
    one, two = reward(3, 30), reward(4, 12)
    events = [
        move(TREASURY, TAKER, "DCT", 30),
        paid(one),
        move(TREASURY, TAKER, "DCT", 12),
        paid(two),
    ]
    assert explain(*events, intents=[one, two]) == [
        (Cause.INTENT, {("treasury", "DCT"): -30}),
        (Cause.INTENT, {("treasury", "DCT"): -12}),
    ]


def test_a_payment_that_moved_more_than_its_intent_leaves_the_rest_unexplained() -> None:
    one = reward(3, 30)
    assert explain(move(TREASURY, TAKER, "DCT", 41), paid(one), intents=[one]) == [
        (Cause.INTENT, {("treasury", "DCT"): -30}),
        (Cause.OUTFLOW, {("treasury", "DCT"): -11}),
    ]


def test_an_event_without_its_transfer_is_a_gift_that_hides_nothing() -> None:
    """An event of ours says paid, the token moved nothing: the books would be short by it."""
    one = reward(3, 30)
    assert explain(paid(one), intents=[one]) == [
        (Cause.INTENT, {("treasury", "DCT"): -30}),
        (Cause.DONATION, {("treasury", "DCT"): 30}),
    ]


def test_a_netted_statement_settles_every_quote_of_its_nonces() -> None:
    quotes = {f"q{nonce}": quote(nonce, 40 + nonce, 600 + nonce) for nonce in (2, 257)}
    statement = event(
        "StatementSettled",
        source="settlement",
        batchRoot="ab",
        maker=DESK,
        taker=TAKER,
        count=2,
        words=[{"word": 0, "mask": 4}, {"word": 1, "mask": 2}],
    )
    assert statement_nonces(statement) == [2, 257]
    events = [move(DESK, TAKER, "BTC", 339), move(TAKER, DESK, "USDT", 1_459), statement]
    assert explain(*events, quotes=quotes, intents=[quotes["q2"]]) == [
        (Cause.INTENT, {("desk", "BTC"): -42, ("desk", "USDT"): 602}),
        (Cause.DIRECT_FILL, {("desk", "BTC"): -297, ("desk", "USDT"): 857}),
    ]


def test_a_statement_with_a_nonce_nobody_issued_is_an_alarm_over_all_it_moved() -> None:
    statement = event(
        "StatementSettled",
        source="settlement",
        maker=DESK,
        taker=TAKER,
        words=[{"word": 0, "mask": 4}],
    )
    assert explain(move(DESK, TAKER, "BTC", 5), statement) == [
        (Cause.UNKNOWN_QUOTE, {("desk", "BTC"): -5})
    ]


def test_a_quote_under_another_nonce_than_its_own_is_an_alarm() -> None:
    assert explain(filled("q2", 3), quotes={"q2": quote(2)}) == [(Cause.UNKNOWN_QUOTE, {})]


def test_what_strangers_settle_among_themselves_is_not_ours() -> None:
    assert explain(filled("q2", 3, maker=TAKER)) == []


def test_the_worst_alarm_of_a_transaction_carries_what_it_moved() -> None:
    stranger = reward(9)
    events = [filled("zz", 8), paid(stranger), move(DESK, TAKER, "BTC", 5)]
    assert explain(*events) == [
        (Cause.UNKNOWN_KEY, {}),
        (Cause.UNKNOWN_QUOTE, {("desk", "BTC"): -5}),
    ]


def test_a_claw_back_to_somebody_else_is_not_ours() -> None:
    taken = event("ClawedBack", source="distributor", to=TAKER, amount=5)
    assert explain(taken, move(DISTRIBUTOR, TAKER, "DCT", 5)) == []


def test_a_claw_back_of_another_amount_is_a_gift() -> None:
    taken = event("ClawedBack", source="distributor", to=TREASURY, amount=5)
    assert explain(taken, move(DISTRIBUTOR, TREASURY, "DCT", 6)) == [
        (Cause.DONATION, {("treasury", "DCT"): 6})
    ]


def test_what_comes_and_goes_within_one_transaction_is_nothing() -> None:
    assert explain(move(TAKER, DESK, "BTC", 5), move(DESK, TAKER, "BTC", 5)) == []


def test_a_transfer_between_two_vaults_is_an_outflow_and_a_gift() -> None:
    assert explain(move(TREASURY, DESK, "BTC", 5)) == [
        (Cause.DONATION, {("desk", "BTC"): 5}),
        (Cause.OUTFLOW, {("treasury", "BTC"): -5}),
    ]


def test_funding_is_explained_by_its_height() -> None:
    events = [
        move(TAKER, DESK, "BTC", 5, height=10),
        move(TAKER, DESK, "BTC", 7, height=11, tx_id="t2"),
    ]
    assert explain(*events, funding_height=10) == [(Cause.DONATION, {("desk", "BTC"): 7})]


def test_paid_intents_are_told_with_their_transaction() -> None:
    one = reward(3, 30)
    found = Explainer(Known(vaults=VAULTS, intents=[one])).explain(
        [move(TREASURY, TAKER, "DCT", 30, tx_id="t9", height=77), paid(one, tx_id="t9", height=77)]
    )
    assert paid_heights(found) == {one.intent_id: ("t9", 77)}


def test_an_event_without_what_it_must_hold_is_a_fault() -> None:
    with pytest.raises(Permanent, match="has no text key"):
        explain(event("Paid", source="treasury"))
    with pytest.raises(Permanent, match="has no number amount"):
        explain(event("Transfer", source="token:DCT", sender="a", recipient="b", amount=True))


ADDRESSES = st.sampled_from([TREASURY, DESK, DISTRIBUTOR, TAKER])
MOVES = st.builds(
    move,
    ADDRESSES,
    ADDRESSES,
    st.sampled_from(["DCT", "BTC", "USDT"]),
    st.integers(min_value=1, max_value=60),
    tx_id=st.sampled_from(["t1", "t2", "t3"]),
)
ACTS = st.one_of(
    st.builds(
        lambda o, t: paid(reward(o), tx_id=t), st.integers(2, 5), st.sampled_from(["t1", "t2"])
    ),
    st.builds(
        lambda n, t: filled(f"q{n}", n, tx_id=t), st.integers(2, 5), st.sampled_from(["t1", "t3"])
    ),
)


@given(st.lists(st.one_of(MOVES, ACTS), max_size=12))
def test_findings_sum_to_exactly_what_the_vaults_logs_say(events: list[ChainEvent]) -> None:
    known = Known(
        vaults=VAULTS,
        intents=[reward(2), reward(3), quote(2)],
        quotes={"q2": quote(2), "q3": quote(3)},
    )
    findings: list[Finding] = Explainer(known).explain(events)
    total: dict[tuple[str, str], int] = {}
    for finding in findings:
        for key, change in finding.changes.items():
            total[key] = total.get(key, 0) + change
    logged: dict[tuple[str, str], int] = {}
    for one in events:
        if one.name == "Transfer":
            for address, sign in ((one.args["recipient"], 1), (one.args["sender"], -1)):
                if address in VAULTS:
                    key = (VAULTS[str(address)], one.source.removeprefix("token:"))
                    logged[key] = logged.get(key, 0) + sign * one.number("amount")
    assert {k: v for k, v in total.items() if v} == {k: v for k, v in logged.items() if v}


def partly_filled(amount: int) -> list[ChainEvent]:
    """A quote of 40 BTC for 650 USDT, of which a taker took a part."""
    given = 40 * amount // 650
    fill = event("Filled", source="settlement", quoteId="q7", maker=DESK, nonce=7, amount=amount)
    return [
        move(DESK, TAKER, "BTC", given),
        move(TAKER, DESK, "USDT", amount),
        fill,
    ]


def whole_quote() -> Intent:
    terms = {"maker_amount": 40, "taker_asset": "USDT", "taker_amount": 650}
    return replace(quote(7), inputs={"quote": terms})


def test_a_part_that_a_taker_settled_itself_is_that_part() -> None:
    assert explain(*partly_filled(325), quotes={"q7": whole_quote()}) == [
        (Cause.DIRECT_FILL, {("desk", "BTC"): -20, ("desk", "USDT"): 325})
    ]


@given(taken=st.integers(17, 650))
def test_another_part_than_was_planned_is_explained_by_what_it_moved_beyond(taken: int) -> None:
    accepted = replace(
        whole_quote(),
        amount=Atoms(20),
        inputs={**whole_quote().inputs, "acceptance": {"amount": 325}},
    )
    found = explain(*partly_filled(taken), quotes={"q7": whole_quote()}, intents=[accepted])
    planned = {("desk", "BTC"): -20, ("desk", "USDT"): 325}
    assert found[0] == (Cause.INTENT, planned)
    moved = {("desk", "BTC"): -(40 * taken // 650), ("desk", "USDT"): taken}
    beyond = {key: moved[key] - planned[key] for key in moved if moved[key] != planned[key]}
    assert found[1:] == ([(Cause.PARTIAL, beyond)] if beyond else [])


def test_a_carrier_is_no_payment_of_its_own() -> None:
    carrier = replace(reward(3, 30), kind=IntentKind.NET)
    assert explain(paid(carrier), intents=[carrier]) == [(Cause.UNKNOWN_KEY, {})]

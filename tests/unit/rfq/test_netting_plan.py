"""Which accepted quotes settle together, by when, and that each keeps an intent of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmm.rfq.netting import (
    NET_WINDOW_S_MAX,
    NET_WINDOW_S_MIN,
    NO_NETTING,
    Netting,
    plan_settlement,
    quote_intent,
)
from dmm.rfq.protocol import Acceptance, FirmQuote, RfqTrade
from dmm.settlement.batch import effect, paid, reserve, void
from dmm.settlement.carrier import carrier_of, is_carrier, trades_of
from dmm.settlement.epoch import EpochClaim, EpochPlan, Job
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.amount import Atoms
from dmm.units.errors import InvariantBroken, Permanent, UsageFault
from dmm.units.time import Nanos

NOW_S = 1_700_000_000
NETS = Netting(quotes_max={"evm": 4})


def trade(
    nonce: int, *, amount: int | None = None, recipient: str = "0xr", **change: Any
) -> RfqTrade:
    terms: dict[str, Any] = {
        "chain": "evm",
        "contract": "0xc",
        "maker": "0xm",
        "signer": "0xs",
        "taker": "0xt1",
        "maker_asset": "BTC",
        "taker_asset": "USDT",
        "maker_amount": Atoms(700 + nonce),
        "taker_amount": Atoms(42_000),
        "fee_bps": 0,
        "fee_recipient": "0xm",
        "expiry_s": NOW_S + 30,
        "settle_by_s": NOW_S + 30_000,
        "nonce": nonce,
    }
    quote = FirmQuote(**(terms | change))
    taken = Atoms(quote.taker_amount if amount is None else amount)
    return RfqTrade(
        run_id="r1",
        epoch=3,
        quote=quote,
        maker_signature=b"m" * 65,
        fair_half_ticks=1,
        issued_at_ns=1,
        acceptance=Acceptance(quote_id=quote.quote_id, amount=taken, recipient=recipient),
        taker_signature=b"t" * 65,
        accepted_at_ns=2,
    )


def plan(*trades: RfqTrade, netting: Netting = NETS) -> EpochPlan:
    claim = EpochClaim(
        run_id="r1",
        job=Job.PMM_SETTLEMENT,
        scope="r1:desk",
        epoch=3,
        opened_at_ns=Nanos(0),
        opened_chain_s=NOW_S,
        plan_hash=None,
        note="",
        rows={},
    )
    return plan_settlement(claim=claim, trades=trades, netting=netting)


def nets(made: EpochPlan) -> list[Intent]:
    return [intent for intent in made.intents if is_carrier(intent)]


def members(made: EpochPlan) -> list[Intent]:
    return [intent for intent in made.intents if not is_carrier(intent)]


def test_quotes_of_one_taker_are_netted_and_each_is_reserved_for_itself() -> None:
    made = plan(trade(4), trade(7), trade(9, maker_asset="USDT", taker_asset="BTC"))
    (net,) = nets(made)
    assert made.intents[0] is net, "a carrier is recorded before its members"
    assert [carrier_of(member) for member in members(made)] == [net.intent_id] * 3
    assert (net.kind, net.scope, net.ordinal) == (IntentKind.NET, "0xm>0xt1", 4)
    assert (net.asset, net.amount) == ("BTC", 704 + 707)
    assert net.deadline_s == NOW_S + NET_WINDOW_S_MAX
    assert len(made.postings) == len(made.rows) == 3
    assert {posting.source_id for posting in made.postings} == {
        f"{member.intent_id.hex()}:reserve" for member in members(made)
    }


def test_a_net_is_the_same_quote_by_quote_as_what_settles_alone() -> None:
    alone, netted = plan(trade(4), trade(7), netting=NO_NETTING), plan(trade(4), trade(7))
    assert nets(alone) == []
    assert [one.intent_id for one in alone.intents] == [one.intent_id for one in members(netted)]
    (net,) = nets(netted)
    assert trades_of(net) == [one.inputs for one in alone.intents]


@pytest.mark.parametrize(
    "other",
    [
        {"taker": "0xt2"},
        {"maker": "0xm2"},
        {"signer": "0xs2"},
        {"fee_bps": 5},
        {"contract": "0xc2"},
        {"taker_asset": "DCT"},
        {"chain": "solana"},
        {"recipient": "0xr2"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_quotes_that_differ_in_what_a_net_shares_settle_alone(other: dict[str, Any]) -> None:
    made = plan(trade(4), trade(7, **other))
    assert nets(made) == []
    assert [carrier_of(one) for one in members(made)] == [None, None]


def test_a_contract_account_s_signature_settles_alone() -> None:
    assert nets(plan(trade(4), replace(trade(7), taker_signature=b"long" * 40))) == []
    assert nets(plan(trade(4), replace(trade(7), maker_signature=b"short"))) == []


def test_a_net_holds_so_many_quotes_and_the_rest_makes_the_next() -> None:
    made = plan(*(trade(nonce) for nonce in range(9)))
    assert [len(trades_of(net)) for net in nets(made)] == [4, 4]
    assert carrier_of(members(made)[8]) is None
    assert len({net.intent_id for net in nets(made)}) == 2


@pytest.mark.parametrize(
    ("left_s", "window_s"),
    [
        (2 * NET_WINDOW_S_MIN - 1, None),
        (2 * NET_WINDOW_S_MIN, NET_WINDOW_S_MIN),
        (NET_WINDOW_S_MAX, NET_WINDOW_S_MAX // 2),
        (3 * NET_WINDOW_S_MAX, NET_WINDOW_S_MAX),
    ],
)
def test_a_net_leaves_its_quotes_as_much_time_as_it_takes(
    left_s: int, window_s: int | None
) -> None:
    made = plan(trade(1, settle_by_s=NOW_S + left_s), trade(2))
    assert [net.deadline_s - NOW_S for net in nets(made)] == [window_s] * (window_s is not None)


def test_a_net_itself_moves_and_books_nothing() -> None:
    (net,) = nets(plan(trade(4), trade(7)))
    assert effect(net) == {}
    assert (paid(net, at_ns=1), void(net, at_ns=1)) == ((), ())


def test_a_member_that_names_no_possible_carrier_is_refused() -> None:
    intent = quote_intent(trade(4))
    for named in (5, "xyz", "ab"):
        with pytest.raises(InvariantBroken, match="names no carrier"):
            carrier_of(replace(intent, inputs={"carrier": named}))
    with pytest.raises(InvariantBroken, match="carries no trades"):
        trades_of(replace(intent, kind=IntentKind.NET))
    with pytest.raises(UsageFault, match="never accepted"):
        quote_intent(replace(trade(4), acceptance=None))


# -- a part of a quote -----------------------------------------------------------------------------


def test_a_part_that_was_accepted_is_reserved_and_booked_as_a_part() -> None:
    intent = quote_intent(trade(4, amount=21_001, min_fill=Atoms(10_000)))
    assert intent.amount == 704 * 21_001 // 42_000 == 352
    assert reserve(intent, at_ns=1).amount == 352
    assert effect(intent) == {("desk", "BTC"): -352, ("desk", "USDT"): 21_001}


@given(
    given_atoms=st.integers(1, 2**90),
    taken_atoms=st.integers(1, 2**90),
    least=st.integers(0, 2**90),
    amount=st.integers(0, 2**91),
)
def test_a_part_is_never_above_the_whole_and_rounded_for_its_giver(
    given_atoms: int, taken_atoms: int, least: int, amount: int
) -> None:
    least = min(least, taken_atoms)
    quote = trade(
        1, maker_amount=Atoms(given_atoms), taker_amount=Atoms(taken_atoms), min_fill=Atoms(least)
    ).quote
    if quote.takes(amount):
        assert (least or taken_atoms) <= amount <= taken_atoms
        assert 0 < quote.given(amount) <= given_atoms
        assert quote.given(amount) * taken_atoms <= given_atoms * amount
    assert quote.given(taken_atoms) == given_atoms


def test_whole_quotes_keep_the_id_they_had_before_parts_were_known() -> None:
    whole = trade(4).quote
    assert "min_fill" not in whole.to_json()
    assert FirmQuote.from_json(whole.to_json()) == whole
    partial = replace(whole, min_fill=Atoms(7))
    assert FirmQuote.from_json(partial.to_json()) == partial
    assert partial.quote_id != whole.quote_id
    with pytest.raises(Permanent, match="min_fill"):
        replace(whole, min_fill=Atoms(42_001))
    with pytest.raises(Permanent, match="quote fields differ"):
        FirmQuote.from_json({**whole.to_json(), "max_fill": 1})

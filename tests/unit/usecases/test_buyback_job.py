"""Buybacks: within share, budget and cash; one firm quote, recorded with its plan."""

from __future__ import annotations

import pytest
from desk_memory import RUN, TREASURY, Desk, a_slice
from maker_memory import Maker

from dmm.ledger.account import AccountKind
from dmm.settlement.epoch import JobOutcome, JobStatus, RowTable
from dmm.settlement.intent import IntentKind
from dmm.units.errors import Retryable, ServiceFault
from dmm.usecases.buyback import settle_buyback


def run(desk: Desk, maker: Maker) -> JobOutcome:
    return settle_buyback(
        store=desk.store,
        chain=desk.chain,
        clock=desk.clock,
        quoter=maker,
        run_id=RUN,
        epoch=0,
        cash_asset="USDT",
        intent_deadline_s=600,
    )


def desk_with(*, captured: int, fees: int = 0, cash: int = 5_000) -> Desk:
    desk = Desk()
    if cash:
        desk.fund("treasury", "USDT", cash)
    desk.close_slice(a_slice(captured=captured, fees=fees))
    return desk


@pytest.mark.parametrize(
    ("captured", "fees", "cash", "spent"),
    [(1_000, 200, 5_000, 200), (1_000_000, 0, 5_000, 700), (4_000, 800, 300, 300)],
    ids=["share of profit", "policy's cap", "cash at hand"],
)
def test_it_spends_the_least_of_share_cap_and_cash(
    captured: int, fees: int, cash: int, spent: int
) -> None:
    desk, maker = desk_with(captured=captured, fees=fees, cash=cash), Maker()
    assert run(desk, maker).rows == {"buyback": 1}
    assert maker.asked == [spent]
    assert desk.held("treasury", "USDT", AccountKind.PENDING) == spent


def test_the_intent_burns_and_binds_the_treasury_and_a_least_output() -> None:
    desk, maker = desk_with(captured=1_000), Maker()
    run(desk, maker)
    ((intent, _),) = desk.store.intents()
    assert intent.kind is IntentKind.BUYBACK
    assert (intent.asset, intent.amount, intent.recipient) == ("USDT", 250, "0xcc")
    assert intent.deadline_s == desk.chain.time_s + 600
    quote = intent.inputs["quote"]
    assert isinstance(quote, dict)
    assert quote["taker"] == TREASURY
    assert intent.inputs | {"quote": None} == {
        "quote": None,
        "maker_signature": "0x0102",
        "min_out": 751,
        "burn": True,
    }


def test_a_loss_asks_nobody() -> None:
    desk, maker = desk_with(captured=100, fees=101), Maker()
    assert run(desk, maker).note == "no buyback: the epoch realised no profit to share"
    assert maker.asked == []


def test_an_empty_treasury_is_named() -> None:
    assert "no USDT available" in run(desk_with(captured=1_000, cash=0), Maker()).note


def test_a_maker_that_declines_leaves_a_note_and_no_intent() -> None:
    desk, maker = desk_with(captured=1_000), Maker()
    maker.declines = True
    assert run(desk, maker).note == "no buyback: the maker declined to quote"
    assert desk.store.intents() == []


def test_running_again_asks_nobody_and_keeps_the_recorded_quote() -> None:
    desk, maker = desk_with(captured=1_000), Maker()
    run(desk, maker)
    rows = desk.store.epoch_rows(RUN, RowTable.BUYBACK)
    assert run(desk, maker).status is JobStatus.ALREADY
    assert len(maker.asked) == 1
    assert desk.store.epoch_rows(RUN, RowTable.BUYBACK) == rows


def test_a_maker_out_of_reach_leaves_the_epoch_open_and_the_next_ask_has_the_same_nonce() -> None:
    desk, maker = desk_with(captured=1_000), Maker()
    maker.fault = Retryable("no answer")
    with pytest.raises(Retryable):
        run(desk, maker)
    assert desk.store.intents() == []
    maker.fault = None
    assert run(desk, maker).status is JobStatus.RECORDED
    assert maker.nonces[0] == maker.nonces[1]


@pytest.mark.parametrize(
    "changes",
    [
        {"taker": "0xee"},
        {"taker_amount": 251},
        {"maker_asset": "XYZ"},
        {"taker_asset": "BTC"},
        {"chain": "ton"},
        {"expiry_s": 1_700_000_599},
    ],
)
def test_a_quote_with_other_terms_is_refused_by_name(changes: dict[str, object]) -> None:
    desk, maker = desk_with(captured=1_000), Maker()
    maker.changes = changes
    with pytest.raises(ServiceFault, match="buyback quote"):
        run(desk, maker)
    assert desk.store.intents() == []

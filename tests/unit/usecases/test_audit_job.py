"""The audit: 0 when all is well, suspense for gifts, a latch for theft."""

from __future__ import annotations

from dataclasses import replace

import pytest
from desk_memory import DESK, RUN, TREASURY, Desk

from dmm.ledger.account import AccountKind
from dmm.ports import Answer
from dmm.settlement.batch import reserve
from dmm.settlement.epoch import EpochPlan, Job, JobOutcome, JobStatus, RowTable
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.amount import Atoms
from dmm.units.errors import Retryable, ServiceFault
from dmm.units.time import Nanos
from dmm.usecases.audit import AuditResult, audit_all, audit_settlement, record_funding
from dmm.usecases.dispatch import sweep

MINT = "0x" + "00" * 20


def audit(desk: Desk) -> AuditResult:
    return audit_all(store=desk.store, chain=desk.chain)


def job(desk: Desk, epoch: int = 0) -> JobOutcome:
    return audit_settlement(
        store=desk.store, chain=desk.chain, clock=desk.clock, run_id=RUN, epoch=epoch
    )


def fund(desk: Desk, height: int = 40, wait_s_max: float = 5) -> int:
    return record_funding(
        store=desk.store,
        chain=desk.chain,
        clock=desk.clock,
        height=height,
        wait_s_max=wait_s_max,
    )


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.chain.log(MINT, TREASURY, "DCT", 5_000, height=30)
    desk.chain.log(MINT, TREASURY, "USDT", 700, height=31)
    desk.chain.log(MINT, DESK, "BTC", 90, height=40)
    fund(desk)
    return desk


def plan(desk: Desk, *intents: Intent) -> None:
    claim = desk.store.open_epoch(
        run_id=RUN,
        job=Job.LIQUIDITY_REWARDS,
        scope="r1:x",
        epoch=0,
        now_ns=Nanos(0),
        chain_time_s=0,
    )
    desk.store.record_epoch(
        claim, EpochPlan(intents=intents, postings=tuple(reserve(i, at_ns=0) for i in intents))
    )


def reward(amount: int = 300) -> Intent:
    return Intent(
        kind=IntentKind.REWARD,
        chain="evm",
        contract="treasury",
        vault="treasury",
        scope="r1:liquidity",
        epoch=0,
        ordinal=0,
        asset="DCT",
        recipient="0xa1",
        amount=Atoms(amount),
        deadline_s=2_000_000_000,
        inputs={},
    )


def test_funding_is_booked_once_and_the_books_agree(desk: Desk) -> None:
    assert desk.held("treasury", "DCT", AccountKind.AVAILABLE) == 5_000
    assert fund(desk) == 0
    result = audit(desk)
    assert (result.difference, result.checked_at_block) == (0, 100)
    assert len(result.lines) == 6


def test_funding_that_does_not_become_final_books_nothing() -> None:
    desk = Desk()
    desk.chain.log(MINT, TREASURY, "DCT", 5_000, height=200)
    with pytest.raises(Retryable, match="block 200 of evm is not final after 2 s"):
        fund(desk, height=200, wait_s_max=2)
    assert desk.store.balances() == {}


def test_an_executed_payment_is_in_order_before_and_after_it_is_booked(desk: Desk) -> None:
    paid = reward()
    plan(desk, paid)
    assert audit(desk).difference == 0
    desk.chain.log(TREASURY, "0xa1", "DCT", 300, height=60)
    desk.chain.used.add(paid.intent_id)
    assert audit(desk).difference == 0
    sweep(
        store=desk.store,
        chain=desk.chain,
        signer=desk.signer,
        clock=desk.clock,
        owner="w",
        wait_s_max=0,
    )
    assert desk.held("treasury", "DCT", AccountKind.PAID) == 300
    assert audit(desk).difference == 0


def test_a_settled_quote_is_in_order_on_both_legs(desk: Desk) -> None:
    quote = Intent(
        kind=IntentKind.QUOTE,
        chain="evm",
        contract="settlement",
        vault="desk",
        scope=DESK,
        epoch=0,
        ordinal=0,
        asset="BTC",
        recipient="0xr1",
        amount=Atoms(40),
        deadline_s=2_000_000_000,
        inputs={"quote": {"taker_asset": "USDT", "taker_amount": 650}},
    )
    plan(desk, quote)
    tx_id = desk.chain.log(DESK, "0xr1", "BTC", 40, height=60)
    desk.chain.log("0xt1", DESK, "USDT", 650, height=60)
    desk.chain.logs[-1] = replace(desk.chain.logs[-1], tx_id=tx_id, log_index=1)
    desk.chain.used.add(quote.intent_id)
    assert audit(desk).difference == 0


def test_a_gift_goes_to_suspense_once_and_does_not_latch(desk: Desk) -> None:
    desk.chain.log("0xfriend", TREASURY, "DCT", 33, height=70)
    assert job(desk).rows == {"recon_run": 6}
    assert job(desk, epoch=1).status is JobStatus.RECORDED
    assert desk.held("treasury", "DCT", AccountKind.SUSPENSE) == 33
    classes = {
        (b["vault"], b["asset"]): (b["class"], b["difference"], b["unexplained"])
        for b in (row.body for row in desk.store.epoch_rows(RUN, RowTable.RECON_RUN, 1))
    }
    assert classes[("treasury", "DCT")] == ("suspense", 0, 33)
    assert classes[("desk", "BTC")] == ("matched", 0, 0)
    assert desk.store.latch() is None


def test_tokens_moved_behind_the_desks_back_latch_the_kill_switch(desk: Desk) -> None:
    desk.chain.log(DESK, "0xthief", "BTC", 25, height=80)
    job(desk)
    latch = desk.store.latch()
    assert latch is not None
    assert latch.killed
    assert latch.reason == "unexplained outflow on evm at block 100: 25 BTC of desk"
    assert audit(desk).difference == 25


def test_a_payment_of_a_failed_intent_is_a_theft(desk: Desk) -> None:
    dead = reward()
    plan(desk, dead)
    desk.chain.time_s = dead.deadline_s + 1
    sweep(
        store=desk.store,
        chain=desk.chain,
        signer=desk.signer,
        clock=desk.clock,
        owner="w",
        wait_s_max=0,
    )
    desk.chain.log(TREASURY, "0xa1", "DCT", 300, height=90)
    desk.chain.used.add(dead.intent_id)
    assert audit(desk).difference == 300


def test_a_balance_that_changes_without_a_log_is_a_difference(desk: Desk) -> None:
    desk.chain.stolen[(TREASURY, "USDT")] = -9
    assert audit(desk).difference == 9


def test_the_audit_writes_nothing_by_itself(desk: Desk) -> None:
    desk.chain.log("0xfriend", TREASURY, "DCT", 33, height=70)
    before = desk.store.balances()
    audit(desk)
    assert desk.store.balances() == before


def test_a_node_that_cannot_tell_stops_the_audit(desk: Desk) -> None:
    plan(desk, reward())
    desk.chain.key_answer = Answer.UNKNOWN
    with pytest.raises(Retryable, match="cannot tell"):
        audit(desk)


def test_running_again_leaves_the_rows_as_they_are(desk: Desk) -> None:
    job(desk)
    desk.chain.log(DESK, "0xthief", "BTC", 25, height=80)
    assert job(desk).status is JobStatus.ALREADY
    assert desk.store.latch() is None


def test_vaults_must_be_deployed() -> None:
    desk = Desk()
    desk.store._deployed.clear()
    with pytest.raises(ServiceFault, match="vaults must be deployed"):
        audit(desk)

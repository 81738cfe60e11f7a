"""The audit: 0 when all is well, suspense for gifts, a latch for theft."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from chain_memory import NOBODY, NodeLog
from desk_memory import DESK, RUN, TREASURY, Desk

from dmm.ledger.account import AccountKind
from dmm.rfq.netting import net_intent, quote_intent
from dmm.rfq.protocol import Acceptance, FirmQuote, RfqTrade
from dmm.settlement.batch import paid, reserve, reversal
from dmm.settlement.epoch import EpochPlan, Job, JobOutcome, JobStatus, RowTable
from dmm.settlement.explain import Cause
from dmm.settlement.intent import Intent, IntentKind
from dmm.settlement.latch_bounds import LatchBounds, LatchCause, Price
from dmm.units.amount import Atoms
from dmm.units.errors import Retryable, ServiceFault
from dmm.units.time import Nanos
from dmm.usecases.audit import AuditResult, audit_all, audit_settlement, record_funding
from dmm.usecases.dispatch import sweep
from dmm.usecases.follow import follow, quote_act

TAKER = "0x" + "c1" * 20
FRIEND = "0x" + "f1" * 20
THIEF = "0x" + "e1" * 20


class World:
    """A funded desk in memory with the record of its chain."""

    def __init__(self) -> None:
        self.desk = Desk()
        self.log = NodeLog(final=100, head=116)
        self.log.move(NOBODY, TREASURY, "DCT", 5_000, height=30)
        self.log.move(NOBODY, TREASURY, "USDT", 700, height=31)
        self.log.move(NOBODY, DESK, "BTC", 90, height=40)

    def fund(self, height: int = 40, wait_s_max: float = 5) -> int:
        return record_funding(
            store=self.desk.store,
            log=self.log,
            clock=self.desk.clock,
            height=height,
            wait_s_max=wait_s_max,
        )

    def audit(self) -> AuditResult:
        return audit_all(store=self.desk.store, log=self.log)

    def job(self, epoch: int = 0, bounds: LatchBounds | None = None) -> JobOutcome:
        return audit_settlement(
            store=self.desk.store,
            chain=self.desk.chain,
            log=self.log,
            follow_log=self.log,
            clock=self.desk.clock,
            run_id=RUN,
            epoch=epoch,
            bounds=bounds,
        )

    def follow(self) -> Any:
        return follow(store=self.desk.store, log=self.log, clock=self.desk.clock)

    def plan(self, *intents: Intent, epoch: int = 0) -> None:
        store = self.desk.store
        claim = store.open_epoch(
            run_id=RUN,
            job=Job.LIQUIDITY_REWARDS,
            scope="r1:x",
            epoch=epoch,
            now_ns=Nanos(0),
            chain_time_s=0,
        )
        postings = tuple(reserve(i, at_ns=0) for i in intents)
        store.record_epoch(claim, EpochPlan(intents=intents, postings=postings))

    def sweep(self) -> None:
        sweep(
            store=self.desk.store,
            chain=self.desk.chain,
            signer=self.desk.signer,
            clock=self.desk.clock,
            owner="w",
            wait_s_max=0,
        )

    def pay(self, intent: Intent, *, height: int, to: str = "", amount: int = 0) -> str:
        """Pay a reward on chain, as told or otherwise; the driver finds its key used."""
        to, amount = to or intent.recipient, amount or intent.amount
        tx_id = self.log.move(TREASURY, to, "DCT", amount, height=height)
        self.log.write(
            "treasury",
            "Paid",
            height=height,
            tx_id=tx_id,
            key=intent.intent_id.hex(),
            token="0xd0",
            to=to,
            amount=amount,
        )
        self.desk.chain.used.add(intent.intent_id)
        return tx_id

    def fill(self, trade: RfqTrade, *, height: int, quote_id: str = "") -> str:
        """Settle a quote of the desk on chain, whoever sent it."""
        quote = trade.quote
        tx_id = self.log.move(DESK, "0xr1", "BTC", quote.maker_amount, height=height)
        self.log.move(TAKER, DESK, "USDT", quote.taker_amount, height=height, tx_id=tx_id)
        self.log.write(
            "settlement",
            "Filled",
            height=height,
            tx_id=tx_id,
            quoteId=quote_id or quote.quote_id.hex(),
            maker=DESK,
            nonce=quote.nonce,
            amount=quote.taker_amount,
        )
        return tx_id

    def held(self, vault: str, asset: str, kind: AccountKind) -> int:
        return self.desk.held(vault, asset, kind)


@pytest.fixture
def world() -> World:
    made = World()
    made.fund()
    return made


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


def trade(nonce: int = 3) -> RfqTrade:
    quote = FirmQuote(
        chain="evm",
        contract="0x5e",
        maker=DESK,
        signer="0x51",
        taker=TAKER,
        maker_asset="BTC",
        taker_asset="USDT",
        maker_amount=Atoms(40),
        taker_amount=Atoms(650),
        fee_bps=0,
        fee_recipient=DESK,
        expiry_s=1_999_999_000,
        settle_by_s=2_000_000_000,
        nonce=nonce,
    )
    return RfqTrade(
        run_id=RUN,
        epoch=2,
        quote=quote,
        maker_signature=b"\x07" * 65,
        fair_half_ticks=199_999,
        issued_at_ns=5,
    )


def accepted(issued: RfqTrade) -> RfqTrade:
    acceptance = Acceptance(
        quote_id=issued.quote.quote_id, amount=issued.quote.taker_amount, recipient="0xr1"
    )
    return replace(issued, acceptance=acceptance, taker_signature=b"\x09" * 65, accepted_at_ns=6)


def test_funding_is_booked_once_and_the_books_agree(world: World) -> None:
    assert world.held("treasury", "DCT", AccountKind.AVAILABLE) == 5_000
    assert world.fund() == 0
    result = world.audit()
    assert (result.difference, result.checked_at_block) == (0, 100)
    assert len(result.lines) == 6
    assert result.is_clean


def test_funding_that_does_not_become_final_books_nothing() -> None:
    world = World()
    with pytest.raises(Retryable, match="block 200 of evm is not final after 2 s"):
        world.fund(height=200, wait_s_max=2)
    assert world.desk.store.balances() == {}


def test_nothing_is_followed_before_the_funding_is_booked() -> None:
    world = World()
    with pytest.raises(Retryable, match="funded with is not booked"):
        world.follow()
    assert world.desk.store.final_head("evm") is None


def test_an_executed_payment_is_in_order_before_and_after_it_is_booked(world: World) -> None:
    due = reward()
    world.plan(due)
    assert world.audit().difference == 0
    tx_id = world.pay(due, height=60)
    before = world.audit()
    assert before.difference == 0
    assert before.paid == {due.intent_id: (tx_id, 60)}
    world.sweep()
    assert world.held("treasury", "DCT", AccountKind.PAID) == 300
    assert world.audit().is_clean


def test_a_payment_booked_above_the_auditor_s_block_is_ahead(world: World) -> None:
    due = reward()
    world.plan(due)
    world.pay(due, height=60)
    world.sweep()
    world.log.final = 59
    assert world.audit().difference == 0


def test_a_payment_adopted_above_the_auditor_s_block_and_made_below_it_counts_once(
    world: World,
) -> None:
    due = reward()
    world.plan(due)
    world.pay(due, height=60)
    world.sweep()
    world.log.final = 70
    assert world.audit().is_clean


def test_a_payment_that_is_booked_and_not_on_the_chain_is_a_difference(world: World) -> None:
    due = reward()
    world.plan(due)
    world.desk.chain.used.add(due.intent_id)
    world.sweep()
    assert world.audit().difference == 300


def test_a_settled_quote_is_in_order_on_both_legs(world: World) -> None:
    issued = trade()
    world.desk.store.record_quote(issued)
    world.desk.store.accept_quote(accepted(issued))
    world.plan(quote_intent(accepted(issued)))
    world.fill(issued, height=60)
    world.desk.chain.used.add(quote_intent(accepted(issued)).intent_id)
    assert world.audit().is_clean
    world.sweep()
    assert world.audit().is_clean
    assert world.held("desk", "USDT", AccountKind.AVAILABLE) == 650


def test_a_taker_that_settles_our_quote_itself_is_booked_and_does_not_latch(world: World) -> None:
    issued = trade()
    world.desk.store.record_quote(issued)
    world.fill(issued, height=60)
    before = world.audit()
    assert before.is_clean
    assert [finding.cause for finding in before.findings] == [Cause.DIRECT_FILL]
    world.job()
    assert world.held("desk", "BTC", AccountKind.PAID) == 40
    assert world.held("desk", "USDT", AccountKind.AVAILABLE) == 650
    assert world.audit().is_clean
    assert world.desk.store.latch() is None


def test_a_quote_accepted_after_its_taker_settled_it_is_booked_once(world: World) -> None:
    issued = trade()
    world.desk.store.record_quote(issued)
    world.fill(issued, height=60)
    world.follow()
    world.desk.store.accept_quote(accepted(issued))
    late = quote_intent(accepted(issued))
    world.plan(late)
    assert world.audit().is_clean
    world.desk.chain.used.add(late.intent_id)
    world.sweep()
    assert world.held("desk", "BTC", AccountKind.PAID) == 40
    assert world.held("desk", "BTC", AccountKind.AVAILABLE) == 50
    assert world.audit().is_clean


def test_a_fill_of_a_quote_nobody_issued_is_a_stolen_key(world: World) -> None:
    world.fill(trade(), height=60)
    world.job()
    latch = world.desk.store.latch()
    assert latch is not None
    assert latch.reason.startswith("on evm: unknown quote in 0xt3 at block 60: 40 BTC of desk")
    assert {f.cause for f in world.audit().alarms} == {Cause.UNKNOWN_QUOTE}


def test_another_quote_under_a_nonce_of_ours_is_a_stolen_key(world: World) -> None:
    issued = trade()
    world.desk.store.record_quote(issued)
    world.fill(issued, height=60, quote_id="ab" * 32)
    assert {f.cause for f in world.audit().alarms} == {Cause.UNKNOWN_QUOTE}


def test_a_payment_under_a_key_of_no_intent_is_a_stolen_key(world: World) -> None:
    world.pay(reward(), height=60)
    world.follow()
    latch = world.desk.store.latch()
    assert latch is not None
    assert "unknown key" in latch.reason


def test_a_payment_to_another_than_the_recipient_is_an_alarm(world: World) -> None:
    due = reward()
    world.plan(due)
    world.pay(due, height=60, to=THIEF)
    result = world.audit()
    assert [(f.cause, dict(f.changes)) for f in result.alarms] == [
        (Cause.MISPAID, {("treasury", "DCT"): -300})
    ]
    assert result.difference == 300


def test_a_gift_goes_to_suspense_once_and_does_not_latch(world: World) -> None:
    world.log.move(FRIEND, TREASURY, "DCT", 33, height=70)
    assert world.job().rows == {"recon_run": 6}
    assert world.job(epoch=1).status is JobStatus.RECORDED
    assert world.held("treasury", "DCT", AccountKind.SUSPENSE) == 33
    classes = {
        (b["vault"], b["asset"]): (b["class"], b["difference"], b["unexplained"])
        for b in (row.body for row in world.desk.store.epoch_rows(RUN, RowTable.RECON_RUN, 1))
    }
    assert classes[("treasury", "DCT")] == ("suspense", 0, 33)
    assert classes[("desk", "BTC")] == ("matched", 0, 0)
    assert world.desk.store.latch() is None


def test_what_governance_takes_back_from_the_distributor_is_the_vault_s(world: World) -> None:
    distributor = "0x" + "d9" * 20
    world.desk.store.record_deployments(
        [
            replace(
                world.desk.store.deployments("evm")["treasury"],
                name="distributor",
                address=distributor,
            )
        ]
    )
    tx_id = world.log.move(distributor, TREASURY, "DCT", 21, height=70)
    world.log.write("distributor", "ClawedBack", height=70, tx_id=tx_id, to=TREASURY, amount=21)
    assert world.audit().is_clean
    world.follow()
    assert world.held("treasury", "DCT", AccountKind.AVAILABLE) == 5_021
    assert world.audit().is_clean


def test_tokens_moved_behind_the_desks_back_latch_the_kill_switch(world: World) -> None:
    world.log.move(DESK, THIEF, "BTC", 25, height=80)
    world.job()
    latch = world.desk.store.latch()
    assert latch is not None
    assert latch.killed
    assert latch.reason == "on evm: outflow in 0xt3 at block 80: 25 BTC of desk"
    assert world.audit().difference == 25


def test_a_payment_of_a_failed_intent_is_a_theft(world: World) -> None:
    dead = reward()
    world.plan(dead)
    world.desk.chain.time_s = dead.deadline_s + 1
    world.sweep()
    world.pay(dead, height=90)
    assert world.audit().difference == 300
    assert {f.cause for f in world.audit().alarms} == {Cause.UNKNOWN_KEY}


def test_a_token_that_takes_from_a_balance_latches_above_its_bound_only(world: World) -> None:
    world.log.rebased[(TREASURY, "USDT")] = -9
    assert world.audit().difference == 9
    price = Price(numeraire_atoms=1, atoms=1)
    dust = LatchBounds(dust={LatchCause.REBASE: 9}, prices={"USDT": price})
    world.job(bounds=dust)
    assert world.desk.store.latch() is None
    world.log.rebased[(TREASURY, "USDT")] = -10
    world.job(epoch=1, bounds=dust)
    latch = world.desk.store.latch()
    assert latch is not None
    assert "10 USDT of treasury went without a log" in latch.reason


def test_a_token_that_adds_to_a_balance_is_a_gift(world: World) -> None:
    world.log.rebased[(TREASURY, "USDT")] = 9
    assert world.audit().difference == 0
    assert world.audit().lines[-1].recon_class.value in ("matched", "suspense")
    assert sum(line.unexplained for line in world.audit().lines) == 9


def test_a_follower_that_was_lied_to_is_found_by_the_auditor(world: World) -> None:
    world.log.move(FRIEND, TREASURY, "DCT", 33, height=70)
    world.follow()
    world.log.rewrite(world.log.written[-1], args=world.log.written[-1].args | {"amount": 34})
    result = world.audit()
    assert result.unlike == 1
    assert not result.is_clean


def test_the_audit_writes_nothing_by_itself(world: World) -> None:
    world.log.move(DESK, THIEF, "BTC", 25, height=70)
    before = world.desk.store.balances()
    world.audit()
    assert world.desk.store.balances() == before
    assert world.desk.store.latch() is None
    assert world.desk.store.final_head("evm") is None


def test_a_node_that_cannot_tell_stops_the_audit(world: World) -> None:
    world.log.fault = Retryable("too few EVM nodes answer")
    with pytest.raises(Retryable, match="too few"):
        world.audit()


def test_running_again_leaves_the_rows_as_they_are(world: World) -> None:
    world.job()
    world.log.move(DESK, THIEF, "BTC", 25, height=80)
    assert world.job().status is JobStatus.ALREADY
    assert world.desk.store.latch() is None


def test_vaults_must_be_deployed() -> None:
    world = World()
    world.desk.store._deployed = {
        place: d for place, d in world.desk.store._deployed.items() if "vault:" not in place[1]
    }
    with pytest.raises(ServiceFault, match="vaults must be deployed"):
        world.audit()


def test_postings_of_a_direct_fill_are_those_of_its_intent() -> None:
    """Whoever books first, the other finds the same sources with the same content."""
    issued = trade()
    planned, act = quote_intent(accepted(issued)), quote_act(issued)
    assert act.intent_id == planned.intent_id
    assert paid(act, at_ns=7) == paid(planned, at_ns=7)
    assert reserve(act, at_ns=7) == reserve(planned, at_ns=7)


def reversed_payment(world: World) -> Intent:
    """A payment that was final here and that the chain took back; governance had it undone."""
    due = reward()
    world.plan(due)
    world.desk.chain.used.add(due.intent_id)
    world.sweep()
    world.desk.chain.used.clear()
    assert world.audit().difference == 300
    world.desk.store.post(reversal(due, order_sequence=4, at_ns=9))
    return due


def test_a_payment_undone_by_governance_leaves_no_difference(world: World) -> None:
    reversed_payment(world)
    assert world.held("treasury", "DCT", AccountKind.AVAILABLE) == 5_000
    assert world.audit().is_clean
    world.log.final = 80
    assert world.audit().is_clean, "it is not ahead of the auditor's block either"


def test_a_payment_undone_and_then_seen_on_chain_is_a_difference(world: World) -> None:
    due = reversed_payment(world)
    world.pay(due, height=70)
    assert world.audit().difference == 300


def test_netted_quotes_are_explained_one_by_one_and_their_carrier_by_nothing(world: World) -> None:
    trades = [accepted(trade(nonce)) for nonce in (3, 4)]
    net = net_intent(trades, deadline_s=5_000_000_000)
    for one in trades:
        world.desk.store.record_quote(replace(one, acceptance=None, taker_signature=b""))
    members = [quote_intent(one, carrier=net) for one in trades]
    world.plan(*members)
    for one, member in zip(trades, members, strict=True):
        world.fill(one, height=60)
        world.desk.chain.used.add(member.intent_id)
    result = world.audit()
    assert result.is_clean
    assert [finding.cause for finding in result.findings] == [Cause.INTENT, Cause.INTENT]

"""What every store of epoch claims and plans promises."""

from __future__ import annotations

from dataclasses import replace

import journal_samples as make
import pytest

from dmm.ports import Store
from dmm.settlement.epoch import EpochPlan, EpochRow, Job, JobStatus, RowTable
from dmm.settlement.intent import IntentState
from dmm.units.amount import Atoms
from dmm.units.errors import InvariantBroken
from dmm.units.time import Nanos


@pytest.fixture
def epochs(any_store: Store) -> Store:
    any_store.open_run(make.run())
    any_store.post([make.funding()])
    return any_store


def test_another_plan_is_quarantined_and_changes_nothing(epochs: Store) -> None:
    claim = make.claim(epochs)
    epochs.record_epoch(claim, make.plan(make.intent(0)))
    other = make.plan(make.intent(0), make.intent(3))
    assert epochs.record_epoch(claim, other) is JobStatus.QUARANTINED
    assert [of for of, _ in epochs.intents()] == [make.intent(0)]
    assert len(epochs.epoch_rows(make.RUN, RowTable.REWARD)) == 1
    assert epochs.balance(make.PENDING) == 1_000


def test_an_intent_known_with_other_content_is_quarantined_with_the_claim(epochs: Store) -> None:
    epochs.record_epoch(make.claim(epochs), make.plan(make.intent(0)))
    later = make.claim(epochs, epoch=3)
    changed = make.plan(make.intent(0, amount=2_000), make.intent(5))
    assert epochs.record_epoch(later, changed) is JobStatus.QUARANTINED
    assert epochs.intents() == [(make.intent(0), IntentState.QUARANTINED)]
    assert epochs.balance(make.PENDING) == 1_000
    assert [claim.plan_hash for claim in epochs.epoch_claims(make.RUN) if claim.epoch == 3] == [
        None
    ]


def test_an_overdraft_leaves_nothing_of_the_plan(epochs: Store) -> None:
    claim = make.claim(epochs)
    with pytest.raises(InvariantBroken):
        epochs.record_epoch(claim, make.plan(make.intent(0, amount=make.HUGE + 1)))
    assert epochs.intents() == []
    assert epochs.epoch_rows(make.RUN, RowTable.REWARD) == []
    assert epochs.epoch_claims(make.RUN) == [claim]


def test_opening_an_epoch_again_returns_the_first_claim(epochs: Store) -> None:
    first = make.claim(epochs)
    again = epochs.open_epoch(
        run_id=make.RUN,
        job=Job.LIQUIDITY_REWARDS,
        scope=first.scope,
        epoch=2,
        now_ns=Nanos(999),
        chain_time_s=888,
    )
    assert again == first
    assert (first.opened_at_ns, first.opened_chain_s, first.plan_hash) == (123_456, 777, None)


def test_jobs_and_scopes_claim_epochs_apart(epochs: Store) -> None:
    for job, subject in (
        (Job.LIQUIDITY_REWARDS, "a"),
        (Job.LIQUIDITY_REWARDS, "b"),
        (Job.HEDGE_BATCH, "a"),
    ):
        make.claim(epochs, job=job, subject=subject)
    assert len(epochs.epoch_claims(make.RUN)) == 3


def test_a_plan_is_recorded_whole(epochs: Store) -> None:
    claim, plan = make.claim(epochs), make.plan(make.intent(0), make.intent(4))
    assert epochs.record_epoch(claim, plan) is JobStatus.RECORDED
    assert epochs.epoch_rows(make.RUN, RowTable.REWARD, 2) == list(plan.rows)
    assert [of for of, _ in epochs.intents(make.RUN)] == list(plan.intents)
    assert epochs.balance(make.PENDING) == 2_000
    assert epochs.epoch_claims(make.RUN) == [
        replace(claim, plan_hash=plan.plan_hash, rows={"reward": 2})
    ]


def test_recording_the_same_plan_again_is_already_done(epochs: Store) -> None:
    claim, plan = make.claim(epochs), make.plan(make.intent(0))
    epochs.record_epoch(claim, plan)
    assert epochs.record_epoch(claim, plan) is JobStatus.ALREADY
    assert epochs.balance(make.PENDING) == 1_000


def test_a_plan_without_rows_is_recorded_with_its_reason(epochs: Store) -> None:
    plan = EpochPlan(note="nothing to hedge")
    assert epochs.record_epoch(make.claim(epochs), plan) is JobStatus.RECORDED
    (claim,) = epochs.epoch_claims(make.RUN)
    assert (claim.note, claim.rows, claim.plan_hash) == ("nothing to hedge", {}, plan.plan_hash)


def test_an_intent_planned_twice_with_the_same_content_stays_one(epochs: Store) -> None:
    epochs.record_epoch(make.claim(epochs), make.plan(make.intent(0)))
    again = EpochPlan(intents=(make.intent(0), make.intent(6)), postings=())
    assert epochs.record_epoch(make.claim(epochs, epoch=3), again) is JobStatus.RECORDED
    assert [of.ordinal for of, _ in epochs.intents()] == [0, 6]


def test_intents_of_another_run_are_not_listed(epochs: Store) -> None:
    epochs.record_epoch(make.claim(epochs), make.plan(make.intent(0)))
    assert epochs.intents("another") == []


def test_two_jobs_may_leave_rows_in_one_table_at_one_ordinal(epochs: Store) -> None:
    bodies = []
    for job, kind in ((Job.VOLATILITY_RECALIBRATION, "volatility"), (Job.ARRIVAL_FIT, "arrival")):
        body = {
            "symbol": "ETHUSDT",
            "kind": kind,
            "version": 4,
            "values": {"sigma": 2**70},
            "evidence": {"samples": [5, 6]},
            "verdict": "adopted",
            "previous_hash": "00" * 32,
            "link_hash": "ab" * 32,
        }
        row = EpochRow(table=RowTable.ESTIMATE, ordinal=0, body=body)  # type: ignore[arg-type]
        claim = make.claim(epochs, job=job, subject="ETHUSDT")
        assert epochs.record_epoch(claim, EpochPlan(rows=(row,))) is JobStatus.RECORDED
        bodies.append(body)
    stored = [row.body for row in epochs.epoch_rows(make.RUN, RowTable.ESTIMATE)]
    assert sorted(stored, key=str) == sorted(bodies, key=str)


def test_every_table_takes_its_rows_and_gives_them_back(epochs: Store) -> None:
    rows = (
        EpochRow(
            table=RowTable.HEDGE_ORDER,
            ordinal=0,
            body={
                "venue": "paper",
                "side": "sell",
                "price": 4_321,
                "size": 17,
                "filled": 9,
                "fee_atoms": -(2**80),
                "reason": "inventory",
                "fill_id": None,
            },
        ),
        EpochRow(
            table=RowTable.BUYBACK,
            ordinal=0,
            body={
                "program": "buyback",
                "asset_paid": "USDT",
                "amount_paid": Atoms(2**100),
                "asset_bought": "DCT",
                "amount_bought": 2**101,
                "maker": "0xmaker",
                "quote_id": "aa",
                "intent_id": "bb",
            },
        ),
        EpochRow(
            table=RowTable.RFQ_SETTLEMENT,
            ordinal=0,
            body={"quote_id": "aa", "nonce": 5, "maker": "0xmaker", "intent_id": "bb"},
        ),
        EpochRow(
            table=RowTable.DISPATCH_RUN,
            ordinal=0,
            body={"chain": "evm", "sent": 3, "final": 2, "failed": 4, "still_open": 5},
        ),
        EpochRow(
            table=RowTable.RECON_RUN,
            ordinal=7,
            body={
                "chain": "evm",
                "vault": "treasury",
                "asset": "DCT",
                "height": 55,
                "block_hash": "0xff",
                "chain_atoms": 2**100,
                "ledger_atoms": 2**100 - 3,
                "difference": 3,
                "unexplained": -3,
                "class": "donation",
            },
        ),
    )
    epochs.record_epoch(make.claim(epochs), EpochPlan(rows=rows))
    for row in rows:
        assert epochs.epoch_rows(make.RUN, row.table) == [row]

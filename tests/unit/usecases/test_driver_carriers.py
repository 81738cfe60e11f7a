"""A carrier goes before what it settles, has one slot, and gives way only by proof."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from desk_memory import RUN, Desk

from dmm.ledger.account import AccountKind
from dmm.ports import Answer, TxView
from dmm.settlement.batch import reserve
from dmm.settlement.carrier import CARRIED_BY, TRADES, is_carrier
from dmm.settlement.epoch import EpochPlan, Job
from dmm.settlement.intent import Intent, IntentKind, IntentState
from dmm.settlement.lifecycle import RETENTION_S
from dmm.units.amount import Atoms
from dmm.units.time import Nanos
from dmm.usecases.driver import Driver, Pace, Step

START_S = 1_700_000_000


def intent(**changes: Any) -> Intent:
    values: dict[str, Any] = {
        "kind": IntentKind.REWARD,
        "chain": "evm",
        "contract": "treasury",
        "vault": "treasury",
        "scope": "s",
        "epoch": 0,
        "ordinal": 1,
        "asset": "DCT",
        "recipient": "0xa1",
        "amount": Atoms(300),
        "deadline_s": START_S + 900,
        "inputs": {},
    }
    return Intent(**(values | changes))


CARRIER = intent(
    kind=IntentKind.NET, deadline_s=START_S + 400, inputs={TRADES: [{"quote": {}}, {"quote": {}}]}
)
MEMBER = intent(ordinal=2, inputs={CARRIED_BY: CARRIER.intent_id.hex()})


def desk_with(*intents: Intent) -> Desk:
    desk = Desk()
    desk.fund("treasury", "DCT", 1_000)
    claim = desk.store.open_epoch(
        run_id=RUN,
        job=Job.PMM_SETTLEMENT,
        scope="r1:x",
        epoch=0,
        now_ns=Nanos(0),
        chain_time_s=START_S,
    )
    reserved = tuple(reserve(one, at_ns=0) for one in intents if not is_carrier(one))
    desk.store.record_epoch(claim, EpochPlan(intents=intents, postings=reserved))
    return desk


def step(desk: Desk, of: Intent) -> Step:
    """Step until it was this intent's turn; return what that step did."""
    driver = Driver(store=desk.store, chain=desk.chain, signer=desk.signer, pace=Pace(poll_s=1.0))
    for _ in range(4):
        desk.clock.sleep_s(10)
        claimed = desk.store.claim_due(chain="evm", owner="w", lease_s=5)
        assert claimed is not None
        if claimed.intent == of:
            return driver.step(claimed)
        desk.store.release(claimed, due_in_s=5.0)
    raise AssertionError("it was never due")


def state(desk: Desk, of: Intent) -> IntentState | None:
    return desk.store.intent_state(of.intent_id)


def fail(desk: Desk) -> None:
    """Let the carrier's deadline pass at a finalized block."""
    desk.chain.time_s = CARRIER.deadline_s + 1
    assert step(desk, CARRIER) is Step.FAILED


def test_a_member_waits_while_its_carrier_may_land_and_goes_when_it_cannot() -> None:
    desk = desk_with(CARRIER, MEMBER)
    assert step(desk, MEMBER) is Step.WAITED
    assert step(desk, CARRIER) is Step.SENT
    assert step(desk, MEMBER) is Step.WAITED
    fail(desk)
    assert step(desk, MEMBER) is Step.SENT
    assert desk.held("treasury", "DCT", AccountKind.PENDING) == 300


def test_a_member_waits_for_a_carrier_in_doubt_and_dies_by_its_own_deadline() -> None:
    desk = desk_with(CARRIER, MEMBER)
    claimed = desk.store.claim_due(chain="evm", owner="w", lease_s=5)
    assert claimed is not None
    desk.store.quarantine(claimed, reason="doubt")
    assert step(desk, MEMBER) is Step.WAITED
    desk.chain.time_s = MEMBER.deadline_s + 1
    assert step(desk, MEMBER) is Step.FAILED
    assert desk.held("treasury", "DCT", AccountKind.AVAILABLE) == 1_000


def test_a_member_of_a_carrier_nobody_knows_is_put_aside() -> None:
    desk = desk_with(MEMBER)
    assert (step(desk, MEMBER), state(desk, MEMBER)) == (
        Step.QUARANTINED,
        IntentState.QUARANTINED,
    )


def test_a_settled_carrier_books_nothing_and_its_members_find_their_keys_used() -> None:
    desk = desk_with(CARRIER, MEMBER)
    step(desk, CARRIER)
    desk.chain.views["tx-0-0"] = TxView(
        answer=Answer.FOUND, succeeded=True, finalized=True, height=90, block_hash="0xb"
    )
    desk.chain.used |= {CARRIER.intent_id, MEMBER.intent_id}
    assert step(desk, CARRIER) is Step.FINAL
    assert desk.held("treasury", "DCT", AccountKind.PAID) == 0
    assert step(desk, MEMBER) is Step.FINAL
    assert desk.held("treasury", "DCT", AccountKind.PAID) == 300
    assert desk.store.final_transactions("evm") == [
        (CARRIER, "tx-0-0", 90),
        (MEMBER, "tx-0-0", 100),
    ]


def test_a_carrier_whose_slot_is_gone_gives_way_before_its_deadline() -> None:
    desk = desk_with(CARRIER, MEMBER)
    step(desk, CARRIER)
    desk.chain.finalized_slot = 1
    assert step(desk, CARRIER) is Step.RETIRED
    assert step(desk, MEMBER) is Step.WAITED
    assert (step(desk, CARRIER), state(desk, CARRIER)) == (Step.FAILED, IntentState.FAILED)
    assert step(desk, MEMBER) is Step.SENT


def test_a_carrier_that_cannot_land_any_more_gives_way_unless_its_bytes_are_out() -> None:
    desk = desk_with(CARRIER, MEMBER)
    step(desk, CARRIER)
    desk.chain.key_answer = Answer.REFUNDED
    assert step(desk, CARRIER) is not Step.FAILED
    assert state(desk, CARRIER) is IntentState.IN_FLIGHT
    fresh = desk_with(CARRIER, MEMBER)
    fresh.chain.key_answer = Answer.REFUNDED
    assert step(fresh, CARRIER) is Step.FAILED


@pytest.mark.parametrize("late_s", [1, RETENTION_S + 1])
def test_a_carrier_never_needs_a_person_however_long_ago_it_was(late_s: int) -> None:
    far = replace(MEMBER, deadline_s=CARRIER.deadline_s + 3 * RETENTION_S)
    desk = desk_with(CARRIER, far)
    desk.chain.time_s = CARRIER.deadline_s + late_s
    assert step(desk, CARRIER) is Step.FAILED
    assert step(desk, far) is Step.SENT

"""The driver's single decisions; its behaviour under faults is proven in tests/simulation."""

from __future__ import annotations

from typing import Any

import pytest
from desk_memory import RUN, Desk

from dmm.ledger.account import AccountKind
from dmm.ports import Answer, SignedTx, SignRequest, TxView
from dmm.settlement.batch import reserve
from dmm.settlement.epoch import EpochPlan, Job, JobStatus, RowTable
from dmm.settlement.intent import AttemptState, Intent, IntentKind, IntentState, Purpose
from dmm.settlement.lifecycle import GENERATION_MAX, RETENTION_S, SIGN_MARGIN_S
from dmm.units.amount import Atoms
from dmm.units.errors import OutcomeUnknown, Permanent, Retryable
from dmm.units.time import Nanos
from dmm.usecases.dispatch import dispatch_outbox, sweep
from dmm.usecases.driver import Driver, Pace, Step

START_S = 1_700_000_000


def intent(ordinal: int = 0, **changes: Any) -> Intent:
    values: dict[str, Any] = {
        "kind": IntentKind.REWARD,
        "chain": "evm",
        "contract": "treasury",
        "vault": "treasury",
        "scope": "r1:liquidity",
        "epoch": 0,
        "ordinal": ordinal,
        "asset": "DCT",
        "recipient": "0xa1",
        "amount": Atoms(300),
        "deadline_s": START_S + 600,
        "inputs": {},
    }
    return Intent(**(values | changes))


def desk_with(*intents: Intent) -> Desk:
    desk = Desk()
    for asset in ("DCT", "USDT"):
        desk.fund("treasury", asset, 1_000)
    desk.fund("desk", "BTC", 1_000)
    claim = desk.store.open_epoch(
        run_id=RUN,
        job=Job.LIQUIDITY_REWARDS,
        scope="r1:x",
        epoch=0,
        now_ns=Nanos(0),
        chain_time_s=START_S,
    )
    desk.store.record_epoch(
        claim, EpochPlan(intents=intents, postings=tuple(reserve(i, at_ns=0) for i in intents))
    )
    return desk


def step(desk: Desk, *, looks_per_bump: int = 50) -> Step:
    desk.clock.sleep_s(10)
    claimed = desk.store.claim_due(chain="evm", owner="w", lease_s=5)
    assert claimed is not None
    driver = Driver(
        store=desk.store,
        chain=desk.chain,
        signer=desk.signer,
        pace=Pace(poll_s=1.0, looks_per_bump=looks_per_bump),
    )
    return driver.step(claimed)


def state(desk: Desk, index: int = 0) -> IntentState:
    return desk.store.intents()[index][1]


def land(desk: Desk, tx_id: str, *, succeeded: bool = True, finalized: bool = False) -> None:
    desk.chain.views[tx_id] = TxView(
        answer=Answer.FOUND, succeeded=succeeded, finalized=finalized, height=90, block_hash="0xb"
    )


def test_the_way_of_an_intent_from_ready_to_final() -> None:
    paid = intent()
    desk = desk_with(paid)
    assert (step(desk), state(desk)) == (Step.SENT, IntentState.IN_FLIGHT)
    land(desk, "tx-0-0")
    assert (step(desk), state(desk)) == (Step.LANDED, IntentState.CONFIRMED)
    assert step(desk) is Step.WAITED
    land(desk, "tx-0-0", finalized=True)
    desk.chain.used.add(paid.intent_id)
    assert (step(desk), state(desk)) == (Step.FINAL, IntentState.FINAL)
    assert desk.store.final_transactions("evm") == [(paid, "tx-0-0", 90)]
    assert desk.held("treasury", "DCT", AccountKind.PENDING) == 0
    assert desk.held("treasury", "DCT", AccountKind.PAID) == 300


@pytest.mark.parametrize(("left_s", "done"), [(0, Step.SENT), (-1, Step.WAITED)])
def test_a_slot_is_opened_up_to_the_margin_before_the_deadline(left_s: int, done: Step) -> None:
    head_s = desk_with().chain.snapshot().head_time_s
    desk = desk_with(intent(deadline_s=head_s + SIGN_MARGIN_S + left_s))
    assert step(desk) is done


def test_bytes_that_a_node_took_are_noted_as_handed_over() -> None:
    desk = desk_with(intent())
    step(desk)
    (entry,) = desk.store.entries.values()
    assert [a.state for a in entry.attempts] == [AttemptState.BROADCAST]


def test_a_key_already_used_is_adopted_and_nothing_is_signed() -> None:
    paid = intent()
    desk = desk_with(paid)
    desk.chain.used.add(paid.intent_id)
    assert (step(desk), state(desk)) == (Step.FINAL, IntentState.FINAL)
    assert desk.signer.signed == []
    assert desk.store.final_transactions("evm") == []


def test_a_settled_quote_brings_in_what_the_taker_paid() -> None:
    settled = intent(
        kind=IntentKind.QUOTE,
        vault="desk",
        asset="BTC",
        inputs={"quote": {"taker_asset": "USDT", "taker_amount": 777}},
    )
    desk = desk_with(settled)
    desk.chain.used.add(settled.intent_id)
    step(desk)
    assert desk.held("desk", "USDT", AccountKind.AVAILABLE) == 777
    assert desk.held("desk", "BTC", AccountKind.PAID) == 300


def test_unknown_opens_nothing() -> None:
    desk = desk_with(intent())
    desk.chain.key_answer = Answer.UNKNOWN
    assert (step(desk), state(desk)) == (Step.WAITED, IntentState.READY)
    desk.chain.key_answer = None
    desk.chain.finalized_slot = None
    assert (step(desk), state(desk)) == (Step.WAITED, IntentState.READY)
    assert desk.signer.signed == []


def test_a_paid_transaction_with_an_unset_key_is_a_contradiction_and_waits() -> None:
    desk = desk_with(intent())
    step(desk)
    land(desk, "tx-0-0", finalized=True)
    assert (step(desk), state(desk)) == (Step.WAITED, IntentState.IN_FLIGHT)


def test_while_killed_nothing_is_signed() -> None:
    desk = desk_with(intent())
    desk.store.kill(reason="x", operator="op", now_ns=Nanos(1))
    assert step(desk) is Step.WAITED
    assert (desk.signer.signed, desk.chain.sent) == ([], [])


def test_a_kill_between_store_and_send_keeps_the_bytes_at_home() -> None:
    desk = desk_with(intent())
    store_attempt = desk.store.store_attempt

    def store_then_kill(*args: Any) -> None:
        store_attempt(*args)
        desk.store.kill(reason="x", operator="op", now_ns=Nanos(1))

    desk.store.store_attempt = store_then_kill  # type: ignore[method-assign]
    assert (step(desk), state(desk)) == (Step.WAITED, IntentState.IN_FLIGHT)
    assert step(desk) is Step.BURNT
    assert [r.purpose for r in desk.signer.signed] == [Purpose.PAY, Purpose.BURN]
    assert desk.chain.sent == [b"tx-0-1"]


def test_a_kill_does_not_stop_the_driver_from_seeing_what_landed() -> None:
    paid = intent()
    desk = desk_with(paid)
    step(desk)
    desk.store.kill(reason="x", operator="op", now_ns=Nanos(1))
    land(desk, "tx-0-0", finalized=True)
    desk.chain.used.add(paid.intent_id)
    assert step(desk) is Step.FINAL


def test_a_timeout_sends_the_same_bytes_again() -> None:
    desk = desk_with(intent())
    desk.chain.send_fault = OutcomeUnknown("timed out")
    assert (step(desk), state(desk)) == (Step.WAITED, IntentState.IN_FLIGHT)
    desk.chain.send_fault = None
    assert step(desk) is Step.SENT
    assert len(desk.signer.signed) == 1
    assert desk.chain.sent == [b"tx-0-0"]


def test_every_few_looks_the_fee_is_raised_in_the_same_slot_up_to_a_bound() -> None:
    desk = desk_with(intent())
    for _ in range(40):
        step(desk, looks_per_bump=4)
    assert [(r.slot, r.bump) for r in desk.signer.signed] == [(0, 0), (0, 1), (0, 2), (0, 3)]


def test_a_slot_used_up_by_another_is_retired_under_the_same_key() -> None:
    desk = desk_with(intent())
    step(desk)
    desk.chain.finalized_slot = 1
    assert (step(desk), state(desk)) == (Step.RETIRED, IntentState.READY)
    assert step(desk) is Step.SENT
    assert [(r.slot, r.generation) for r in desk.signer.signed] == [(0, 0), (1, 1)]


def test_a_revert_is_retried_until_the_generations_are_used_up() -> None:
    desk = desk_with(intent(deadline_s=START_S + 10_000))
    for generation in range(GENERATION_MAX):
        assert step(desk) is Step.SENT
        land(desk, f"tx-{generation}-0", succeeded=False, finalized=True)
        assert step(desk) is Step.RETIRED
    step(desk)
    land(desk, f"tx-{GENERATION_MAX}-0", succeeded=False, finalized=True)
    assert (step(desk), state(desk)) == (Step.QUARANTINED, IntentState.QUARANTINED)


def test_a_confirmed_revert_gives_up_its_slot_once_it_is_final() -> None:
    desk = desk_with(intent())
    step(desk)
    land(desk, "tx-0-0", succeeded=False)
    assert step(desk) is Step.LANDED
    assert step(desk) is Step.WAITED
    land(desk, "tx-0-0", succeeded=False, finalized=True)
    assert (step(desk), state(desk)) == (Step.RETIRED, IntentState.READY)
    (entry,) = desk.store.entries.values()
    assert [a.state for a in entry.attempts] == [AttemptState.FINAL_REVERTED]


def test_what_a_fork_took_away_goes_back_to_in_flight_and_is_sent_again() -> None:
    desk = desk_with(intent())
    step(desk)
    land(desk, "tx-0-0")
    step(desk)
    desk.chain.views.clear()
    assert (step(desk), state(desk)) == (Step.UNLANDED, IntentState.IN_FLIGHT)
    assert step(desk) is Step.SENT
    assert len(desk.signer.signed) == 1


def test_a_payment_that_moved_to_another_block_is_noted_anew() -> None:
    desk = desk_with(intent())
    step(desk)
    land(desk, "tx-0-0")
    assert [step(desk), step(desk)] == [Step.LANDED, Step.WAITED]
    desk.chain.views["tx-0-0"] = TxView(
        answer=Answer.FOUND, succeeded=True, height=91, block_hash="0xc"
    )
    assert [step(desk), step(desk)] == [Step.LANDED, Step.WAITED]
    (entry,) = desk.store.entries.values()
    assert [(a.landed_height, a.landed_block) for a in entry.attempts] == [(91, "0xc")]


def test_an_unsigned_intent_fails_only_after_its_deadline_at_a_finalized_block() -> None:
    desk = desk_with(intent())
    desk.chain.time_s = START_S + 600
    assert (step(desk), state(desk)) == (Step.WAITED, IntentState.READY)
    desk.chain.time_s += 1
    assert (step(desk), state(desk)) == (Step.FAILED, IntentState.FAILED)
    assert desk.held("treasury", "DCT", AccountKind.AVAILABLE) == 1_000


def test_a_lane_that_does_not_move_keeps_no_money_past_the_deadline() -> None:
    desk = desk_with(intent())
    step(desk)
    desk.chain.time_s = START_S + 601
    assert (step(desk), state(desk)) == (Step.FAILED, IntentState.FAILED)
    assert desk.held("treasury", "DCT", AccountKind.PENDING) == 0


def test_a_deadline_too_long_ago_proves_nothing() -> None:
    desk = desk_with(intent())
    desk.chain.time_s = START_S + 600 + RETENTION_S + 1
    assert (step(desk), state(desk)) == (Step.QUARANTINED, IntentState.QUARANTINED)


@pytest.mark.parametrize(
    ("fault", "done"), [(Permanent("cap"), Step.REFUSED), (Retryable("down"), Step.WAITED)]
)
def test_a_signer_that_refuses_or_is_down_keeps_the_slot(fault: Exception, done: Step) -> None:
    desk = desk_with(intent())
    desk.signer.fault = fault
    assert (step(desk), state(desk)) == (done, IntentState.READY)
    desk.signer.fault = None
    desk.clock.sleep_s(10)
    assert step(desk) is Step.SENT
    assert [(r.slot, r.bump) for r in desk.signer.signed] == [(0, 0)]


def test_doubt_about_one_intent_quarantines_it_and_leaves_the_others() -> None:
    broken = intent(kind=IntentKind.QUOTE, inputs={"quote": {}})
    fine = intent(1)
    desk = desk_with(broken, fine)
    desk.chain.used |= {broken.intent_id, fine.intent_id}
    counts = sweep(
        store=desk.store,
        chain=desk.chain,
        signer=desk.signer,
        clock=desk.clock,
        owner="w",
        wait_s_max=0,
    )
    assert (counts.final, counts.quarantined, counts.still_open) == (1, 1, 0)


def test_bytes_are_stored_as_signed_before_they_are_sent() -> None:
    desk = desk_with(intent())
    seen: list[AttemptState] = []

    def watch(raw: bytes) -> None:
        (entry,) = desk.store.entries.values()
        seen.extend(a.state for a in entry.attempts if a.raw == raw)

    desk.chain.send = watch  # type: ignore[method-assign]
    step(desk)
    assert seen == [AttemptState.SIGNED]


class Network:
    """A signer and a chain in which every sent transaction is final at once."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.intents: dict[bytes, Intent] = {}
        sign = desk.signer.sign

        def remember(request: SignRequest) -> SignedTx:
            signed = sign(request)
            self.intents[signed.raw] = request.intent
            return signed

        def settle(raw: bytes) -> None:
            desk.chain.used.add(self.intents[raw].intent_id)
            land(desk, raw.decode(), finalized=True)

        desk.signer.sign = remember  # type: ignore[method-assign]
        desk.chain.send = settle  # type: ignore[method-assign]


def test_a_sweep_waits_for_finality_within_its_time_and_leaves_one_row() -> None:
    desk = desk_with(intent(), intent(1))
    Network(desk)

    def run() -> JobStatus:
        return dispatch_outbox(
            store=desk.store,
            chain=desk.chain,
            signer=desk.signer,
            clock=desk.clock,
            owner="w",
            run_id=RUN,
            epoch=0,
            wait_s_max=30,
        ).status

    assert run() is JobStatus.RECORDED
    (row,) = desk.store.epoch_rows(RUN, RowTable.DISPATCH_RUN)
    assert row.body == {"chain": "evm", "sent": 2, "final": 2, "failed": 0, "still_open": 0}
    assert run() is JobStatus.ALREADY


def test_a_sweep_ends_when_its_time_is_up() -> None:
    desk = desk_with(intent())
    counts = sweep(
        store=desk.store,
        chain=desk.chain,
        signer=desk.signer,
        clock=desk.clock,
        owner="w",
        wait_s_max=3,
        pace=Pace(poll_s=1.0),
    )
    assert (counts.still_open, counts.final) == (1, 0)

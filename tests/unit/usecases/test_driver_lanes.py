"""What the driver does with slots: it frees lanes, respects bounds, and adopts after a restore."""

from __future__ import annotations

from typing import Any

import pytest
from desk_memory import RUN, Desk, order

from dmm.ports import Answer, SignedTx, SignRequest, SlotRules, SlotState, TxView
from dmm.settlement.batch import reserve
from dmm.settlement.epoch import EpochPlan, Job
from dmm.settlement.intent import Intent, IntentKind, IntentState, Purpose
from dmm.settlement.lifecycle import BUMP_MAX, BURN_BUMP_MAX, LaneBounds
from dmm.units.amount import Atoms
from dmm.units.errors import InvariantBroken, Permanent, UsageFault
from dmm.units.ids import Hash32, canonical_json
from dmm.units.time import Nanos
from dmm.usecases.dispatch import adopt_restored, kill_is_complete
from dmm.usecases.driver import Driver, Pace, Step
from dmm.usecases.quarantine import IntentRelease, Verdict, read_release, release_quarantined

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
        "amount": Atoms(30 + ordinal),
        "deadline_s": START_S + 600 + ordinal,
        "inputs": {},
    }
    return Intent(**(values | changes))


def desk_with(*intents: Intent) -> Desk:
    desk = Desk()
    desk.fund("treasury", "DCT", 1_000)
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


def driver(desk: Desk, **changes: Any) -> Driver:
    terms: dict[str, Any] = {
        "store": desk.store,
        "chain": desk.chain,
        "signer": desk.signer,
        "pace": Pace(poll_s=1.0, refused_s=1.0, looks_per_bump=2),
    }
    return Driver(**(terms | changes))


def step(desk: Desk, **changes: Any) -> Step:
    desk.clock.sleep_s(10)
    claimed = desk.store.claim_due(chain="evm", owner="w", lease_s=5)
    assert claimed is not None
    return driver(desk, **changes).step(claimed)


def states(desk: Desk) -> list[IntentState]:
    return [state for _, state in desk.store.intents()]


def purposes(desk: Desk) -> list[tuple[int, Purpose]]:
    return [(request.slot, request.purpose) for request in desk.signer.signed]


class Refuses:
    """Makes a desk's signer refuse payments of one ordinal."""

    def __init__(self, desk: Desk, ordinal: int) -> None:
        sign = desk.signer.sign

        def judged(request: SignRequest) -> SignedTx:
            if request.intent.ordinal == ordinal and request.purpose is Purpose.PAY:
                raise Permanent("the day's cap is spent")
            return sign(request)

        desk.signer.sign = judged  # type: ignore[method-assign]


def test_a_refused_payment_keeps_its_slot_while_nobody_waits_for_it() -> None:
    desk = desk_with(intent())
    Refuses(desk, 0)
    assert [step(desk) for _ in range(3)] == [Step.REFUSED] * 3
    assert purposes(desk) == []


def test_a_refused_payment_is_burnt_once_a_later_slot_waits_for_it() -> None:
    desk = desk_with(intent(), intent(1))
    Refuses(desk, 0)
    assert (step(desk), step(desk)) == (Step.REFUSED, Step.SENT)
    assert step(desk) is Step.BURNT
    assert purposes(desk) == [(1, Purpose.PAY), (0, Purpose.BURN)]
    desk.chain.finalized_slot = 1
    assert {step(desk), step(desk)} >= {Step.RETIRED}
    assert states(desk) == [IntentState.READY, IntentState.IN_FLIGHT]


def test_a_burn_that_is_final_has_paid_nothing() -> None:
    desk = desk_with(intent(), intent(1))
    Refuses(desk, 0)
    for _ in range(3):
        step(desk)
    desk.chain.views["tx-0-0"] = TxView(
        answer=Answer.FOUND, succeeded=True, finalized=True, height=9, block_hash="0xb"
    )
    assert {step(desk), step(desk)} >= {Step.RETIRED}
    assert states(desk)[0] is IntentState.READY


def test_a_slot_that_outlived_its_intent_is_burnt_when_it_holds_others_up() -> None:
    late = intent(1, deadline_s=START_S + 9_000)
    desk = desk_with(intent(), late)
    assert (step(desk), step(desk)) == (Step.SENT, Step.SENT)
    desk.chain.time_s = START_S + 601
    assert Step.FAILED in (step(desk), step(desk))
    desk.store.quarantine(_claim(desk), reason="out of the way of this test")
    assert step(desk) is Step.BURNT
    desk.chain.finalized_slot = 1
    done = {step(desk), step(desk)}
    assert Step.RETIRED in done
    assert states(desk) == [IntentState.FAILED, IntentState.QUARANTINED]
    assert [one.ordinal for one, _, _ in desk.store.live_slots("evm")] == [1]


def _claim(desk: Desk) -> Any:
    desk.clock.sleep_s(10)
    claimed = desk.store.claim_due(chain="evm", owner="w", lease_s=5)
    assert claimed is not None
    return claimed


def test_a_fee_at_its_cap_is_followed_by_a_burn_from_the_rescue_budget() -> None:
    desk = desk_with(intent(), intent(1))
    step(desk), step(desk)
    for _ in range(60):
        step(desk)
    first = [(r.bump, r.purpose) for r in desk.signer.signed if r.slot == 0]
    assert first[: BUMP_MAX + 1] == [(bump, Purpose.PAY) for bump in range(BUMP_MAX + 1)]
    assert first[BUMP_MAX + 1 :] == [
        (bump, Purpose.BURN) for bump in range(BUMP_MAX + 1, BURN_BUMP_MAX + 1)
    ]
    assert {p for slot, p in purposes(desk) if slot == 1} == {Purpose.PAY}


def test_where_nothing_replaces_the_same_bytes_are_all_there_is() -> None:
    desk = desk_with(intent())
    desk.chain.slot_rules = SlotRules(replaces=False, burns=False, atomic=True)
    for _ in range(20):
        step(desk)
    desk.store.kill(reason="x", operator="op", now_ns=Nanos(1))
    assert step(desk) is Step.WAITED
    assert purposes(desk) == [(0, Purpose.PAY)]
    assert set(desk.chain.sent) == {b"tx-0-0"}


def test_a_slot_used_by_a_stranger_is_given_up_unsigned() -> None:
    desk = desk_with(intent())
    desk.signer.fault = Permanent("down for now")
    step(desk)
    desk.chain.finalized_slot = 1
    assert step(desk) is Step.RETIRED
    desk.signer.fault = None
    assert step(desk) is Step.SENT
    assert purposes(desk) == [(1, Purpose.PAY)]


def test_an_unknown_slot_opens_nothing() -> None:
    desk = desk_with(intent())
    desk.signer.fault = Permanent("down for now")
    step(desk)
    desk.signer.fault = None
    desk.chain.slot_state = lambda *_, **__: SlotState.UNKNOWN  # type: ignore[method-assign]
    assert step(desk) is Step.WAITED
    assert purposes(desk) == []


@pytest.mark.parametrize(
    "bounds",
    [LaneBounds(in_flight_max=2), LaneBounds(value_atoms_max={"DCT": 30 + 31 + 31})],
    ids=["count", "value"],
)
def test_no_more_is_on_its_way_than_the_bounds_allow(bounds: LaneBounds) -> None:
    desk = desk_with(*[intent(ordinal) for ordinal in range(4)])
    done = [step(desk, bounds=bounds) for _ in range(4)]
    assert done == [Step.SENT, Step.SENT, Step.CROWDED, Step.CROWDED]
    desk.chain.used |= {one.intent_id for one, _ in desk.store.intents()[:1]}
    while Step.FINAL not in done:
        done.append(step(desk, bounds=bounds))
    desk.chain.finalized_slot = 1
    assert Step.SENT in [step(desk, bounds=bounds) for _ in range(4)]


@pytest.mark.parametrize(
    ("key", "done"),
    [(Answer.PENDING, Step.WAITED), (Answer.REFUNDED, Step.FAILED)],
    ids=["pending", "refunded"],
)
def test_a_key_between_unset_and_used_waits_or_ends_as_the_contract_says(
    key: Answer, done: Step
) -> None:
    desk = desk_with(intent())
    desk.chain.slot_rules = SlotRules(replaces=False, burns=False, atomic=False)
    assert step(desk) is Step.SENT
    desk.chain.key_answer = key
    desk.chain.time_s = START_S + 601
    assert step(desk) is done


def test_a_transport_that_succeeded_has_paid_nothing_where_payment_takes_more_messages() -> None:
    desk = desk_with(intent())
    desk.chain.slot_rules = SlotRules(replaces=False, burns=False, atomic=False)
    step(desk)
    desk.chain.views["tx-0-0"] = TxView(
        answer=Answer.FOUND, succeeded=True, finalized=True, height=9, block_hash="0xb"
    )
    assert (step(desk), step(desk)) == (Step.LANDED, Step.WAITED)
    desk.chain.time_s = START_S + 601
    assert step(desk) is Step.FAILED


# -- a kill is complete -----------------------------------------------------------------------


def test_a_kill_is_complete_when_every_slot_is_burnt_or_past_its_deadline() -> None:
    desk = desk_with(intent(), intent(1))
    step(desk), step(desk)
    desk.store.kill(reason="x", operator="op", now_ns=Nanos(1))
    assert not kill_is_complete(store=desk.store, chain=desk.chain)
    assert (step(desk), step(desk)) == (Step.BURNT, Step.BURNT)
    assert not kill_is_complete(store=desk.store, chain=desk.chain)
    desk.chain.finalized_slot = 2
    assert (step(desk), step(desk)) == (Step.RETIRED, Step.RETIRED)
    assert kill_is_complete(store=desk.store, chain=desk.chain)


def test_a_kill_is_complete_past_the_last_deadline_whatever_the_lane_does() -> None:
    desk = desk_with(intent())
    step(desk)
    desk.chain.time_s = START_S + 601
    assert kill_is_complete(store=desk.store, chain=desk.chain)


# -- restores -----------------------------------------------------------------------------------


def restored(desk: Desk, until_s: int) -> None:
    desk.store.enter_adopt_only(chain="evm", until_s=until_s, reason="drill", now_ns=Nanos(3))


def test_after_a_restore_nothing_is_signed_or_sent_or_declared_dead() -> None:
    desk = desk_with(intent(), intent(1))
    step(desk)
    sent = list(desk.chain.sent)
    restored(desk, START_S + 5_000)
    desk.chain.time_s = START_S + 700
    assert [step(desk) for _ in range(4)] == [Step.WAITED] * 4
    assert (desk.chain.sent, len(desk.signer.signed)) == (sent, 1)


def test_after_a_restore_what_was_paid_is_adopted() -> None:
    desk = desk_with(intent())
    restored(desk, START_S + 5_000)
    desk.chain.used.add(intent().intent_id)
    assert step(desk) is Step.FINAL


def test_adoption_ends_at_a_finalized_block_past_every_forgotten_deadline() -> None:
    desk = desk_with(intent(1, deadline_s=START_S + 9_000))
    restored(desk, START_S + 5_000)
    desk.chain.time_s = START_S + 5_000
    assert not adopt_restored(store=desk.store, chain=desk.chain, clock=desk.clock)
    desk.chain.time_s += 1
    assert adopt_restored(store=desk.store, chain=desk.chain, clock=desk.clock)
    assert step(desk) is Step.SENT


# -- quarantine -----------------------------------------------------------------------------------


def in_quarantine(desk: Desk) -> Hash32:
    claimed = _claim(desk)
    desk.store.quarantine(claimed, reason="doubt")
    return claimed.intent.intent_id


def execute(desk: Desk, body: bytes, *, family: str = "release") -> None:
    previous = desk.chain.orders[-1].head if desk.chain.orders else bytes(32)
    desk.chain.orders.append(order(len(desk.chain.orders) + 1, family, body, previous=previous))


def release(desk: Desk, intent_id: Hash32) -> IntentState:
    return release_quarantined(
        store=desk.store, chain=desk.chain, clock=desk.clock, intent_id=intent_id, operator="ann"
    )


def ordered(intent_id: Hash32, verdict: Verdict) -> bytes:
    return IntentRelease(intent_id=intent_id, verdict=verdict).canonical_bytes


def test_bytes_of_an_intent_in_quarantine_are_burnt_by_a_kill_and_left_alone_before() -> None:
    desk = desk_with(intent())
    step(desk)
    in_quarantine(desk)
    assert step(desk) is Step.WAITED
    desk.store.kill(reason="x", operator="op", now_ns=Nanos(1))
    assert step(desk) is Step.BURNT
    assert purposes(desk) == [(0, Purpose.PAY), (0, Purpose.BURN)]


def test_without_an_executed_order_a_quarantine_stays() -> None:
    desk = desk_with(intent())
    intent_id = in_quarantine(desk)
    execute(desk, ordered(Hash32(b"\x05" * 32), Verdict.RESUME))
    execute(desk, canonical_json({"kill_id": 1}))
    execute(desk, ordered(intent_id, Verdict.RESUME), family="policy")
    with pytest.raises(UsageFault, match="stays in quarantine"):
        release(desk, intent_id)
    assert states(desk) == [IntentState.QUARANTINED]


def test_an_order_lets_work_go_on_and_is_used_once() -> None:
    desk = desk_with(intent())
    intent_id = in_quarantine(desk)
    execute(desk, ordered(intent_id, Verdict.RESUME))
    assert release(desk, intent_id) is IntentState.READY
    assert step(desk) is Step.SENT
    assert in_quarantine(desk) == intent_id
    with pytest.raises(UsageFault, match="used before"):
        release(desk, intent_id)
    execute(desk, ordered(intent_id, Verdict.RESUME))
    assert release(desk, intent_id) is IntentState.IN_FLIGHT


def test_an_order_may_declare_an_intent_dead_only_past_its_deadline_and_unpaid() -> None:
    desk = desk_with(intent())
    intent_id = in_quarantine(desk)
    execute(desk, ordered(intent_id, Verdict.DEAD))
    with pytest.raises(InvariantBroken, match="before its deadline"):
        release(desk, intent_id)
    desk.chain.time_s = START_S + 601
    desk.chain.used.add(intent_id)
    with pytest.raises(InvariantBroken, match="is used on evm"):
        release(desk, intent_id)
    desk.chain.used.clear()
    assert release(desk, intent_id) is IntentState.FAILED


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"intent_id": "05", "verdict": "resume"}',
        b'{"intent_id":"zz","verdict":"resume"}',
        b'{"intent_id":"05","verdict":"pay"}',
        b'{"intent_id":"05","verdict":"dead","x":1}',
    ],
)
def test_a_body_that_is_not_canonical_releases_nothing(body: bytes) -> None:
    assert read_release(body) is None

"""A pass: several claimed intents, one snapshot, leases given back together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from desk_memory import RUN, Desk

from dmm.ports import Answer, Sight, Snapshot, TxView
from dmm.settlement.batch import reserve
from dmm.settlement.epoch import EpochPlan, Job
from dmm.settlement.intent import Claimed, Intent, IntentKind, IntentState
from dmm.settlement.lifecycle import LaneBounds
from dmm.units.amount import Atoms
from dmm.units.errors import InvariantBroken, Retryable
from dmm.units.time import Nanos
from dmm.usecases.dispatch import CLAIMS_MAX, FULL_PASSES_MAX, Crowd, sweep
from dmm.usecases.driver import Driver, Pace, Step

START_S = 1_700_000_000
ROOM_FOR_TWO = LaneBounds(in_flight_max=2)


def intent(ordinal: int, kind: IntentKind = IntentKind.REWARD) -> Intent:
    return Intent(
        kind=kind,
        chain="evm",
        contract="treasury",
        vault="treasury",
        scope="r1:liquidity",
        epoch=0,
        ordinal=ordinal,
        asset="DCT",
        recipient="0xa1",
        amount=Atoms(3 + ordinal),
        deadline_s=START_S + 600,
        inputs={},
    )


def desk_with(*intents: Intent) -> Desk:
    desk = Desk()
    desk.fund("treasury", "DCT", 5_000)
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
    desk.clock.sleep_s(10)
    return desk


def driver(desk: Desk, **changes: Any) -> Driver:
    terms: dict[str, Any] = {
        "store": desk.store,
        "chain": desk.chain,
        "signer": desk.signer,
        "pace": Pace(poll_s=1.0),
    }
    return Driver(**(terms | changes))


def claims(desk: Desk, *, limit: int = 9, lease_s: int = 5, **terms: Any) -> list[Claimed]:
    return desk.store.claim_batch(chain="evm", owner="w", lease_s=lease_s, limit=limit, **terms)


def counted(desk: Desk) -> list[Snapshot]:
    """Let a desk's chain count its snapshots."""
    taken: list[Snapshot] = []
    take = desk.chain.snapshot

    def snapshot() -> Snapshot:
        taken.append(take())
        return taken[-1]

    desk.chain.snapshot = snapshot  # type: ignore[method-assign]
    return taken


def test_one_snapshot_serves_a_whole_pass_and_all_leases_come_back() -> None:
    desk = desk_with(*map(intent, range(4)))
    taken = counted(desk)
    assert driver(desk).steps(claims(desk)) == [Step.SENT] * 4
    assert len(taken) == 1
    desk.clock.sleep_s(2)
    assert len(claims(desk)) == 4


def test_no_claims_ask_nothing() -> None:
    desk = desk_with()
    taken = counted(desk)
    assert driver(desk).steps([]) == []
    assert taken == []


def test_without_a_snapshot_every_lease_is_given_back() -> None:
    desk = desk_with(*map(intent, range(3)))
    leased = claims(desk)

    def silent() -> Snapshot:
        raise Retryable("no node answers")

    desk.chain.snapshot = silent  # type: ignore[method-assign]
    assert driver(desk).steps(leased) == [Step.WAITED] * 3
    assert desk.signer.signed == []
    desk.clock.sleep_s(2)
    assert len(claims(desk)) == 3


def test_one_that_was_taken_over_stops_nobody_and_is_left_alone() -> None:
    desk = desk_with(*map(intent, range(3)))
    leased = claims(desk)
    desk.clock.sleep_s(6)
    heir = desk.store.claim_due(chain="evm", owner="heir", lease_s=50)
    assert heir is not None
    assert driver(desk).steps(leased) == [Step.WAITED, Step.SENT, Step.SENT]
    assert [request.intent.ordinal for request in desk.signer.signed] == [1, 2]
    assert desk.store.release_batch([(heir, 0.0)]) == 1, "the heir's lease still holds"


def test_doubt_about_one_stops_no_other_in_the_pass() -> None:
    desk = desk_with(*map(intent, range(3)))
    look = desk.chain.key_state

    def doubtful(of: Intent, *, at: Snapshot) -> Answer:
        if of.ordinal == 1:
            raise InvariantBroken("it cannot be")
        return look(of, at=at)

    desk.chain.key_state = doubtful  # type: ignore[method-assign]
    assert driver(desk).steps(claims(desk)) == [Step.SENT, Step.QUARANTINED, Step.SENT]


def test_once_one_finds_no_room_the_others_of_its_kind_do_not_ask() -> None:
    rewards = [intent(ordinal) for ordinal in range(5)]
    desk = desk_with(*rewards, intent(5, IntentKind.BUYBACK))
    asked: list[int] = []
    allocate = desk.store.allocate_slot

    def allocating(claimed: Claimed, **terms: Any) -> int | None:
        asked.append(claimed.intent.ordinal)
        return allocate(claimed, **terms)

    desk.store.allocate_slot = allocating  # type: ignore[method-assign]
    done = driver(desk, bounds=ROOM_FOR_TWO).steps(claims(desk))
    assert done == [Step.SENT, Step.SENT, *[Step.CROWDED] * 3, Step.SENT]
    assert asked == [0, 1, 2, 5]


class Surveyed:
    """A desk's chain that answers about all at once, and refuses to be asked one by one."""

    def __init__(self, desk: Desk, sights: list[Sight | None]) -> None:
        self._chain, self._sights = desk.chain, sights
        self.asked: list[tuple[int, int]] = []

    def __getattr__(self, name: str) -> Any:
        assert name != "transaction"
        return getattr(self._chain, name)

    def survey(
        self, asked: Sequence[tuple[Intent, Sequence[str]]], *, at: Snapshot
    ) -> list[Sight | None]:
        self.asked = [(of.ordinal, len(tx_ids)) for of, tx_ids in asked]
        return self._sights


def test_what_a_chain_says_of_all_at_once_decides_each() -> None:
    desk = desk_with(*map(intent, range(3)))
    sights: list[Sight | None] = [
        Sight(key=Answer.FOUND, views=()),
        Sight(key=Answer.UNKNOWN, views=()),
        None,
    ]
    chain = Surveyed(desk, sights)
    done = driver(desk, chain=chain).steps(claims(desk))
    assert chain.asked == [(0, 0), (1, 0), (2, 0)]
    assert done == [Step.FINAL, Step.WAITED, Step.SENT]


def test_views_of_a_survey_belong_to_the_attempts_in_order() -> None:
    desk = desk_with(intent(0))
    driver(desk).steps(claims(desk))
    desk.clock.sleep_s(2)
    view = TxView(answer=Answer.FOUND, succeeded=True, height=9, block_hash="0xb")
    chain = Surveyed(desk, [Sight(key=Answer.ABSENT, views=(view,))])
    assert driver(desk, chain=chain).steps(claims(desk)) == [Step.LANDED]
    assert chain.asked == [(0, 1)]


# -- the crowd ------------------------------------------------------------------------------------


@pytest.fixture
def leased() -> list[Claimed]:
    return claims(desk_with(intent(0), intent(1, IntentKind.BUYBACK)))


def test_a_kind_without_room_is_left_out_until_there_may_be_room(leased: list[Claimed]) -> None:
    crowd = Crowd().after(leased, [Step.CROWDED, Step.SENT])
    assert crowd.kinds == {IntentKind.REWARD}
    assert crowd.after(leased, [Step.WAITED, Step.WAITED]).kinds == {IntentKind.REWARD}
    assert crowd.after(leased, [Step.WAITED, Step.LANDED]).kinds == frozenset()
    assert crowd.after([], []).kinds == frozenset()


def test_a_kind_without_room_is_asked_again_after_some_passes_all_the_same(
    leased: list[Claimed],
) -> None:
    crowd = Crowd().after(leased, [Step.CROWDED, Step.SENT])
    for _ in range(FULL_PASSES_MAX):
        assert crowd.kinds
        crowd = crowd.after(leased, [Step.WAITED, Step.WAITED])
    assert crowd.kinds == frozenset()


def test_a_claim_leaves_out_what_waits_for_room_and_nothing_else() -> None:
    desk = desk_with(*map(intent, range(4)), intent(4, IntentKind.BUYBACK))
    driver(desk, bounds=ROOM_FOR_TWO).steps(claims(desk, limit=2))
    desk.clock.sleep_s(2)
    found = claims(desk, full={IntentKind.REWARD})
    assert sorted(one.intent.ordinal for one in found) == [0, 1, 4]


def test_a_sweep_settles_more_than_a_pass_and_more_than_there_is_room_for() -> None:
    many = CLAIMS_MAX + 9
    desk = desk_with(*map(intent, range(many)))
    send = desk.chain.send

    def paying(raw: bytes) -> None:
        send(raw)
        desk.chain.used |= {desk.signer.signed[-1].intent.intent_id}

    desk.chain.send = paying  # type: ignore[method-assign]
    counts = sweep(
        store=desk.store,
        chain=desk.chain,
        signer=desk.signer,
        clock=desk.clock,
        owner="w",
        wait_s_max=500.0,
        pace=Pace(poll_s=1.0),
        bounds=ROOM_FOR_TWO,
    )
    assert (counts.sent, counts.final, counts.still_open) == (many, many, 0)
    assert {state for _, state in desk.store.intents()} == {IntentState.FINAL}

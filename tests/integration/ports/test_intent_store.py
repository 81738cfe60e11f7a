"""What every store of intents promises the driver."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import journal_samples as make
import pytest

from dmm.ports import Store
from dmm.settlement.intent import AttemptState, Claimed, IntentState, Purpose, Slot
from dmm.settlement.lifecycle import Fenced, LaneBounds
from dmm.units.errors import InvariantBroken, UsageFault
from dmm.units.time import Nanos

WRITES: dict[str, Callable[[Store, Claimed], object]] = {
    "allocate_slot": lambda s, c: s.allocate_slot(c, signer=make.SIGNER, finalized_slot=0),
    "store_attempt": lambda s, c: s.store_attempt(c, make.attempt(c, slot=0, bump=2)),
    "mark_broadcast": lambda s, c: s.mark_broadcast(c, "0xtx-0-0-0"),
    "mark_landed": lambda s, c: s.mark_landed(c, "0xtx-0-0-0", height=9, block_hash="0xb"),
    "mark_unlanded": lambda s, c: s.mark_unlanded(c),
    "finish_final": lambda s, c: s.finish_final(c, tx_id=None, height=9, postings=[]),
    "finish_failed": lambda s, c: s.finish_failed(c, height=9, proof={"x": 2}, postings=[]),
    "retire_slot": lambda s, c: s.retire_slot(c, height=9, proof={"x": 2}),
    "quarantine": lambda s, c: s.quarantine(c, reason="doubt"),
    "release": lambda s, c: s.release(c, due_in_s=0.0),
}


def state_of(store: Store, ordinal: int = 0) -> IntentState:
    return {of.ordinal: state for of, state in store.intents()}[ordinal]


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_worker_that_lost_its_lease_writes_nothing(
    any_store: Store, write: Callable[[Store, Claimed], object]
) -> None:
    make.record(any_store, make.intent(0))
    zombie = make.take(any_store, "zombie", lease_s=0)
    make.send(any_store, zombie)
    heir = make.take(any_store, "heir")
    with pytest.raises(Fenced):
        write(any_store, zombie)
    assert state_of(any_store) is IntentState.IN_FLIGHT
    assert any_store.allocate_slot(heir, signer=make.SIGNER, finalized_slot=0) == 0


def test_the_same_owner_is_fenced_by_its_own_newer_claim(any_store: Store) -> None:
    make.record(any_store, make.intent(0))
    older = make.take(any_store, lease_s=0)
    newer = make.take(any_store)
    assert newer.fence > older.fence
    with pytest.raises(Fenced):
        any_store.quarantine(older, reason="late")


def test_a_leased_intent_is_not_given_to_another(any_store: Store) -> None:
    make.record(any_store, make.intent(0))
    make.take(any_store)
    assert any_store.claim_due(chain=make.CHAIN, owner="other", lease_s=30) is None


def test_intents_of_another_chain_are_not_due(any_store: Store) -> None:
    make.record(any_store, make.intent(0))
    assert any_store.claim_due(chain="ton", owner="driver", lease_s=30) is None


def test_a_released_intent_waits_until_it_is_due(any_store: Store) -> None:
    make.record(any_store, make.intent(0))
    any_store.release(make.take(any_store), due_in_s=3_600.0)
    assert any_store.claim_due(chain=make.CHAIN, owner="driver", lease_s=30) is None


def test_an_intent_released_for_now_is_due_at_once_with_a_higher_fence(any_store: Store) -> None:
    make.record(any_store, make.intent(0))
    first = make.take(any_store)
    any_store.release(first, due_in_s=0.0)
    assert make.take(any_store).fence == first.fence + 1


def test_a_claim_carries_the_intent_as_it_was_planned(any_store: Store) -> None:
    make.record(any_store, make.intent(7, amount=make.HUGE))
    claimed = make.take(any_store)
    assert claimed.intent == make.intent(7, amount=make.HUGE)
    assert (claimed.state, claimed.generation, claimed.attempts) == (IntentState.READY, 0, ())


def test_slots_are_dense_and_no_two_intents_share_one(any_store: Store) -> None:
    make.record(any_store, *[make.intent(ordinal) for ordinal in range(4)])
    claims = [make.take(any_store) for _ in range(4)]
    slots = [any_store.allocate_slot(of, signer=make.SIGNER, finalized_slot=5) for of in claims]
    assert slots == [5, 6, 7, 8]


def test_a_live_slot_is_given_again_after_a_crash_before_signing(any_store: Store) -> None:
    make.record(any_store, make.intent(0), make.intent(1))
    crashed = make.take(any_store, lease_s=0)
    slot = any_store.allocate_slot(crashed, signer=make.SIGNER, finalized_slot=0)
    heir = make.take(any_store)
    while heir.intent != crashed.intent:
        heir = make.take(any_store)
    assert any_store.allocate_slot(heir, signer=make.SIGNER, finalized_slot=0) == slot


def test_lanes_of_two_signers_count_apart(any_store: Store) -> None:
    make.record(any_store, make.intent(0), make.intent(1))
    first, second = make.take(any_store), make.take(any_store)
    assert any_store.allocate_slot(first, signer="0xone", finalized_slot=3) == 3
    assert any_store.allocate_slot(second, signer="0xtwo", finalized_slot=0) == 0


def test_an_attempt_on_a_slot_of_another_is_refused(any_store: Store) -> None:
    make.record(any_store, make.intent(0), make.intent(1))
    first, second = make.take(any_store), make.take(any_store)
    make.send(any_store, first)
    any_store.allocate_slot(second, signer=make.SIGNER, finalized_slot=0)
    with pytest.raises(InvariantBroken):
        any_store.store_attempt(second, make.attempt(second, slot=0, tx_id="0xother"))


def test_signed_bytes_are_read_back_by_whoever_claims_next(any_store: Store) -> None:
    make.record(any_store, make.intent(0))
    sent = make.send(any_store, make.take(any_store, lease_s=0))
    heir = make.take(any_store)
    assert heir.state is IntentState.IN_FLIGHT
    assert heir.attempts == (replace(sent, state=AttemptState.BROADCAST),)


def test_a_bump_uses_the_same_slot(any_store: Store) -> None:
    make.record(any_store, make.intent(0))
    claimed = make.take(any_store, lease_s=0)
    make.send(any_store, claimed)
    make.send(any_store, claimed, bump=1)
    heir = make.take(any_store)
    assert [(one.slot, one.bump) for one in heir.attempts] == [(0, 0), (0, 1)]


def test_an_inclusion_is_reversible(any_store: Store) -> None:
    make.record(any_store, make.intent(0))
    claimed = make.take(any_store, lease_s=0)
    sent = make.send(any_store, claimed)
    any_store.mark_landed(claimed, sent.tx_id, height=31, block_hash="0xb")
    assert state_of(any_store) is IntentState.CONFIRMED
    any_store.mark_unlanded(claimed)
    assert state_of(any_store) is IntentState.IN_FLIGHT
    (after,) = make.take(any_store).attempts
    assert (after.state, after.landed_height) == (AttemptState.BROADCAST, None)


def test_a_paid_intent_is_posted_and_never_due_again(any_store: Store) -> None:
    make.record(any_store, make.intent(0))
    claimed = make.take(any_store, lease_s=0)
    sent = make.send(any_store, claimed)
    any_store.mark_landed(claimed, sent.tx_id, height=31, block_hash="0xb")
    any_store.finish_final(
        claimed, tx_id=sent.tx_id, height=31, postings=[make.pay(claimed.intent)]
    )
    assert state_of(any_store) is IntentState.FINAL
    assert any_store.final_transactions(make.CHAIN) == [(claimed.intent, sent.tx_id, 31)]
    assert (any_store.balance(make.PENDING), any_store.balance(make.PAID)) == (0, 1_000)
    assert any_store.claim_due(chain=make.CHAIN, owner="driver", lease_s=30) is None


def test_an_adopted_intent_is_final_without_an_attempt(any_store: Store) -> None:
    make.record(any_store, make.intent(0))
    any_store.finish_final(make.take(any_store), tx_id=None, height=31, postings=[])
    assert state_of(any_store) is IntentState.FINAL


def test_a_dead_intent_gives_its_reservation_back(any_store: Store) -> None:
    make.record(any_store, make.intent(0))
    claimed = make.take(any_store)
    make.send(any_store, claimed)
    any_store.finish_failed(
        claimed, height=44, proof={"key": "unset"}, postings=[make.void(claimed.intent)]
    )
    assert state_of(any_store) is IntentState.FAILED
    assert any_store.balance(make.PENDING) == 0
    assert any_store.balance(make.AVAILABLE) == make.HUGE


def test_an_ended_intent_cannot_end_otherwise(any_store: Store) -> None:
    make.record(any_store, make.intent(0))
    claimed = make.take(any_store)
    any_store.finish_final(claimed, tx_id=None, height=31, postings=[])
    with pytest.raises((InvariantBroken, Fenced)):
        any_store.finish_failed(claimed, height=44, proof={"x": 2}, postings=[])
    assert state_of(any_store) is IntentState.FINAL


def test_a_retired_slot_opens_the_next_generation_on_a_new_slot(any_store: Store) -> None:
    make.record(any_store, make.intent(0))
    claimed = make.take(any_store, lease_s=0)
    make.send(any_store, claimed)
    any_store.retire_slot(claimed, height=50, proof={"nonce": 5})
    heir = make.take(any_store)
    assert (heir.state, heir.generation, heir.attempts) == (IntentState.READY, 1, ())
    assert any_store.allocate_slot(heir, signer=make.SIGNER, finalized_slot=1) == 1


def test_a_quarantined_intent_is_never_due(any_store: Store) -> None:
    make.record(any_store, make.intent(0))
    any_store.quarantine(make.take(any_store, lease_s=0), reason="doubt")
    assert state_of(any_store) is IntentState.QUARANTINED
    assert any_store.claim_due(chain=make.CHAIN, owner="driver", lease_s=30) is None


# -- slots that outlive their intent, bounds, releases, restores -----------------------------------


def test_a_claim_carries_its_live_slot_and_whether_others_wait_for_it(any_store: Store) -> None:
    make.record(any_store, make.intent(0), make.intent(1))
    first, second = make.take(any_store), make.take(any_store)
    any_store.allocate_slot(
        first, signer=make.SIGNER, finalized_slot=4, expires=99, anchor="0xblock"
    )
    (one,) = any_store.live_slots(make.CHAIN)
    wanted = Slot(signer=make.SIGNER, slot=4, generation=0, expires=99, anchor="0xblock")
    assert one == (first.intent, IntentState.READY, wanted)
    any_store.allocate_slot(second, signer=make.SIGNER, finalized_slot=4)
    assert [slot.blocks_others for _, _, slot in any_store.live_slots(make.CHAIN)] == [True, False]


def test_an_ended_intent_is_claimed_while_its_slot_holds_others_up_and_only_burnt(
    any_store: Store,
) -> None:
    make.record(any_store, make.intent(0), make.intent(1))
    first, second = make.take(any_store), make.take(any_store)
    make.send(any_store, first)
    any_store.finish_failed(first, height=9, proof={"x": 2}, postings=[])
    assert any_store.claim_due(chain=make.CHAIN, owner="d", lease_s=30) is None
    make.send(any_store, second)
    left = make.take(any_store, lease_s=0)
    assert (left.intent, left.state) == (first.intent, IntentState.FAILED)
    with pytest.raises(InvariantBroken):
        any_store.store_attempt(left, make.attempt(left, slot=0, bump=4, tx_id="0xpay"))
    burn = replace(make.attempt(left, slot=0, bump=5, tx_id="0xburn"), purpose=Purpose.BURN)
    any_store.store_attempt(left, burn)
    any_store.mark_broadcast(left, burn.tx_id)
    assert state_of(any_store) is IntentState.FAILED
    heir = make.take(any_store)
    assert heir.attempts[-1].purpose is Purpose.BURN
    any_store.retire_slot(heir, height=12, proof={"nonce": 1})
    assert state_of(any_store) is IntentState.FAILED
    assert [intent for intent, _, _ in any_store.live_slots(make.CHAIN)] == [second.intent]


def test_a_burn_takes_a_ready_intent_into_flight_and_back(any_store: Store) -> None:
    make.record(any_store, make.intent(0))
    claimed = make.take(any_store, lease_s=0)
    any_store.allocate_slot(claimed, signer=make.SIGNER, finalized_slot=0)
    any_store.store_attempt(
        claimed, replace(make.attempt(claimed, slot=0, tx_id="0xburn"), purpose=Purpose.BURN)
    )
    assert state_of(any_store) is IntentState.IN_FLIGHT
    any_store.retire_slot(claimed, height=5, proof={"nonce": 1})
    assert (state_of(any_store), make.take(any_store).generation) == (IntentState.READY, 1)


@pytest.mark.parametrize(
    "bounds",
    [LaneBounds(in_flight_max=2), LaneBounds(value_atoms_max={"DCT": 2_999})],
    ids=["count", "value"],
)
def test_a_bound_that_is_reached_claims_nothing(any_store: Store, bounds: LaneBounds) -> None:
    make.record(any_store, *[make.intent(ordinal) for ordinal in range(3)])
    claims = [make.take(any_store) for _ in range(3)]
    terms = {"signer": make.SIGNER, "finalized_slot": 0, "bounds": bounds}
    assert [any_store.allocate_slot(of, **terms) for of in claims] == [0, 1, None]  # type: ignore[arg-type]
    any_store.finish_final(claims[0], tx_id=None, height=4, postings=[])
    assert any_store.allocate_slot(claims[2], **terms) == 2  # type: ignore[arg-type]


def test_only_one_open_intent_of_a_signer_has_a_number_that_bytes_name(any_store: Store) -> None:
    make.record(any_store, *[make.intent(ordinal) for ordinal in range(3)])
    first, second, third = (make.take(any_store) for _ in range(3))
    terms: dict[str, Any] = {"signer": make.SIGNER, "finalized_slot": 5, "anchor": "12"}
    bounds = LaneBounds(sequenced=frozenset({first.intent.kind}))
    assert any_store.allocate_slot(first, **terms, bounds=bounds) == 5
    any_store.store_attempt(first, make.attempt(first, slot=5, tx_id="0xfirst"))
    assert any_store.allocate_slot(second, **terms, bounds=bounds) is None
    # Its own again; another number, another signer, or a kind without numbers do not wait.
    assert any_store.allocate_slot(first, **terms, bounds=bounds) == 5
    assert any_store.allocate_slot(second, **terms | {"anchor": "13"}, bounds=bounds) == 6
    assert any_store.allocate_slot(third, **terms | {"signer": "0xdef"}, bounds=bounds) == 5


def test_a_number_that_another_worker_may_be_signing_for_is_taken(any_store: Store) -> None:
    make.record(any_store, *[make.intent(ordinal) for ordinal in range(2)])
    first, second = make.take(any_store, owner="w1"), make.take(any_store, owner="w2")
    terms: dict[str, Any] = {"signer": make.SIGNER, "finalized_slot": 5, "anchor": "12"}
    bounds = LaneBounds(sequenced=frozenset({first.intent.kind}))
    assert any_store.allocate_slot(first, **terms, bounds=bounds) == 5
    assert any_store.allocate_slot(second, **terms, bounds=bounds) is None
    any_store.release(first, due_in_s=600)
    assert any_store.allocate_slot(second, **terms, bounds=bounds) == 6


def test_a_slot_without_bytes_keeps_its_number_from_nobody(any_store: Store) -> None:
    make.record(any_store, *[make.intent(ordinal) for ordinal in range(3)])
    refused, second, third = (make.take(any_store) for _ in range(3))
    terms: dict[str, Any] = {"signer": make.SIGNER, "finalized_slot": 0, "anchor": "12"}
    bounds = LaneBounds(sequenced=frozenset({refused.intent.kind}))
    assert any_store.allocate_slot(refused, **terms, bounds=bounds) == 0
    assert any_store.allocate_slot(second, **terms, bounds=bounds) == 1
    any_store.store_attempt(second, make.attempt(second, slot=1, tx_id="0xsecond"))
    assert any_store.allocate_slot(third, **terms, bounds=bounds) is None


def test_a_number_is_free_again_once_its_intent_has_ended(any_store: Store) -> None:
    make.record(any_store, *[make.intent(ordinal) for ordinal in range(2)])
    first, second = make.take(any_store), make.take(any_store)
    terms: dict[str, Any] = {"signer": make.SIGNER, "finalized_slot": 5, "anchor": "12"}
    bounds = LaneBounds(sequenced=frozenset({first.intent.kind}))
    assert any_store.allocate_slot(first, **terms, bounds=bounds) == 5
    any_store.store_attempt(first, make.attempt(first, slot=5, tx_id="0xfirst"))
    any_store.finish_failed(first, height=9, proof={"why": "late"}, postings=[])
    assert any_store.allocate_slot(second, **terms, bounds=bounds) == 6


def test_what_has_landed_counts_as_value_but_not_as_in_flight(any_store: Store) -> None:
    make.record(any_store, *[make.intent(ordinal) for ordinal in range(2)])
    first, second = make.take(any_store), make.take(any_store)
    sent = make.send(any_store, first)
    any_store.mark_landed(first, sent.tx_id, height=5, block_hash="0xb")
    terms = {"signer": make.SIGNER, "finalized_slot": 0}
    full = LaneBounds(in_flight_max=1, value_atoms_max={"DCT": 1_999})
    assert any_store.allocate_slot(second, **terms, bounds=full) is None  # type: ignore[arg-type]
    roomy = LaneBounds(in_flight_max=1, value_atoms_max={"DCT": 2_000})
    assert any_store.allocate_slot(second, **terms, bounds=roomy) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize("signed", [True, False])
def test_an_order_ends_a_quarantine_once_and_fences_whoever_held_it(
    any_store: Store, *, signed: bool
) -> None:
    make.record(any_store, make.intent(0))
    claimed = make.take(any_store)
    if signed:
        make.send(any_store, claimed)
    any_store.quarantine(claimed, reason="doubt")
    intent_id = claimed.intent.intent_id
    released = any_store.release_quarantine(
        intent_id, order_sequence=7, proof={"order": 7, "height": 9}
    )
    assert released is (IntentState.IN_FLIGHT if signed else IntentState.READY)
    with pytest.raises(Fenced):
        any_store.quarantine(claimed, reason="again")
    heir = make.take(any_store)
    any_store.quarantine(heir, reason="doubt")
    with pytest.raises(UsageFault):
        any_store.release_quarantine(intent_id, order_sequence=7, proof={"height": 9})


def test_an_order_may_void_what_is_in_quarantine(any_store: Store) -> None:
    make.record(any_store, make.intent(0))
    claimed = make.take(any_store)
    any_store.quarantine(claimed, reason="doubt")
    state = any_store.release_quarantine(
        claimed.intent.intent_id,
        order_sequence=7,
        proof={"order": 7, "height": 9},
        postings=[make.void(claimed.intent)],
    )
    assert (state, any_store.balance(make.PENDING)) == (IntentState.FAILED, 0)


def test_only_a_quarantine_is_released(any_store: Store) -> None:
    make.record(any_store, make.intent(0))
    with pytest.raises(UsageFault):
        any_store.release_quarantine(
            make.intent(0).intent_id, order_sequence=7, proof={"height": 9}
        )


def test_a_quarantined_intent_is_claimed_for_its_slot_alone(any_store: Store) -> None:
    make.record(any_store, make.intent(0))
    claimed = make.take(any_store, lease_s=0)
    make.send(any_store, claimed)
    any_store.quarantine(claimed, reason="doubt")
    left = make.take(any_store)
    assert (left.state, left.slot is not None) == (IntentState.QUARANTINED, True)
    any_store.retire_slot(left, height=9, proof={"nonce": 1})
    assert state_of(any_store) is IntentState.QUARANTINED
    assert any_store.claim_due(chain=make.CHAIN, owner="driver", lease_s=30) is None


def test_a_restore_holds_a_chain_until_it_is_left_with_its_proof(any_store: Store) -> None:
    assert any_store.adopt_only("evm") is None
    first = any_store.enter_adopt_only(
        chain="evm", until_s=900, reason="backup of monday", now_ns=Nanos(5)
    )
    assert any_store.adopt_only("evm") == first
    assert any_store.adopt_only("ton") is None
    later = any_store.enter_adopt_only(chain="evm", until_s=700, reason="again", now_ns=Nanos(6))
    assert later.until_s == 900
    for _ in range(2):
        any_store.leave_adopt_only(chain="evm", proof={"height": 3}, now_ns=Nanos(7))
        assert any_store.adopt_only("evm") is None


# -- batches --------------------------------------------------------------------------------------


def batch(store: Store, *, limit: int = 9, owner: str = "driver", **terms: Any) -> list[Claimed]:
    return store.claim_batch(chain=make.CHAIN, owner=owner, lease_s=30, limit=limit, **terms)


def test_a_batch_leases_those_due_longest_and_no_more_than_asked_for(any_store: Store) -> None:
    make.record(any_store, *[make.intent(ordinal) for ordinal in range(5)])
    first = batch(any_store, limit=3)
    assert [one.intent.ordinal for one in first] == [0, 1, 2]
    assert [one.intent.ordinal for one in batch(any_store, owner="other")] == [3, 4]
    assert batch(any_store) == []


def test_each_of_a_batch_has_its_own_slot_and_attempts(any_store: Store) -> None:
    make.record(any_store, *[make.intent(ordinal) for ordinal in range(3)])
    sent = batch(any_store, limit=2)
    signed = [make.send(any_store, one) for one in sent]
    assert any_store.release_batch([(one, 0.0) for one in sent]) == 2
    found = {one.intent.ordinal: one for one in batch(any_store)}
    assert [found[0].attempts[0].tx_id, found[1].attempts[0].tx_id] == [a.tx_id for a in signed]
    assert [one.slot.slot if one.slot else None for _, one in sorted(found.items())] == [0, 1, None]


def test_a_batch_leaves_out_kinds_without_room_unless_they_hold_a_slot(any_store: Store) -> None:
    make.record(any_store, *[make.intent(ordinal) for ordinal in range(3)])
    first = make.take(any_store)
    make.send(any_store, first)
    any_store.release(first, due_in_s=0.0)
    found = batch(any_store, full={first.intent.kind})
    assert [one.intent.ordinal for one in found] == [0]
    assert [one.intent.ordinal for one in batch(any_store)] == [1, 2]


def test_a_lease_that_was_lost_is_not_given_back_and_stops_no_other(any_store: Store) -> None:
    make.record(any_store, make.intent(0), make.intent(1))
    zombie = make.take(any_store, "zombie", lease_s=0)
    heir = next(one for one in batch(any_store, owner="heir") if one.intent.ordinal == 0)
    assert any_store.release_batch([(zombie, 0.0), (heir, 3_600.0)]) == 1
    assert any_store.release_batch([]) == 0


def test_open_intents_of_a_chain_are_counted_until_they_end(any_store: Store) -> None:
    make.record(any_store, make.intent(0), make.intent(1))
    assert (any_store.open_count(make.CHAIN), any_store.open_count("ton")) == (2, 0)
    any_store.finish_final(make.take(any_store), tx_id=None, height=9, postings=[])
    any_store.quarantine(make.take(any_store), reason="doubt")
    assert any_store.open_count(make.CHAIN) == 0

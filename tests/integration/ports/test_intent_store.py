"""What every store of intents promises the driver."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import journal_samples as make
import pytest

from dmm.ports import Store
from dmm.settlement.intent import AttemptState, Claimed, IntentState
from dmm.settlement.lifecycle import Fenced
from dmm.units.errors import InvariantBroken

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

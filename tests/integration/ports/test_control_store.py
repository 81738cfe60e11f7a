"""What every store of kill switch, policy and audit log promises."""

from __future__ import annotations

from dataclasses import replace

import journal_samples as make
import pytest

from dmm.ports import Store
from dmm.units.errors import InvariantBroken, UsageFault
from dmm.units.ids import ZERO_HASH
from dmm.units.time import Nanos


def kill(store: Store, reason: str = "drill", at: int = 5) -> int:
    return store.kill(reason=reason, operator="ann", now_ns=Nanos(at)).kill_id


def test_nothing_was_ever_killed_in_a_new_journal(any_store: Store) -> None:
    assert any_store.latch() is None


def test_a_release_of_nothing_is_a_usage_fault(any_store: Store) -> None:
    with pytest.raises(UsageFault):
        any_store.release_kill(kill_id=1, order_sequence=3, operator="bob", now_ns=Nanos(6))


def test_a_second_kill_returns_the_latch_that_holds(any_store: Store) -> None:
    first = any_store.kill(reason="drill", operator="ann", now_ns=Nanos(5))
    again = any_store.kill(reason="other", operator="bob", now_ns=Nanos(9))
    assert first == again == any_store.latch()
    assert first.killed


def test_a_release_is_the_latch_from_then_on(any_store: Store) -> None:
    kill_id = kill(any_store)
    released = any_store.release_kill(
        kill_id=kill_id, order_sequence=3, operator="bob", now_ns=Nanos(6)
    )
    assert released == any_store.latch()
    assert (released.killed, released.kill_id, released.operator) == (False, kill_id, "bob")


def test_a_kill_is_released_once(any_store: Store) -> None:
    kill_id = kill(any_store)
    any_store.release_kill(kill_id=kill_id, order_sequence=3, operator="bob", now_ns=Nanos(6))
    with pytest.raises(UsageFault):
        any_store.release_kill(kill_id=kill_id, order_sequence=4, operator="bob", now_ns=Nanos(7))


def test_an_order_releases_one_kill_only(any_store: Store) -> None:
    first = kill(any_store)
    any_store.release_kill(kill_id=first, order_sequence=3, operator="bob", now_ns=Nanos(6))
    second = kill(any_store, "again", at=7)
    assert second != first
    with pytest.raises(UsageFault):
        any_store.release_kill(kill_id=second, order_sequence=3, operator="bob", now_ns=Nanos(8))
    latch = any_store.latch()
    assert latch is not None
    assert latch.killed


def test_another_kill_than_the_one_that_holds_is_not_released(any_store: Store) -> None:
    kill_id = kill(any_store)
    with pytest.raises(UsageFault):
        any_store.release_kill(
            kill_id=kill_id + 1, order_sequence=3, operator="bob", now_ns=Nanos(6)
        )


def test_a_policy_with_another_hash_at_a_known_sequence_is_refused(any_store: Store) -> None:
    genesis = make.policy_record(0)
    any_store.append_policy(genesis)
    with pytest.raises(InvariantBroken):
        any_store.append_policy(replace(genesis, head=make.policy("other").policy_hash))


def test_a_policy_that_does_not_extend_the_head_is_refused(any_store: Store) -> None:
    any_store.append_policy(make.policy_record(0))
    with pytest.raises(InvariantBroken):
        any_store.append_policy(replace(make.policy_record(2), previous_head=ZERO_HASH))
    head = any_store.policy_head()
    assert head is not None
    assert head.sequence == 0


def test_the_policy_head_is_the_last_appended_and_may_skip_numbers(any_store: Store) -> None:
    assert any_store.policy_head() is None
    genesis = make.policy_record(0)
    third = make.policy_record(3, genesis)
    assert any_store.append_policy(genesis)
    assert any_store.append_policy(third)
    assert not any_store.append_policy(genesis)
    assert any_store.policy_head() == third


def test_the_audit_log_takes_any_number_of_records(any_store: Store) -> None:
    for number in range(3):
        any_store.append_audit(actor="ann", action="kill", body={"n": number}, now_ns=Nanos(number))

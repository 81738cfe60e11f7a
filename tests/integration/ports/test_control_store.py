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


# -- the halt latch


def halt(store: Store, reason: str = "drawdown", at: int = 5) -> int:
    store.open_run(make.run())
    return store.halt(run_id=make.RUN, reason=reason, now_ns=Nanos(at)).halt_id


def test_nothing_was_ever_halted_in_a_new_journal(any_store: Store) -> None:
    assert any_store.halted() is None
    with pytest.raises(UsageFault, match="not halted"):
        any_store.reset_halt(operator="ann", reason="why not", now_ns=Nanos(6))


def test_a_second_halt_returns_the_latch_that_holds(any_store: Store) -> None:
    any_store.open_run(make.run())
    first = any_store.halt(run_id=make.RUN, reason="drawdown", now_ns=Nanos(5))
    again = any_store.halt(run_id=make.RUN, reason="more of it", now_ns=Nanos(9))
    assert first == again == any_store.halted()
    assert (first.halted, first.operator, first.at_ns) == (True, "", 5)


def test_a_reset_is_the_halt_from_then_on_and_names_who_and_why(any_store: Store) -> None:
    halt_id = halt(any_store)
    reset = any_store.reset_halt(operator="ann", reason="hedged by hand", now_ns=Nanos(8))
    assert reset == any_store.halted()
    assert (reset.halted, reset.halt_id, reset.operator) == (False, halt_id, "ann")
    assert (reset.reason, reset.run_id) == ("hedged by hand", make.RUN)


def test_a_halt_is_reset_once_and_the_next_one_has_the_next_number(any_store: Store) -> None:
    first = halt(any_store)
    any_store.reset_halt(operator="ann", reason="fine", now_ns=Nanos(6))
    with pytest.raises(UsageFault, match="not halted"):
        any_store.reset_halt(operator="bob", reason="me too", now_ns=Nanos(7))
    assert halt(any_store, at=8) == first + 1


def test_halt_and_kill_know_nothing_of_each_other(any_store: Store) -> None:
    halt(any_store)
    kill_id = kill(any_store)
    any_store.release_kill(kill_id=kill_id, order_sequence=3, operator="bob", now_ns=Nanos(6))
    held = any_store.halted()
    assert held is not None
    assert held.halted
    any_store.reset_halt(operator="ann", reason="fine", now_ns=Nanos(7))
    assert kill(any_store, at=8) == kill_id + 1


def test_the_controls_are_both_latches_read_at_once(any_store: Store) -> None:
    assert (any_store.controls().kill, any_store.controls().halt) == (None, None)
    halt(any_store)
    kill(any_store)
    controls = any_store.controls()
    assert (controls.kill, controls.halt) == (any_store.latch(), any_store.halted())
    assert type(controls.database_at_ns) is int

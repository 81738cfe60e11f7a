"""Control: a hint proves nothing, an executed order works once, a kill needs its own release."""

from __future__ import annotations

from dataclasses import replace

import pytest
from desk_memory import POLICY, RUN, Desk, order

from dmm.settlement.epoch import JobOutcome, JobStatus
from dmm.units.errors import InvariantBroken, UsageFault
from dmm.units.time import NS_PER_S, Nanos
from dmm.usecases.control import apply_order, kill, record_genesis, reset, resume

BOLD = replace(POLICY, preset="bold", quote_size_lots=20)


def apply(desk: Desk, sequence: int) -> JobOutcome:
    return apply_order(
        store=desk.store,
        chain=desk.chain,
        clock=desk.clock,
        run_id=RUN,
        sequence=sequence,
        wait_s_max=2,
    )


def in_force(desk: Desk) -> tuple[int, str]:
    head = desk.store.policy_head()
    assert head is not None
    return head.sequence, head.policy.preset


def execute(desk: Desk, *bodies: tuple[str, bytes]) -> None:
    previous = b"\x07" * 32
    for sequence, (family, body) in enumerate(bodies, start=1):
        executed = order(sequence, family, body, previous=previous)
        previous = executed.head
        desk.chain.orders.append(executed)


def test_a_hint_without_an_executed_order_changes_nothing() -> None:
    desk = Desk()
    outcome = apply(desk, 1)
    assert outcome.status is JobStatus.WAITING
    assert outcome.note == "order 1 is not executed on the finalized chain"
    assert in_force(desk) == (0, "steady")


def test_an_order_above_the_finalized_block_is_waited_for_and_then_left() -> None:
    desk = Desk()
    execute(desk, ("policy", BOLD.canonical_bytes))
    desk.chain.orders = [replace(desk.chain.orders[0], height=101)]
    assert apply(desk, 1).status is JobStatus.WAITING
    assert in_force(desk) == (0, "steady")


def test_an_executed_policy_is_put_in_force_once() -> None:
    desk = Desk()
    execute(desk, ("policy", BOLD.canonical_bytes))
    assert apply(desk, 1).status is JobStatus.RECORDED
    assert in_force(desk) == (1, "bold")
    assert apply(desk, 1).status is JobStatus.ALREADY
    assert [action for action, _, _ in desk.store.audit] == ["adopt policy"]


def test_orders_before_the_announced_one_are_applied_too_and_releases_lie_between() -> None:
    desk = Desk()
    calm = replace(POLICY, preset="calm")
    execute(
        desk,
        ("policy", BOLD.canonical_bytes),
        ("release", b'{"kill_id":1}'),
        ("policy", calm.canonical_bytes),
    )
    assert apply(desk, 3).note == "order 3 put policy calm in force"
    assert in_force(desk) == (3, "calm")
    assert apply(desk, 2).note == "order 2 releases kill 1 once resumed"
    assert in_force(desk) == (3, "calm")


def test_an_executed_order_that_is_unsound_changes_nothing_and_says_why() -> None:
    desk = Desk()
    execute(desk, ("policy", b"{}"))
    assert "order 1 changes nothing: policy fields differ" in apply(desk, 1).note
    assert in_force(desk) == (0, "steady")


def test_a_chain_of_orders_with_a_hole_stops_everything() -> None:
    desk = Desk()
    execute(desk, ("policy", BOLD.canonical_bytes), ("policy", POLICY.canonical_bytes))
    desk.chain.orders.pop(0)
    with pytest.raises(InvariantBroken, match="order 1 is missing"):
        apply(desk, 1)


def test_genesis_is_recorded_once_and_another_is_refused() -> None:
    desk = Desk()
    desk.store._policies.clear()
    for expected in (True, False):
        assert (
            record_genesis(store=desk.store, clock=desk.clock, chain="evm", policy=POLICY)
            is expected
        )
    with pytest.raises(InvariantBroken):
        record_genesis(store=desk.store, clock=desk.clock, chain="evm", policy=BOLD)


def stop(desk: Desk, reason: str = "drill") -> int:
    return kill(store=desk.store, clock=desk.clock, reason=reason, operator="ann").kill_id


def go_on(desk: Desk) -> bool:
    return not resume(store=desk.store, chain=desk.chain, clock=desk.clock, operator="bob").killed


def test_a_kill_needs_a_reason() -> None:
    with pytest.raises(UsageFault, match="reason"):
        stop(Desk(), reason="  ")


def test_a_second_kill_keeps_the_latch_that_holds() -> None:
    desk = Desk()
    assert (stop(desk), stop(desk, reason="again")) == (1, 1)


def test_there_is_nothing_to_resume_without_a_kill() -> None:
    with pytest.raises(UsageFault, match="nothing to resume"):
        go_on(Desk())


def test_only_a_release_made_for_this_kill_and_not_used_before_resumes() -> None:
    desk = Desk()
    stop(desk)
    with pytest.raises(UsageFault, match="execute a release order"):
        go_on(desk)
    execute(desk, ("release", b'{"kill_id":2}'), ("release", b'{"kill_id":1}'))
    assert go_on(desk)
    stop(desk)
    assert go_on(desk)
    stop(desk)
    with pytest.raises(UsageFault, match="kill 3 holds"):
        go_on(desk)
    assert [action for action, _, _ in desk.store.audit] == ["kill", "resume"] * 2 + ["kill"]


# -- a halt


def halt(desk: Desk) -> None:
    desk.store.halt(run_id=RUN, reason="drawdown of 7 atoms", now_ns=desk.clock.now_ns())


def open_halt(desk: Desk, reason: str = "hedged by hand", operator: str = "ann") -> bool:
    return not reset(store=desk.store, clock=desk.clock, reason=reason, operator=operator).halted


def test_there_is_nothing_to_reset_without_a_halt() -> None:
    with pytest.raises(UsageFault, match="not halted: there is nothing to reset"):
        open_halt(Desk())


def test_a_reset_cannot_open_a_kill_and_says_what_does() -> None:
    desk = Desk()
    stop(desk)
    with pytest.raises(
        UsageFault, match=r"not halted but killed .*`dmm gov release`.*`dmm resume`"
    ):
        open_halt(desk)
    assert desk.store.latch() is not None


def test_a_resume_cannot_open_a_halt() -> None:
    desk = Desk()
    halt(desk)
    with pytest.raises(UsageFault, match="nothing to resume"):
        go_on(desk)


@pytest.mark.parametrize(
    ("reason", "operator", "words"),
    [("  ", "ann", "reason"), ("fine", "", "operator"), ("x" * 501, "ann", "500 characters")],
)
def test_a_reset_says_who_and_why_in_a_few_words(reason: str, operator: str, words: str) -> None:
    desk = Desk()
    halt(desk)
    with pytest.raises(UsageFault, match=f"halt 1 holds .*{words}"):
        open_halt(desk, reason, operator)


def test_a_reset_older_than_its_halt_is_refused() -> None:
    desk = Desk()
    desk.store.halt(run_id=RUN, reason="drawdown", now_ns=Nanos(desk.clock.ns + NS_PER_S))
    with pytest.raises(UsageFault, match="set the clock right"):
        open_halt(desk)


def test_a_halt_is_reset_once_and_a_kill_beside_it_goes_on_holding() -> None:
    desk = Desk()
    halt(desk)
    stop(desk)
    assert open_halt(desk)
    latch = desk.store.latch()
    assert latch is not None
    assert latch.killed
    with pytest.raises(UsageFault, match="not halted but killed"):
        open_halt(desk)
    assert [action for action, _, _ in desk.store.audit] == ["halt", "kill", "reset"]

"""Control: kill, resume, reset, policy.

Only orders executed on the finalized chain release a kill or change the policy. A halt, which
protects the desk from itself, is reset by a person at a terminal.
"""

from __future__ import annotations

from dmm import observe
from dmm.governance.policy import Policy
from dmm.governance.proposal import (
    FAMILY_POLICY,
    FAMILY_RELEASE,
    Link,
    Release,
    broken_link,
    check_policy,
    read_order,
)
from dmm.ports import (
    Chain,
    Clock,
    ControlStore,
    ExecutedOrder,
    HaltLatch,
    Latch,
    PolicyRecord,
    Snapshot,
    Store,
)
from dmm.risk.breaker import Posture
from dmm.risk.release import (
    TEXT_CHARS_MAX,
    ExecutedRelease,
    Held,
    ManualReset,
    ReleaseRefusal,
    release,
)
from dmm.settlement.epoch import EpochClaim, EpochPlan, Job, JobOutcome
from dmm.units.errors import InvariantBroken, Permanent, UsageFault
from dmm.units.ids import ZERO_HASH
from dmm.units.time import NS_PER_S
from dmm.usecases.epoch import run_job, waiting

ORDERS_MAX = 10_000
"""Orders read from the chain in one look."""

POLL_S = 0.5
"""Pause between two looks for an order that a hint announced."""

SUBJECT = "order"


def record_genesis(*, store: Store, clock: Clock, chain: str, policy: Policy) -> bool:
    """Put the preset in force as sequence 0; False when it is there already.

    Raises
    ------
    Permanent
        If the policy contradicts itself.
    InvariantBroken
        If another genesis policy is there.
    """
    check_policy(policy)
    record = PolicyRecord(
        sequence=0,
        policy=policy,
        previous_head=ZERO_HASH,
        head=policy.policy_hash,
        chain=chain,
        height=0,
        tx_id="genesis",
        adopted_at_ns=clock.now_ns(),
    )
    return _adopt(store, clock, record)


def apply_order(
    *,
    store: Store,
    chain: Chain,
    clock: Clock,
    run_id: str,
    sequence: int,
    wait_s_max: float,
) -> JobOutcome:
    """Apply executed orders up to a sequence, as read from the finalized chain.

    Whatever announced the order is a hint and proves nothing.

    Parameters
    ----------
    sequence : number of the order, counting from 1
    wait_s_max : how long to wait for the order to be final, seconds

    Raises
    ------
    InvariantBroken
        If the executed orders are no gapless hash chain.
    """
    orders = _wait_for(chain, clock, sequence=sequence, wait_s_max=wait_s_max)
    if orders is None:
        return waiting(
            run_id=run_id,
            job=Job.GOVERNANCE_APPLY,
            subject=SUBJECT,
            epoch=sequence,
            note=f"order {sequence} is not executed on the finalized chain",
        )
    notes = [_apply(store, clock, order) for order in orders[:sequence]]

    def plan(_claim: EpochClaim) -> EpochPlan:
        return EpochPlan(note=notes[-1])

    return run_job(
        store=store,
        chain=chain,
        clock=clock,
        run_id=run_id,
        job=Job.GOVERNANCE_APPLY,
        subject=SUBJECT,
        epoch=sequence,
        plan=plan,
    )


def kill(*, store: Store, clock: Clock, reason: str, operator: str) -> Latch:
    """Latch the kill switch; when it holds already, the latch that holds stays.

    Raises
    ------
    UsageFault
        If reason or operator is empty: the audit log needs both.
    """
    if not reason.strip() or not operator.strip():
        raise UsageFault("a kill needs a reason and an operator, both go to the audit log")
    latch = store.kill(reason=reason, operator=operator, now_ns=clock.now_ns())
    observe.kill_switch(killed=True, reason=reason, operator=operator)
    return latch


def resume(*, store: Store, chain: Chain, clock: Clock, operator: str) -> Latch:
    """Release the kill that holds, by an executed and unused release order made for it.

    Raises
    ------
    UsageFault
        If nothing is killed, or no such order is executed on the finalized chain.
    """
    latch = store.latch()
    if latch is None or not latch.killed:
        raise UsageFault("the kill switch does not hold: there is nothing to resume")
    held = Held(posture=Posture.KILLED, latch_id=latch.kill_id, latched_at_ns=latch.at_ns)
    for order in _executed(chain, chain.snapshot()):
        given = _release_of(order)
        if given is None or not isinstance(release(held, given), Posture):
            continue
        released = store.release_kill(
            kill_id=given.kill_id,
            order_sequence=given.order_sequence,
            operator=operator,
            now_ns=clock.now_ns(),
            tx_id=given.tx_id,
        )
        observe.kill_switch(killed=False, reason=latch.reason, operator=operator)
        return released
    raise UsageFault(
        f"kill {latch.kill_id} holds ({latch.reason}): execute a release order for it first, "
        "on a local chain by `dmm gov release`"
    )


def reset(*, store: ControlStore, clock: Clock, reason: str, operator: str) -> HaltLatch:
    """Reset the halt that holds, on a person's word; a kill that holds too goes on holding.

    Raises
    ------
    UsageFault
        If nothing is halted, or the word is not one: who and why go to the audit log.
    """
    halt = store.halted()
    if halt is None or not halt.halted:
        raise UsageFault(_nothing_halted(store.latch()))
    given = ManualReset(operator=operator, reason=reason, reset_at_ns=clock.now_ns())
    held = Held(posture=Posture.HALTED, latch_id=halt.halt_id, latched_at_ns=halt.at_ns)
    verdict = release(held, given)
    if not isinstance(verdict, Posture):
        raise UsageFault(f"halt {halt.halt_id} holds ({halt.reason}): {_WHY_NOT[verdict]}")
    latch = store.reset_halt(operator=operator, reason=reason, now_ns=given.reset_at_ns)
    observe.halt_latch(halted=False, reason=reason, operator=operator)
    return latch


_WHY_NOT = {
    ReleaseRefusal.NO_OPERATOR: "a reset needs an operator, for the audit log",
    ReleaseRefusal.NO_REASON: "a reset needs a reason, for the audit log",
    ReleaseRefusal.TEXT_TOO_LONG: f"a reason has at most {TEXT_CHARS_MAX} characters",
    ReleaseRefusal.BEFORE_THE_LATCH: "it is younger than this host's clock: set the clock right",
}


def _nothing_halted(kill: Latch | None) -> str:
    if kill is None or not kill.killed:
        return "the desk is not halted: there is nothing to reset"
    return (
        f"the desk is not halted but killed (kill {kill.kill_id}: {kill.reason}); only an executed "
        "order releases a kill: on a local chain `dmm gov release`, then `dmm resume`"
    )


def _release_of(order: ExecutedOrder) -> ExecutedRelease | None:
    """Return what an order releases, or None for one of another family."""
    if order.family != FAMILY_RELEASE:
        return None
    try:
        content = read_order(family=order.family, body=order.body)
    except Permanent:
        return None
    if not isinstance(content, Release):
        return None
    return ExecutedRelease(
        kill_id=content.kill_id, order_sequence=order.sequence, tx_id=order.tx_id
    )


def _executed(chain: Chain, at: Snapshot) -> list[ExecutedOrder]:
    orders = chain.executed_orders(from_sequence=1, at=at)[:ORDERS_MAX]
    why = broken_link(
        [Link(sequence=o.sequence, previous_head=o.previous_head, head=o.head) for o in orders]
    )
    if why is not None:
        raise InvariantBroken(f"governance on {chain.name}: {why}")
    return orders


def _wait_for(
    chain: Chain, clock: Clock, *, sequence: int, wait_s_max: float
) -> list[ExecutedOrder] | None:
    until_ns = clock.now_ns() + int(wait_s_max * NS_PER_S)
    while True:
        orders = _executed(chain, chain.snapshot())
        if len(orders) >= sequence:
            return orders
        if clock.now_ns() >= until_ns:
            return None
        clock.sleep_s(POLL_S)


def _apply(store: Store, clock: Clock, order: ExecutedOrder) -> str:
    """Apply one order unless it is applied; return what it came to."""
    try:
        content = read_order(family=order.family, body=order.body)
    except Permanent as fault:
        return f"order {order.sequence} changes nothing: {fault}"
    if isinstance(content, Release):
        return f"order {order.sequence} releases kill {content.kill_id} once resumed"
    head = store.policy_head()
    if head is None:
        raise UsageFault("no policy is in force: record the genesis policy first")
    if head.sequence < order.sequence:
        record = PolicyRecord(
            sequence=order.sequence,
            policy=content,
            # Release orders lie between policies: the chain of policies is its own.
            previous_head=head.head,
            head=order.head,
            chain=order.chain,
            height=order.height,
            tx_id=order.tx_id,
            adopted_at_ns=clock.now_ns(),
        )
        _adopt(store, clock, record)
    return f"order {order.sequence} put policy {content.preset} in force"


def _adopt(store: Store, clock: Clock, record: PolicyRecord) -> bool:
    added = store.append_policy(record)
    if added:
        store.append_audit(
            actor="governance",
            action=f"adopt {FAMILY_POLICY}",
            body={
                "sequence": record.sequence,
                "preset": record.policy.preset,
                "head": record.head.hex(),
                "tx_id": record.tx_id,
            },
            now_ns=clock.now_ns(),
        )
    return added

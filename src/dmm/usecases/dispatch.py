"""Dispatch: sweep a chain's outbox with the driver until every intent has ended."""

from __future__ import annotations

from dataclasses import dataclass

from dmm.ports import Chain, Clock, Signer, Store
from dmm.settlement.epoch import EpochClaim, EpochPlan, EpochRow, Job, JobOutcome, RowTable
from dmm.settlement.intent import IntentState
from dmm.settlement.lifecycle import Fenced, LaneBounds
from dmm.units.errors import Retryable
from dmm.units.ids import Json
from dmm.units.time import NS_PER_S
from dmm.usecases.driver import Driver, Pace, Step
from dmm.usecases.epoch import run_job

LEASE_S = 30
"""How long a driver holds an intent it looks at."""

STEPS_MAX = 100_000
"""Looks of one sweep, whatever is still open then."""

ENDED = frozenset({IntentState.FINAL, IntentState.FAILED, IntentState.CANCELLED})
"""States in which a slot's bytes pay nothing any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepCounts:
    """What a sweep did; `still_open` counts the chain's intents that are not ended."""

    sent: int
    final: int
    failed: int
    quarantined: int
    still_open: int


def sweep(
    *,
    store: Store,
    chain: Chain,
    signer: Signer,
    clock: Clock,
    owner: str,
    wait_s_max: float,
    lease_s: int = LEASE_S,
    pace: Pace | None = None,
    bounds: LaneBounds | None = None,
) -> SweepCounts:
    """Drive a chain's open intents until none is left or the time is up.

    Any number of sweeps may run at once: leases and fences keep them apart. A restored journal is
    adopted first, as soon as the chain allows it.

    Parameters
    ----------
    owner : names this worker in the journal
    wait_s_max : how long to wait for finality, seconds; 0 looks once at everything due
    """
    driver = Driver(
        store=store, chain=chain, signer=signer, pace=pace or Pace(), bounds=bounds or LaneBounds()
    )
    adopt_restored(store=store, chain=chain, clock=clock)
    until_ns = clock.now_ns() + int(wait_s_max * NS_PER_S)
    counts = dict.fromkeys(Step, 0)
    for _ in range(STEPS_MAX):
        claimed = store.claim_due(chain=chain.name, owner=owner, lease_s=lease_s)
        if claimed is not None:
            try:
                counts[driver.step(claimed)] += 1
            except Fenced:
                continue
        elif clock.now_ns() >= until_ns or open_intents(store, chain.name) == 0:
            break
        else:
            clock.sleep_s(driver.pace.poll_s)
    return SweepCounts(
        sent=counts[Step.SENT],
        final=counts[Step.FINAL],
        failed=counts[Step.FAILED],
        quarantined=counts[Step.QUARANTINED],
        still_open=open_intents(store, chain.name),
    )


def open_intents(store: Store, chain: str) -> int:
    """Return how many intents of a chain are not ended."""
    return sum(intent.chain == chain and state.is_open for intent, state in store.intents())


def adopt_restored(*, store: Store, chain: Chain, clock: Clock) -> bool:
    """End adopt-only mode once a finalized block lies past it; tell whether it is over.

    Until then bytes that the journal has forgotten could still land. After it every one of them is
    paid, and its key says so, or dead by its deadline; and a lane starts at the finalized nonce.
    """
    held = store.adopt_only(chain.name)
    if held is None:
        return True
    try:
        at = chain.snapshot()
    except Retryable:
        return False
    if at.finalized_time_s <= held.until_s:
        return False
    store.leave_adopt_only(
        chain=chain.name,
        proof={
            "height": at.finalized_height,
            "block_hash": at.finalized_hash,
            "time_s": at.finalized_time_s,
            "witnesses": at.witnesses,
        },
        now_ns=clock.now_ns(),
    )
    return True


def kill_is_complete(*, store: Store, chain: Chain) -> bool:
    """Tell whether nothing signed before a kill can still move money on a chain.

    That is so when every slot is retired, or belongs to an intent that has ended or whose deadline
    a finalized block has passed.

    Raises
    ------
    Retryable
        If the chain cannot be read.
    """
    at = chain.snapshot()
    return all(
        state in ENDED or intent.deadline_s < at.finalized_time_s
        for intent, state, _ in store.live_slots(chain.name)
    )


def dispatch_outbox(
    *,
    store: Store,
    chain: Chain,
    signer: Signer,
    clock: Clock,
    owner: str,
    run_id: str,
    epoch: int,
    wait_s_max: float,
    lease_s: int = LEASE_S,
    pace: Pace | None = None,
    bounds: LaneBounds | None = None,
) -> JobOutcome:
    """Sweep the outbox, then leave the epoch's row; a re-run sweeps again and leaves the row be."""
    counts = sweep(
        store=store,
        chain=chain,
        signer=signer,
        clock=clock,
        owner=owner,
        wait_s_max=wait_s_max,
        lease_s=lease_s,
        pace=pace,
        bounds=bounds,
    )

    def plan(_claim: EpochClaim) -> EpochPlan:
        body: dict[str, Json] = {
            "chain": chain.name,
            "sent": counts.sent,
            "final": counts.final,
            "failed": counts.failed,
            "still_open": counts.still_open,
        }
        return EpochPlan(rows=(EpochRow(table=RowTable.DISPATCH_RUN, ordinal=0, body=body),))

    return run_job(
        store=store,
        chain=chain,
        clock=clock,
        run_id=run_id,
        job=Job.OUTBOX_DISPATCH,
        subject=chain.name,
        epoch=epoch,
        plan=plan,
    )

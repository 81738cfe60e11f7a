"""Dispatch: sweep a chain's outbox with the driver until every intent has ended."""

from __future__ import annotations

from dataclasses import dataclass

from dmm.ports import Chain, Clock, Signer, Store
from dmm.settlement.epoch import EpochClaim, EpochPlan, EpochRow, Job, JobOutcome, RowTable
from dmm.settlement.lifecycle import Fenced
from dmm.units.ids import Json
from dmm.units.time import NS_PER_S
from dmm.usecases.driver import Driver, Pace, Step
from dmm.usecases.epoch import run_job

LEASE_S = 30
"""How long a driver holds an intent it looks at."""

STEPS_MAX = 100_000
"""Looks of one sweep, whatever is still open then."""


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
) -> SweepCounts:
    """Drive a chain's open intents until none is left or the time is up.

    Any number of sweeps may run at once: leases and fences keep them apart.

    Parameters
    ----------
    owner : names this worker in the journal
    wait_s_max : how long to wait for finality, seconds; 0 looks once at everything due
    """
    driver = Driver(store=store, chain=chain, signer=signer, pace=pace or Pace())
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

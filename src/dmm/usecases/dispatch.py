"""Dispatch: sweep a chain's outbox with the driver until every intent has ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dmm.ports import Chain, Clock, Signer, Store
from dmm.settlement.epoch import EpochClaim, EpochPlan, EpochRow, Job, JobOutcome, RowTable
from dmm.settlement.intent import Claimed, IntentKind, IntentState
from dmm.settlement.lifecycle import LaneBounds
from dmm.units.errors import Retryable
from dmm.units.ids import Json
from dmm.units.time import NS_PER_S
from dmm.usecases.driver import Driver, Pace, Step
from dmm.usecases.epoch import run_job

LEASE_S = 30
"""How long a driver holds an intent it looks at."""

PASSES_MAX = 100_000
"""Passes of one sweep, whatever is still open then."""

CLAIMS_MAX = 32
"""Intents of one pass: they share a snapshot, and their lease must last for all of them."""

FULL_PASSES_MAX = 4
"""Passes after which a class of intents that had no room is asked about again all the same."""

MAKES_ROOM = frozenset(
    {Step.LANDED, Step.FINAL, Step.FAILED, Step.RETIRED, Step.QUARANTINED, Step.UNLANDED}
)
"""Steps after which there may be room in a lane again."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """Kinds of intents whose bounds left no room, and for how many passes that was believed."""

    kinds: frozenset[IntentKind] = frozenset()
    passes: int = 0

    def after(self, claims: Sequence[Claimed], done: Sequence[Step]) -> Crowd:
        """Return what is believed after a pass; nothing once there may be room again."""
        found = frozenset(
            claimed.intent.kind
            for claimed, step in zip(claims, done, strict=True)
            if step is Step.CROWDED
        )
        is_over = not claims or self.passes >= FULL_PASSES_MAX or MAKES_ROOM & set(done)
        if is_over:
            return Crowd(kinds=frozenset() if MAKES_ROOM & set(done) else found)
        return Crowd(kinds=self.kinds | found, passes=self.passes + 1)


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
    is_over: Callable[[], bool] = lambda: False,
) -> SweepCounts:
    """Drive a chain's open intents until none is left or the time is up.

    Any number of sweeps may run at once: leases and fences keep them apart. A restored journal is
    adopted first, as soon as the chain allows it.

    Parameters
    ----------
    owner : names this worker in the journal
    wait_s_max : how long to wait for finality, seconds; 0 looks at everything due until nothing is
    is_over : asked after each pass; what is looked at is due again soon, so that with many open
        intents something always is
    """
    driver = Driver(
        store=store, chain=chain, signer=signer, pace=pace or Pace(), bounds=bounds or LaneBounds()
    )
    adopt_restored(store=store, chain=chain, clock=clock)
    until_ns = clock.now_ns() + int(wait_s_max * NS_PER_S)
    counts = dict.fromkeys(Step, 0)
    crowd = Crowd()
    for _ in range(PASSES_MAX):
        claims = store.claim_batch(
            chain=chain.name, owner=owner, lease_s=lease_s, limit=CLAIMS_MAX, full=crowd.kinds
        )
        done = driver.steps(claims)
        for step in done:
            counts[step] += 1
        crowd = crowd.after(claims, done)
        if is_over():
            break
        is_late = clock.now_ns() >= until_ns
        if claims and not (is_late and wait_s_max > 0):
            continue
        if is_late or open_intents(store, chain.name) == 0:
            break
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
    return store.open_count(chain)


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

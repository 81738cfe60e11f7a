"""Batch hedge: plan from the slice's book, record, then book the fills the record implies."""

from __future__ import annotations

from dmm import observe
from dmm.governance.policy import Policy
from dmm.hedging.plan import Hedge, HedgeFill, NoHedge, booked_fill, hedge_fill_id, plan_batch
from dmm.hedging.venue_rank import HedgeVenue
from dmm.ledger.fills import fill_postings
from dmm.market.instrument import Instrument, Side
from dmm.market.order import Fill, Order, TimeInForce
from dmm.ports import Chain, Clock, Store
from dmm.quoting.decision import SliceSummary
from dmm.quoting.limits import hedge_limits_of
from dmm.risk.gate import Refused, gate
from dmm.settlement.epoch import (
    EpochClaim,
    EpochPlan,
    EpochRow,
    Job,
    JobOutcome,
    JobStatus,
    RowTable,
)
from dmm.units.amount import Atoms, Lots, Ticks
from dmm.units.errors import InvariantBroken
from dmm.units.ids import Json
from dmm.usecases.epoch import policy_in_force, run_job, waiting
from dmm.usecases.last_decision import exposure_after, last_decision

PAPER_VENUE = "paper-hedge"
"""The venue that fills hedges from the recorded book."""

PAPER_TAKER_FEE_UBPS = 5_000_000
"""Its taker fee: 5 bps, a perpetual venue's base tier."""

PAPER_LATENCY_MS = 5
NO_LOTS = Lots(0)
TARGET_LOTS = NO_LOTS
"""A hedge brings the position here."""


def hedge_batch(
    *,
    store: Store,
    chain: Chain,
    clock: Clock,
    instrument: Instrument,
    run_id: str,
    epoch: int,
) -> JobOutcome:
    """Hedge an epoch's closing position once; a re-run completes the bookings of its record.

    The position is the whole desk's as the worker closed it: what settled firm quotes have brought
    is in it, what is still in settlement is not, for it may fail.

    Parameters
    ----------
    instrument : what the slice traded, for the value of fills

    A hedge passes the gate like any order: in the posture of the slice's last decision, against the
    slice's book and position. While the kill switch holds none is planned.

    Raises
    ------
    InvariantBroken
        If a recorded row cannot be read, or a fill is booked with other content.
    """
    summary = store.slice(run_id, epoch)
    if summary is None:
        return _wait(instrument, run_id, epoch, f"epoch {epoch} has no closed slice yet")
    latch = store.latch()
    if latch is not None and latch.killed:
        _book(store, instrument, summary)
        return _wait(instrument, run_id, epoch, f"the kill switch holds ({latch.reason})")

    def plan(_claim: EpochClaim) -> EpochPlan:
        policy = policy_in_force(store).policy
        decided = plan_batch(
            position=summary.position,
            target=TARGET_LOTS,
            threshold=Lots(policy.hedge_threshold_lots),
            venues=[_paper_venue(summary)],
            instrument=instrument,
        )
        if isinstance(decided, NoHedge):
            return EpochPlan(note=f"no hedge: {decided.reason}")
        refusal = _refusal(decided, summary, store=store, policy=policy, instrument=instrument)
        if refusal:
            return EpochPlan(note=f"no hedge: {refusal}")
        return EpochPlan(rows=_rows(decided, run_id=run_id, epoch=epoch))

    outcome = run_job(
        store=store,
        chain=chain,
        clock=clock,
        run_id=run_id,
        job=Job.HEDGE_BATCH,
        subject=instrument.symbol,
        epoch=epoch,
        plan=plan,
    )
    if outcome.status is not JobStatus.QUARANTINED:
        _book(store, instrument, summary)
    return outcome


def _wait(instrument: Instrument, run_id: str, epoch: int, note: str) -> JobOutcome:
    return waiting(
        run_id=run_id, job=Job.HEDGE_BATCH, subject=instrument.symbol, epoch=epoch, note=note
    )


def _refusal(
    hedge: Hedge, summary: SliceSummary, *, store: Store, policy: Policy, instrument: Instrument
) -> str:
    """Return why the gate does not let a hedge pass, or nothing.

    It reads the slice and its last decision alone, so that a re-run judges the same.
    """
    last = last_decision(store, summary.run_id, summary.epoch)
    if last is None:
        return f"epoch {summary.epoch} left no decision that tells the desk's posture"
    order = Order(
        client_id=f"hedge-{summary.epoch}",
        side=hedge.side,
        price=hedge.limit,
        size=hedge.size,
        time_in_force=TimeInForce.IOC,
        created_at_ns=summary.ended_at_ns,
    )
    verdict = gate(
        order,
        instrument=instrument,
        limits=hedge_limits_of(policy, position=summary.position),
        exposure=exposure_after(
            last, summary, posture=last.posture, open_buy=NO_LOTS, open_sell=NO_LOTS
        ),
    )
    if not isinstance(verdict, Refused):
        return ""
    observe.order_refused(order_id=order.client_id, reason=verdict.reason.value)
    return f"the gate refuses it for {verdict.reason.value}, {verdict.detail}"


def _paper_venue(summary: SliceSummary) -> HedgeVenue:
    return HedgeVenue(
        name=PAPER_VENUE,
        taker_fee_ubps=PAPER_TAKER_FEE_UBPS,
        latency_ms=PAPER_LATENCY_MS,
        reliability_bps=10_000,
        bids=summary.bids,
        asks=summary.asks,
    )


def _rows(hedge: Hedge, *, run_id: str, epoch: int) -> tuple[EpochRow, ...]:
    return tuple(
        EpochRow(
            table=RowTable.HEDGE_ORDER,
            ordinal=index,
            body={
                "venue": hedge.venue,
                "side": hedge.side.value,
                "price": fill.price,
                "size": fill.size,
                "filled": fill.filled,
                "fee_atoms": fill.fee_atoms,
                "reason": hedge.reason,
                "fill_id": hedge_fill_id(run_id=run_id, epoch=epoch, index=index).hex(),
            },
        )
        for index, fill in enumerate(hedge.fills)
    )


def _book(store: Store, instrument: Instrument, summary: SliceSummary) -> None:
    """Book what the recorded rows say was filled; what is booked already stays as it is."""
    rows = store.epoch_rows(summary.run_id, RowTable.HEDGE_ORDER, summary.epoch)
    fills = [_fill(row, instrument, summary) for row in rows]
    if fills:
        postings = [leg for fill in fills for leg in fill_postings(fill, instrument)]
        store.append_fills(fills, postings)


def _fill(row: EpochRow, instrument: Instrument, summary: SliceSummary) -> Fill:
    body = row.body
    return booked_fill(
        HedgeFill(
            price=Ticks(_integer(body, "price")),
            size=Lots(_integer(body, "size")),
            filled=Lots(_integer(body, "filled")),
            fee_atoms=Atoms(_integer(body, "fee_atoms")),
        ),
        run_id=summary.run_id,
        epoch=summary.epoch,
        index=row.ordinal,
        venue=str(body["venue"]),
        symbol=instrument.symbol,
        side=Side(str(body["side"])),
        mid=summary.mid,
        filled_at_ns=summary.ended_at_ns,
    )


def _integer(body: dict[str, Json], name: str) -> int:
    value = body[name]
    if not isinstance(value, int):
        raise InvariantBroken(f"hedge_order.{name} must be an integer, got {value!r}")
    return value

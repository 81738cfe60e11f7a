"""Batch hedge: plan from the slice's book, record, then book the fills the record implies."""

from __future__ import annotations

from dmm.hedging.plan import Hedge, HedgeFill, NoHedge, booked_fill, hedge_fill_id, plan_batch
from dmm.hedging.venue_rank import HedgeVenue
from dmm.ledger.fills import fill_postings
from dmm.market.instrument import Instrument, Side
from dmm.market.order import Fill
from dmm.ports import Chain, Clock, Store
from dmm.quoting.decision import SliceSummary
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

PAPER_VENUE = "paper-hedge"
"""The venue that fills hedges from the recorded book."""

PAPER_TAKER_FEE_UBPS = 5_000_000
"""Its taker fee: 5 bps, a perpetual venue's base tier."""

PAPER_LATENCY_MS = 5
TARGET_LOTS = Lots(0)
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

    Parameters
    ----------
    instrument : what the slice traded, for the value of fills

    Raises
    ------
    InvariantBroken
        If a recorded row cannot be read, or a fill is booked with other content.
    """
    summary = store.slice(run_id, epoch)
    if summary is None:
        return waiting(
            run_id=run_id,
            job=Job.HEDGE_BATCH,
            subject=instrument.symbol,
            epoch=epoch,
            note=f"epoch {epoch} has no closed slice yet",
        )

    def plan(_claim: EpochClaim) -> EpochPlan:
        decided = plan_batch(
            position=summary.position,
            target=TARGET_LOTS,
            threshold=Lots(policy_in_force(store).policy.hedge_threshold_lots),
            venues=[_paper_venue(summary)],
            instrument=instrument,
        )
        if isinstance(decided, NoHedge):
            return EpochPlan(note=f"no hedge: {decided.reason}")
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

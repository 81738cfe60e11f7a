"""The gate of firm quotes: the order behind each is judged like any other of the desk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dmm import observe
from dmm.governance.policy import Policy
from dmm.ledger.fills import paper_vault
from dmm.market.instrument import Instrument, Side
from dmm.market.order import Order, TimeInForce
from dmm.ports import Store
from dmm.quoting.decision import SliceSummary
from dmm.quoting.limits import bands_of, limits_of
from dmm.rfq.fills import VENUE, quoted_vault
from dmm.rfq.pricing import Fair
from dmm.rfq.protocol import FirmQuote
from dmm.risk.breaker import Posture, stricter
from dmm.risk.gate import Refused, Verdict, gate
from dmm.risk.inventory import Holding, OpenLots, consolidate
from dmm.risk.inventory import caps as desk_caps
from dmm.risk.limits import Cap, CapScope
from dmm.settlement.epoch import RowTable
from dmm.units.amount import Lots, Ticks, ceil_div
from dmm.units.chain import HOME_CHAIN
from dmm.usecases.last_decision import LastDecision, exposure_after, last_decision
from dmm.usecases.quoted import (
    CHAIN_CLOCKS_APART_S_MAX,
    SETTLE_EPOCHS_BACK_MAX,
    lots_of,
    unbooked,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerState:
    """What the worker last saw and decided: its last closed slice and the last decision of it."""

    summary: SliceSummary
    last: LastDecision
    fair: Fair


def worker_state(store: Store, run_id: str, policy: Policy) -> WorkerState | None:
    """Return mid and position of the last closed slice, spread and σ of its last decision."""
    summary = store.last_slice(run_id)
    last = None if summary is None else last_decision(store, run_id, summary.epoch)
    if summary is None or last is None:
        return None
    # The floor is a full spread in 1e-6 bps of mid: mid/2 ticks · floor/1e10 / 2 · 1e6 microticks.
    floor_microticks = ceil_div(summary.mid * policy.spread_floor_ubps, 40_000)
    return WorkerState(
        summary=summary,
        last=last,
        fair=Fair(
            mid=summary.mid,
            half_spread_microticks=max(last.half_spread_microticks, floor_microticks),
            sigma_microticks_1s=last.sigma_microticks,
        ),
    )


def judge_quote(
    store: Store,
    *,
    epoch: int,
    taker_side: Side,
    size: Lots,
    price: Ticks,
    policy: Policy,
    worker: WorkerState,
    quotes: Sequence[FirmQuote],
    instrument: Instrument,
) -> Verdict:
    """Judge the order behind a firm quote: of the other side, at our price.

    Every open quote may be taken, every accepted one settle and every order of the worker fill: the
    desk's limit counts them all, until they are in the worker's position or will never be. While a
    halt holds nothing passes.

    Parameters
    ----------
    epoch : the last whose quotes count
    taker_side : of the taker
    size : lots, as asked for
    price : ticks, > 0
    worker : what it last saw and decided
    quotes : open ones, by `open_quotes`
    """
    open_lots = _lots_of_open(quotes, instrument)
    settling = _lots_in_settlement(store, worker, quotes, epoch=epoch, instrument=instrument)
    halt = store.halted()
    is_halted = halt is not None and halt.halted
    exposure = exposure_after(
        worker.last,
        worker.summary,
        posture=stricter(worker.last.posture, Posture.HALTED) if is_halted else worker.last.posture,
        open_buy=open_lots.buy,
        open_sell=open_lots.sell,
        caps=_desk_caps(
            worker,
            OpenLots(
                buy=Lots(open_lots.buy + settling.buy), sell=Lots(open_lots.sell + settling.sell)
            ),
            policy=policy,
            instrument=instrument,
        ),
    )
    order = Order(
        client_id="rfq",
        side=taker_side.opposite,
        price=price,
        size=size,
        time_in_force=TimeInForce.FOK,
        created_at_ns=worker.summary.ended_at_ns,
    )
    verdict = gate(order, instrument=instrument, limits=limits_of(policy), exposure=exposure)
    if isinstance(verdict, Refused):
        observe.order_refused(order_id=order.client_id, reason=verdict.reason.value)
    return verdict


def _desk_caps(
    worker: WorkerState, open_lots: OpenLots, *, policy: Policy, instrument: Instrument
) -> tuple[Cap, ...]:
    """Return the room of the whole desk: the worker's orders and the open quotes together.

    Quotes that the worker has booked are in its position, wherever they lie.
    """
    own = Holding(
        vault=paper_vault(worker.summary.run_id),
        instrument=instrument,
        mid=worker.summary.mid,
        inventory=worker.summary.position,
        outstanding_buy=worker.last.open_buy,
        outstanding_sell=worker.last.open_sell,
    )
    vault = quoted_vault(HOME_CHAIN)
    quoted = Holding(
        vault=vault,
        instrument=replace(instrument, venue=VENUE),
        mid=worker.summary.mid,
        inventory=Lots(0),
        outstanding_buy=open_lots.buy,
        outstanding_sell=open_lots.sell,
    )
    return desk_caps(
        consolidate((own, quoted)),
        instrument=quoted.instrument,
        vault=vault,
        limits={(CapScope.TOTAL, ""): bands_of(policy, instrument)},
    )


def open_quotes(store: Store, *, run_id: str, epoch: int, chain: str, at_s: int) -> list[FirmQuote]:
    """Return issued quotes of every chain that may still be taken or settled, and are not planned.

    Parameters
    ----------
    at_s : the time of `chain`; quotes on another are taken for open while its clock may be so far
        behind
    """
    planned = {row.body["quote_id"] for row in store.epoch_rows(run_id, RowTable.RFQ_SETTLEMENT)}
    found = []
    for past in range(max(0, epoch - SETTLE_EPOCHS_BACK_MAX), epoch + 1):
        for trade in store.rfq_trades(run_id, past):
            quote = trade.quote
            last_s = quote.expiry_s if trade.acceptance is None else quote.settle_by_s
            slack_s = 0 if quote.chain == chain else CHAIN_CLOCKS_APART_S_MAX
            if at_s - slack_s <= last_s and quote.quote_id.hex() not in planned:
                found.append(quote)
    return found


def _lots_of_open(quotes: Sequence[FirmQuote], instrument: Instrument) -> OpenLots:
    """Return the lots that open quotes would make us buy and sell."""
    position, per_lot = instrument.position.symbol, instrument.position_atoms_per_lot
    sold = sum(quote.maker_amount for quote in quotes if quote.maker_asset == position)
    bought = sum(quote.taker_amount for quote in quotes if quote.taker_asset == position)
    return OpenLots(buy=Lots(ceil_div(bought, per_lot)), sell=Lots(ceil_div(sold, per_lot)))


def _lots_in_settlement(
    store: Store,
    worker: WorkerState,
    quotes: Sequence[FirmQuote],
    *,
    epoch: int,
    instrument: Instrument,
) -> OpenLots:
    """Return the lots of quotes that are no longer open and not yet in the worker's position."""
    summary, counted = worker.summary, {quote.quote_id for quote in quotes}
    trades = unbooked(store, summary.run_id, known=summary.epoch, until=epoch)
    return lots_of((t for t in trades if t.quote.quote_id not in counted), instrument)

"""Our books against the venue's: open orders, fills, position, balances; any gap stops new orders.

Settlement compares chain and ledger elsewhere; this compares the worker with its venue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from dmm.market.instrument import Side
from dmm.risk.orders import OrderRecord, OrderState
from dmm.units.amount import Lots, Ticks
from dmm.units.time import NS_PER_S, Nanos

EVERY_NS = 60 * NS_PER_S
"""Time between two comparisons."""

TRUST_NS_MAX = 3 * EVERY_NS
"""Without a comparison for this long, our books count as not agreeing with the venue's."""

IN_FLIGHT_NS = 2 * NS_PER_S
"""What was sent or heard this shortly before the venue's report may be missing on either side."""


class GapKind(StrEnum):
    """What may differ."""

    ORDER_MISSING = "order_missing"
    """We hold it open; the venue does not know it."""
    ORDER_UNEXPECTED = "order_unexpected"
    """The venue holds it open; we do not know it, or know that it ended."""
    ORDER_TERMS = "order_terms"
    """Side or price differ."""
    ORDER_SIZE = "order_size"
    """What is left of it differs."""
    FILLED_SIZE = "filled_size"
    """What was filled of it differs."""
    POSITION = "position"
    BALANCE = "balance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One difference: of which order or asset, what we hold and what the venue reports."""

    kind: GapKind
    name: str
    ours: str
    theirs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueOrder:
    """An open order as the venue reports it; price in ticks, size left in lots."""

    client_id: str
    side: Side
    price: Ticks
    remaining: Lots


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueReport:
    """The venue's view at one instant.

    `filled` is the size filled so far, in lots, of every order that filled since the last clean
    comparison, by client id; `balances` are in atoms by asset. `cursor` is how far the venue's list
    of fills went: the next report is asked for from there.
    """

    as_of_ns: Nanos
    orders: tuple[VenueOrder, ...]
    filled: Mapping[str, int]
    position: Lots
    balances: Mapping[str, int]
    cursor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnView:
    """Our view when the report was asked for: open orders, fills and holdings as in the report.

    `orders` are open ones; `filled` as in the report; `last_fill_at_ns` is when the latest fill was
    booked.
    """

    orders: tuple[OrderRecord, ...]
    filled: Mapping[str, int]
    position: Lots
    balances: Mapping[str, int]
    last_fill_at_ns: Nanos


def compare(
    own: OwnView, report: VenueReport, *, in_flight_ns: int = IN_FLIGHT_NS
) -> tuple[Gap, ...]:
    """Return every difference, orders by id first, then fills, position, balances.

    An order whose state changed within `in_flight_ns` of the report is not missed: its message may
    be under way. Sizes and holdings get no such grace, except that after a fill of that moment the
    other side may not have booked it yet: then compare again rather than trust a coincidence, which
    is what `is_settled` tells.

    Parameters
    ----------
    own : our books
    report : the venue's
    in_flight_ns : ns, >= 0
    """
    return (
        *_order_gaps(own, report, in_flight_ns),
        *_number_gaps(GapKind.FILLED_SIZE, own.filled, report.filled),
        *_number_gaps(GapKind.POSITION, {"position": own.position}, {"position": report.position}),
        *_number_gaps(GapKind.BALANCE, own.balances, report.balances),
    )


def is_settled(own: OwnView, report: VenueReport, *, in_flight_ns: int = IN_FLIGHT_NS) -> bool:
    """Tell whether no fill is so recent that the two views may rightly differ by it."""
    return report.as_of_ns - own.last_fill_at_ns > in_flight_ns


def _order_gaps(own: OwnView, report: VenueReport, in_flight_ns: int) -> list[Gap]:
    ours = {record.order.client_id: record for record in own.orders}
    theirs = {order.client_id: order for order in report.orders}
    gaps = []
    for client_id in sorted({*ours, *theirs}):
        record, order = ours.get(client_id), theirs.get(client_id)
        if record is None and order is not None:
            gaps.append(
                Gap(
                    kind=GapKind.ORDER_UNEXPECTED,
                    name=client_id,
                    ours="not open",
                    theirs=f"{order.side.value} {order.remaining} at {order.price}",
                )
            )
        elif record is not None and order is None:
            if not _may_be_in_flight(record, report, in_flight_ns):
                gaps.append(
                    Gap(
                        kind=GapKind.ORDER_MISSING,
                        name=client_id,
                        ours=f"{record.state.value}, {record.remaining} left",
                        theirs="not open",
                    )
                )
        elif record is not None and order is not None:
            gaps.extend(_differences(record, order))
    return gaps


def _may_be_in_flight(record: OrderRecord, report: VenueReport, in_flight_ns: int) -> bool:
    is_answered = record.state in {OrderState.LIVE, OrderState.UNKNOWN}
    return not is_answered and report.as_of_ns - record.since_ns <= in_flight_ns


def _differences(record: OrderRecord, order: VenueOrder) -> list[Gap]:
    client_id, own = record.order.client_id, record.order
    gaps = []
    if (own.side, own.price) != (order.side, order.price):
        gaps.append(
            Gap(
                kind=GapKind.ORDER_TERMS,
                name=client_id,
                ours=f"{own.side.value} at {own.price}",
                theirs=f"{order.side.value} at {order.price}",
            )
        )
    if record.remaining != order.remaining:
        gaps.append(
            Gap(
                kind=GapKind.ORDER_SIZE,
                name=client_id,
                ours=str(record.remaining),
                theirs=str(order.remaining),
            )
        )
    return gaps


def _number_gaps(kind: GapKind, ours: Mapping[str, int], theirs: Mapping[str, int]) -> list[Gap]:
    return [
        Gap(kind=kind, name=name, ours=str(ours.get(name, 0)), theirs=str(theirs.get(name, 0)))
        for name in sorted({*ours, *theirs})
        if ours.get(name, 0) != theirs.get(name, 0)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileState:
    """When books were last compared and whether a gap is open; integers only.

    The desk starts with neither: it trusts its books only after a first clean comparison.
    """

    compared_at_ns: Nanos | None = None
    has_gap: bool = False


NEVER_COMPARED = ReconcileState()


def is_due(state: ReconcileState, now_ns: Nanos, *, every_ns: int = EVERY_NS) -> bool:
    """Tell whether to compare now: at the start, each minute, and at once while a gap is open."""
    if state.compared_at_ns is None or state.has_gap:
        return True
    return now_ns - state.compared_at_ns >= every_ns


def after_comparison(gaps: Sequence[Gap], *, at_ns: Nanos) -> ReconcileState:
    """Return the state after a comparison of settled views; only one without gaps closes a gap."""
    return ReconcileState(compared_at_ns=at_ns, has_gap=bool(gaps))


def books_disagree(
    state: ReconcileState, now_ns: Nanos, *, trust_ns_max: int = TRUST_NS_MAX
) -> bool:
    """Tell whether new orders must stop: a gap is open, or too long ago was the last comparison.

    The signal `books_disagree` of the posture.
    """
    if state.compared_at_ns is None or state.has_gap:
        return True
    return now_ns - state.compared_at_ns > trust_ns_max

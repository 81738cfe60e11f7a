"""Orders of ours that may still fill: what rests, is on its way, is being cancelled, is unknown."""

from __future__ import annotations

from collections import OrderedDict

from dmm.market.instrument import Side
from dmm.market.order import Order, OrderReport, ReportKind
from dmm.risk.orders import (
    EVENT_OF_REPORT,
    NEVER_NS,
    NO_LOTS,
    OrderEvent,
    OrderRecord,
    OrderState,
    step,
)
from dmm.units.amount import Lots
from dmm.units.errors import InvariantBroken
from dmm.units.time import NS_PER_S, Nanos

OPEN_MAX = 4_096
"""Open orders at once; a desk that has so many has lost control of them."""

HISTORY_MAX = 1_024
"""Ended orders remembered, so that a late fill finds its order; the oldest end goes first."""

RECEIPT_NS_MAX = 5 * NS_PER_S
"""An answer that takes longer than this is not on its way: the order's state is unknown."""

_AWAITS_ANSWER = frozenset(
    {OrderState.PENDING_NEW, OrderState.PENDING_CANCEL, OrderState.PENDING_REPLACE}
)


class Outstanding:
    """Orders by client id, changed by what we send and by what the venue reports.

    Sums per side are kept as orders change, so that reading them costs nothing.
    """

    def __init__(
        self,
        *,
        open_max: int = OPEN_MAX,
        history_max: int = HISTORY_MAX,
        receipt_ns_max: int = RECEIPT_NS_MAX,
    ) -> None:
        """Start with no orders.

        Parameters
        ----------
        open_max : open orders at once, > 0
        history_max : ended orders remembered, >= 0
        receipt_ns_max : ns an answer of the venue may take, >= 0
        """
        self._open: dict[str, OrderRecord] = {}
        self._ended: OrderedDict[str, OrderRecord] = OrderedDict()
        self._open_max = open_max
        self._history_max = history_max
        self._receipt_ns_max = receipt_ns_max
        self._buy = self._sell = self._unknown = 0
        self._due_ns = NEVER_NS

    def __bool__(self) -> bool:
        return bool(self._open)

    def __len__(self) -> int:
        return len(self._open)

    # -- what we do ---------------------------------------------------------------------------

    def add(self, order: Order, *, expires_at_ns: Nanos = NEVER_NS) -> None:
        """Count an order from the moment it is sent.

        Raises
        ------
        InvariantBroken
            If its client id was used before, or too many orders are open.
        """
        client_id = order.client_id
        if client_id in self._open or client_id in self._ended:
            raise InvariantBroken(f"order {client_id} was already sent: an id is used once")
        if len(self._open) >= self._open_max:
            raise InvariantBroken(f"{len(self._open)} orders are open: cancel before sending more")
        record = OrderRecord(order=order, since_ns=order.created_at_ns, expires_at_ns=expires_at_ns)
        self._count(record, sign=1)
        self._keep(record)

    def mark_leaving(self, client_id: str, *, now_ns: Nanos | None = None) -> None:
        """Note that a cancel was sent; the order counts until the venue says it is gone.

        Parameters
        ----------
        client_id : of an open order
        now_ns : when it was sent; without it the answer is awaited from the last change on
        """
        self._apply(client_id, OrderEvent.CANCEL_SENT, now_ns)

    def mark_leaving_again(self, client_id: str, *, now_ns: Nanos) -> None:
        """Note another cancel of an order, if it is one of ours that is open.

        The venue may report open what we do not know, or what it told us has ended.
        """
        record = self._open.get(client_id)
        if record is not None and not record.state.is_terminal:
            self._apply(client_id, OrderEvent.CANCEL_SENT, now_ns)

    def mark_all_leaving(self, *, now_ns: Nanos | None = None) -> None:
        """Note that cancels were sent for everything."""
        for client_id, record in list(self._open.items()):
            if not record.state.is_terminal:
                self._apply(client_id, OrderEvent.CANCEL_SENT, now_ns)

    def replace(self, client_id: str, order: Order) -> None:
        """Note that a replacement was sent: both orders count until the venue ends the first."""
        self.add(order)
        self._apply(client_id, OrderEvent.REPLACE_SENT, order.created_at_ns)

    # -- what the venue says ------------------------------------------------------------------

    def take(self, report: OrderReport) -> OrderRecord:
        """Take a venue's report and return the order after it; `late` lots are booked like others.

        Raises
        ------
        InvariantBroken
            If it is about an order that is not known, or about more than is left of it.
        """
        # A receipt moves nothing: the size it names is the one that rests.
        size = NO_LOTS if report.kind is ReportKind.ACCEPTED else report.size
        return self.hear(
            report.client_id, EVENT_OF_REPORT[report.kind], at_ns=report.at_ns, size=size
        )

    def hear(
        self,
        client_id: str,
        event: OrderEvent,
        *,
        at_ns: Nanos,
        size: Lots = NO_LOTS,
        venue_order_id: str = "",
    ) -> OrderRecord:
        """Take any event about an order, receipts and refusals included; see `orders.step`.

        Raises
        ------
        InvariantBroken
            If the order is not known, or the event cannot follow.
        """
        record = self.record(client_id)
        if record is None:
            raise InvariantBroken(
                f"the venue reports {event.value} of {size} lots for order {client_id}, which is "
                "not known here: reconcile with the venue"
            )
        after = step(record, event, at_ns=at_ns, size=size, venue_order_id=venue_order_id)
        self._replace(record, after)
        return after

    def overdue(self, now_ns: Nanos) -> tuple[OrderRecord, ...]:
        """Mark unknown what the venue should have answered or ended by now, and return it.

        For venues that give receipts. An order past its expiry was ended by the venue, or filled
        just before: without its word nobody knows which.

        Parameters
        ----------
        now_ns : ns since 1970 UTC
        """
        if now_ns <= self._due_ns:
            return ()
        late = [
            record.order.client_id
            for record in self._open.values()
            if now_ns > self._due_of(record)
        ]
        lost = tuple([self.hear(one, OrderEvent.LOST, at_ns=now_ns) for one in late])
        self._due_ns = min(map(self._due_of, self._open.values()), default=NEVER_NS)
        return lost

    # -- what may still fill ------------------------------------------------------------------

    def record(self, client_id: str) -> OrderRecord | None:
        """Return an order that is open, or ended not long ago."""
        return self._open.get(client_id) or self._ended.get(client_id)

    def records(self) -> tuple[OrderRecord, ...]:
        """Return every order that may still fill, in the order they were sent."""
        return tuple(self._open.values())

    def client_ids(self) -> tuple[str, ...]:
        """Return the ids of every open order: all a kill needs."""
        return tuple(self._open)

    def staying(self) -> list[OrderRecord]:
        """Return orders whose end was not asked for, in the order they were sent."""
        return [record for record in self._open.values() if not record.is_leaving]

    def lots(self, side: Side) -> Lots:
        """Return what may still fill on a side, orders of unknown state included."""
        return Lots(self._buy if side is Side.BUY else self._sell)

    @property
    def unknown_orders(self) -> int:
        """Return how many orders are of unknown state, or ended with fills nobody has heard."""
        return self._unknown

    # -- keeping ------------------------------------------------------------------------------

    def _apply(self, client_id: str, event: OrderEvent, now_ns: Nanos | None) -> None:
        record = self._open.get(client_id)
        if record is None:
            raise InvariantBroken(f"{event.value} for order {client_id}, which is not open")
        at_ns = record.since_ns if now_ns is None else now_ns
        self._replace(record, step(record, event, at_ns=at_ns))

    def _replace(self, before: OrderRecord, after: OrderRecord) -> None:
        client_id = before.order.client_id
        if before.is_closed:
            self._ended[client_id] = after
            return
        if after.filled == before.filled and after.lost == before.lost:
            self._unknown += after.is_uncertain - before.is_uncertain
        else:
            self._count(before, sign=-1)
            self._count(after, sign=1)
        if not after.is_closed:
            self._keep(after)
            return
        del self._open[client_id]
        self._ended[client_id] = after
        while len(self._ended) > self._history_max:
            self._ended.popitem(last=False)

    def _keep(self, record: OrderRecord) -> None:
        self._open[record.order.client_id] = record
        # What goes leaves this too early, never too late: a look then finds nothing and moves it.
        due_ns = self._due_of(record)
        if due_ns < self._due_ns:
            self._due_ns = due_ns

    def _count(self, record: OrderRecord, *, sign: int) -> None:
        if record.order.side is Side.BUY:
            self._buy += sign * record.remaining
        else:
            self._sell += sign * record.remaining
        if record.is_uncertain:
            self._unknown += sign

    def _due_of(self, record: OrderRecord) -> Nanos:
        """Return when the venue should have spoken about an order; after it that is overdue."""
        if record.is_uncertain:
            return NEVER_NS
        since_ns = record.expires_at_ns
        if record.state in _AWAITS_ANSWER:
            since_ns = min(since_ns, record.since_ns)
        return Nanos(since_ns + self._receipt_ns_max)

"""When a resting order of ours would have been filled by a recorded market.

A post-only order fills by a recorded trade through its price, or by one at its price after the size
displayed there when it was placed is used up. A touch without a trade fills nothing. The queue
ahead shrinks by trades at the level and is capped by the size displayed after each later depth
update. No two own orders fill from the same liquidity. Orders and cancels reach the venue a
constant latency after they were sent.
"""

from __future__ import annotations

from collections.abc import Sequence

from dmm.market.instrument import Side
from dmm.market.order import Order, OrderReport, ReportKind, TimeInForce
from dmm.market.tape import DepthUpdate, FeedEvent, TradePrint
from dmm.market.view import MarketView
from dmm.units.amount import Atoms, Lots, Ticks
from dmm.units.errors import InvariantBroken
from dmm.units.time import Nanos

ORDERS_MAX = 64
"""Own orders at the venue at once; more is refused."""

NEVER_NS = Nanos(2**63 - 1)
NOTHING: tuple[OrderReport, ...] = ()


class _OwnOrder:
    """One order of ours on its way to, at, or on its way out of the venue."""

    __slots__ = (
        "ahead",
        "arrives_at_ns",
        "cut",
        "cut_at_ns",
        "leaves_at_ns",
        "live",
        "order",
        "remaining",
    )

    def __init__(self, order: Order, arrives_at_ns: Nanos) -> None:
        self.order = order
        self.remaining: int = order.size
        self.arrives_at_ns = arrives_at_ns
        self.leaves_at_ns = NEVER_NS
        self.live = False
        self.ahead = 0
        self.cut = 0
        self.cut_at_ns = 0

    def cap(self, displayed: int, at_ns: int) -> None:
        """Cap the queue ahead by what is displayed, remembering the cut."""
        if displayed < self.ahead:
            self.cut += self.ahead - displayed
            self.cut_at_ns = at_ns
            self.ahead = displayed

    def pass_trade(self, volume: int, at_ns: int) -> int:
        """Let a trade's volume pass at our price; return what is left of it for us.

        A depth update may show a trade before its print arrives. The print then first uses up what
        the update cut, or the same volume would move us forward twice.
        """
        if at_ns <= self.cut_at_ns:
            late = min(self.cut, volume)
            self.cut -= late
            volume -= late
        else:
            self.cut = 0
        left = volume - self.ahead
        self.ahead = max(0, -left)
        return max(0, left)


class FillModel:
    """Own orders of one instrument against its recorded events.

    Call `advance` with the time of an event before it changes the market, then `observe` after it.
    """

    def __init__(self, *, latency_ns: int) -> None:
        """Make an empty venue.

        Parameters
        ----------
        latency_ns : one-way delay of orders and cancels in event time, >= 0
        """
        self._latency_ns = latency_ns
        self._orders: dict[str, _OwnOrder] = {}
        self._due_at_ns = NEVER_NS
        self._bids: list[_OwnOrder] = []  # live, best first, then oldest first
        self._asks: list[_OwnOrder] = []

    def place(self, order: Order) -> OrderReport | None:
        """Send an order; return a rejection, or None when it is on its way.

        Raises
        ------
        InvariantBroken
            If the client id is in use.
        """
        if order.client_id in self._orders:
            raise InvariantBroken(f"order {order.client_id} was already sent")
        refused = (
            order.time_in_force is not TimeInForce.POST_ONLY
            or order.size <= 0
            or len(self._orders) >= ORDERS_MAX
        )
        if refused:
            return _report(order, ReportKind.REJECTED, order.size, order.created_at_ns)
        arrives_at_ns = Nanos(order.created_at_ns + self._latency_ns)
        self._orders[order.client_id] = _OwnOrder(order, arrives_at_ns)
        self._due_at_ns = min(self._due_at_ns, arrives_at_ns)
        return None

    def cancel(self, client_id: str, *, now_ns: Nanos) -> None:
        """Send a cancel; for an order that is gone, or already leaving, nothing happens."""
        own = self._orders.get(client_id)
        if own is not None and own.leaves_at_ns == NEVER_NS:
            own.leaves_at_ns = Nanos(now_ns + self._latency_ns)
            self._due_at_ns = min(self._due_at_ns, own.leaves_at_ns)

    def cancel_all(self, *, now_ns: Nanos) -> None:
        """Send cancels for everything."""
        for client_id in self._orders:
            self.cancel(client_id, now_ns=now_ns)

    @property
    def open_orders(self) -> tuple[Order, ...]:
        """Return orders that may still fill, those in flight included."""
        return tuple(own.order for own in self._orders.values())

    @property
    def remaining(self) -> tuple[tuple[Order, Lots], ...]:
        """Return the same orders with what is left of each, in lots."""
        return tuple((own.order, Lots(own.remaining)) for own in self._orders.values())

    def advance(self, now_ns: Nanos, market: MarketView) -> Sequence[OrderReport]:
        """Let orders and cancels arrive that are due; return receipts, cancellations, rejections.

        Parameters
        ----------
        now_ns : time of the event about to be applied
        market : the market before that event
        """
        if now_ns < self._due_at_ns:
            return NOTHING
        return self._arrivals(now_ns, market)

    def observe(self, event: FeedEvent, market: MarketView) -> Sequence[OrderReport]:
        """Take an event that has just been applied; return fills.

        Parameters
        ----------
        event : of the tape
        market : the market after that event
        """
        kind = type(event)
        if kind is TradePrint:
            return self._trade(event)  # type: ignore[arg-type]
        if kind is DepthUpdate:
            self._cap_queues(event, market)  # type: ignore[arg-type]
        return NOTHING

    def _arrivals(self, now_ns: Nanos, market: MarketView) -> list[OrderReport]:
        reports = []
        # A cancel sent with a new order arrives with it and is taken first.
        for own in [own for own in self._orders.values() if own.leaves_at_ns <= now_ns]:
            reports.append(
                _report(own.order, ReportKind.CANCELLED, own.remaining, own.leaves_at_ns)
            )
            self._remove(own)
        arriving = [
            own for own in self._orders.values() if not own.live and own.arrives_at_ns <= now_ns
        ]
        for own in arriving:
            order = own.order
            if _crosses(order, market):
                reports.append(
                    _report(order, ReportKind.REJECTED, own.remaining, own.arrives_at_ns)
                )
                self._remove(own)
                continue
            own.live = True
            reports.append(_report(order, ReportKind.ACCEPTED, own.remaining, own.arrives_at_ns))
            own.ahead = market.book.size_at(order.side, order.price)
            side = self._bids if order.side is Side.BUY else self._asks
            side.append(own)
            side.sort(key=_priority)
        self._due_at_ns = min(
            (
                own.leaves_at_ns if own.live else min(own.arrives_at_ns, own.leaves_at_ns)
                for own in self._orders.values()
            ),
            default=NEVER_NS,
        )
        return reports

    def _trade(self, trade: TradePrint) -> Sequence[OrderReport]:
        price = trade.price
        if trade.buyer_is_aggressor:
            side = self._asks
            if not side or side[0].order.price > price:
                return NOTHING
        else:
            side = self._bids
            if not side or side[0].order.price < price:
                return NOTHING
        left: int = trade.size
        reports = []
        for own in list(side):
            order = own.order
            if order.price == price:
                available = own.pass_trade(left, trade.exchange_at_ns)
            elif (order.price < price) == trade.buyer_is_aggressor:
                # Whoever traded beyond our price took everything at it first.
                own.ahead = own.cut = 0
                available = left
            else:
                break
            filled = min(available, own.remaining)
            if filled:
                own.remaining -= filled
                left -= filled
                reports.append(_report(order, ReportKind.FILLED, filled, trade.received_at_ns))
                if not own.remaining:
                    self._remove(own)
        return reports

    def _cap_queues(self, update: DepthUpdate, market: MarketView) -> None:
        size_at = market.book.size_at
        for side in (self._bids, self._asks):
            for own in side:
                if own.ahead:
                    order = own.order
                    own.cap(size_at(order.side, order.price), update.exchange_at_ns)

    def _remove(self, own: _OwnOrder) -> None:
        del self._orders[own.order.client_id]
        if own.live:
            (self._bids if own.order.side is Side.BUY else self._asks).remove(own)


def _priority(own: _OwnOrder) -> tuple[int, int]:
    return (-own.order.side.sign * own.order.price, own.arrives_at_ns)


def _crosses(order: Order, market: MarketView) -> bool:
    if order.side is Side.BUY:
        return 0 < market.best_ask <= order.price
    return order.price <= market.best_bid


def _report(order: Order, kind: ReportKind, size: int, at_ns: int) -> OrderReport:
    return OrderReport(
        client_id=order.client_id,
        kind=kind,
        side=order.side,
        price=Ticks(order.price),
        size=Lots(size),
        fee_atoms=Atoms(0),
        at_ns=Nanos(at_ns),
    )

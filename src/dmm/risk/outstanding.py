"""Orders of ours that may still fill: what rests, what is on its way, what is being cancelled."""

from __future__ import annotations

from collections.abc import Iterator

from dmm.market.instrument import Side
from dmm.market.order import Order, OrderReport, ReportKind
from dmm.units.amount import Lots
from dmm.units.errors import InvariantBroken


class _Open:
    __slots__ = ("leaving", "order", "remaining")

    def __init__(self, order: Order) -> None:
        self.order = order
        self.remaining: int = order.size
        self.leaving = False


class Outstanding:
    """Open orders by client id, changed by what the venue reports and by nothing else."""

    def __init__(self) -> None:
        self._orders: dict[str, _Open] = {}

    def __bool__(self) -> bool:
        return bool(self._orders)

    def add(self, order: Order) -> None:
        """Count an order from the moment it is sent."""
        self._orders[order.client_id] = _Open(order)

    def mark_leaving(self, client_id: str) -> None:
        """Note that a cancel was sent; the order counts until the venue says it is gone."""
        self._orders[client_id].leaving = True

    def mark_all_leaving(self) -> None:
        """Note that cancels were sent for everything."""
        for own in self._orders.values():
            own.leaving = True

    def take(self, report: OrderReport) -> None:
        """Take a venue's report.

        Raises
        ------
        InvariantBroken
            If it is about an order that is not open, or about more than is left of it.
        """
        own = self._orders.get(report.client_id)
        if own is None or report.size > own.remaining:
            raise InvariantBroken(
                f"the venue reports {report.kind.value} of {report.size} lots for order "
                f"{report.client_id}, which has not so much open"
            )
        own.remaining -= report.size
        if not own.remaining or report.kind is not ReportKind.FILLED:
            del self._orders[report.client_id]

    def staying(self) -> Iterator[tuple[Order, Lots]]:
        """Yield orders for which no cancel was sent, with what is left of them."""
        for own in self._orders.values():
            if not own.leaving:
                yield own.order, Lots(own.remaining)

    def lots(self, side: Side) -> Lots:
        """Return what may still fill on a side."""
        return Lots(sum(own.remaining for own in self._orders.values() if own.order.side is side))

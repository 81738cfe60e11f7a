"""The paper venue: real market data, our orders in the fill model, a maker fee."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from dmm.ledger.fills import cash_flow
from dmm.market.instrument import Instrument
from dmm.market.order import Order, OrderReport, ReportKind
from dmm.market.tape import FeedEvent
from dmm.market.view import MarketView
from dmm.risk.rate import RateWindow
from dmm.risk.reconcile import VenueOrder, VenueReport
from dmm.simulation.fill_model import FillModel
from dmm.units.amount import BPS_ONE, Atoms, Lots, ceil_div
from dmm.units.time import NS_PER_MS, NS_PER_S, Nanos

LATENCY_NS = 5 * NS_PER_MS
"""One-way delay of orders and cancels, unless told otherwise."""

RATE_WINDOWS = (RateWindow(length_ns=60 * NS_PER_S, weight_max=2_400, cancel_reserve=600),)
"""What a large exchange lets one address ask in a minute: orders and cancels weigh 1 each."""

FILLS_MAX = 65_536
"""Fills kept for the next statement; more than a minute can bring."""

UBPS_ONE = BPS_ONE * 1_000_000
"""Millionths of a basis point in one."""


class PaperVenue:
    """Orders and fills on paper: nothing leaves the process."""

    def __init__(
        self,
        instrument: Instrument,
        *,
        latency_ns: int = LATENCY_NS,
        maker_fee_ubps: int = 0,
        rate_windows: tuple[RateWindow, ...] = RATE_WINDOWS,
    ) -> None:
        """Open the venue.

        Parameters
        ----------
        instrument : what is traded
        latency_ns : one-way delay in event time, >= 0
        maker_fee_ubps : fee in millionths of a basis point of the cash value; a rebate is negative
        rate_windows : how often it may be asked; empty: it does not count
        """
        self._instrument = instrument
        self._rate_windows = rate_windows
        self._position = self._cash_atoms = 0
        self._filled: dict[str, int] = {}
        self._fills: deque[tuple[int, str]] = deque(maxlen=FILLS_MAX)
        self._fill_number = 0
        self._dead_at_ns: Nanos | None = None
        self._maker_fee_ubps = maker_fee_ubps
        self._model = FillModel(latency_ns=latency_ns)
        self._rejected: list[OrderReport] = []

    @property
    def name(self) -> str:
        """Return ``paper``."""
        return "paper"

    def submit(self, order: Order) -> None:
        """Send an order; how it fared comes with later reports."""
        rejection = self._model.place(order)
        if rejection is not None:
            self._rejected.append(rejection)

    def cancel(self, client_id: str, *, now_ns: Nanos) -> None:
        """Send a cancel."""
        self._model.cancel(client_id, now_ns=now_ns)

    def cancel_all(self, *, now_ns: Nanos) -> None:
        """Send cancels for everything that is open."""
        self._model.cancel_all(now_ns=now_ns)

    @property
    def open_orders(self) -> tuple[Order, ...]:
        """Return orders that may still fill."""
        return self._model.open_orders

    @property
    def rate_windows(self) -> tuple[RateWindow, ...]:
        """Return how much the venue lets us ask."""
        return self._rate_windows

    def statement(self, *, now_ns: Nanos, cursor: int) -> VenueReport:
        """Return open orders, position and cash since the opening, and the fills after a cursor."""
        while self._fills and self._fills[0][0] <= cursor:
            self._fills.popleft()
        filled = {client_id for _, client_id in self._fills}
        # What is neither open nor asked for again will not be asked for any more.
        kept = filled | {order.client_id for order in self._model.open_orders}
        self._filled = {one: size for one, size in self._filled.items() if one in kept}
        return VenueReport(
            as_of_ns=now_ns,
            orders=tuple(
                VenueOrder(
                    client_id=order.client_id, side=order.side, price=order.price, remaining=left
                )
                for order, left in self._model.remaining
            ),
            filled={one: self._filled[one] for one in filled},
            position=Lots(self._position),
            balances={
                self._instrument.position.symbol: self._position
                * self._instrument.position_atoms_per_lot,
                self._instrument.cash.symbol: self._cash_atoms,
            },
            cursor=self._fill_number,
        )

    def arm(self, *, until_ns: Nanos) -> None:
        """Move the dead man's switch."""
        self._dead_at_ns = until_ns

    def advance(self, now_ns: Nanos, market: MarketView) -> Sequence[OrderReport]:
        """Return receipts, rejections and cancellations due; call before an event is applied."""
        if self._dead_at_ns is not None and now_ns >= self._dead_at_ns:
            self._model.cancel_all(now_ns=self._dead_at_ns)
            self._dead_at_ns = None
        reports = self._model.advance(now_ns, market)
        if self._rejected:
            reports = [*self._rejected, *reports]
            self._rejected.clear()
        return reports

    def observe(self, event: FeedEvent, market: MarketView) -> Sequence[OrderReport]:
        """Return fills that an event caused; call after it was applied."""
        reports = self._model.observe(event, market)
        if reports and self._maker_fee_ubps:
            reports = [self._with_fee(report) for report in reports]
        for report in reports:
            self._fill_number += 1
            self._fills.append((self._fill_number, report.client_id))
            self._filled[report.client_id] = self._filled.get(report.client_id, 0) + report.size
            self._position += report.side.sign * report.size
            flow = cash_flow(
                self._instrument, side=report.side, price=report.price, size=report.size
            )
            self._cash_atoms += flow - report.fee_atoms
        return reports

    def _with_fee(self, report: OrderReport) -> OrderReport:
        if report.kind is not ReportKind.FILLED:
            return report
        cash = self._instrument.cash_atoms(
            price=report.price, size=report.size, rounded_up=self._maker_fee_ubps > 0
        )
        # Rounded up either way: a fee costs the remainder, a rebate loses it.
        return replace(report, fee_atoms=Atoms(ceil_div(cash * self._maker_fee_ubps, UBPS_ONE)))

"""The paper venue: real market data, our orders in the fill model, a maker fee."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dmm.market.instrument import Instrument
from dmm.market.order import Order, OrderReport, ReportKind
from dmm.market.tape import FeedEvent
from dmm.market.view import MarketView
from dmm.simulation.fill_model import FillModel
from dmm.units.amount import BPS_ONE, Atoms, ceil_div
from dmm.units.time import NS_PER_MS, Nanos

LATENCY_NS = 5 * NS_PER_MS
"""One-way delay of orders and cancels, unless told otherwise."""

UBPS_ONE = BPS_ONE * 1_000_000
"""Millionths of a basis point in one."""


class PaperVenue:
    """Orders and fills on paper: nothing leaves the process."""

    def __init__(
        self, instrument: Instrument, *, latency_ns: int = LATENCY_NS, maker_fee_ubps: int = 0
    ) -> None:
        """Open the venue.

        Parameters
        ----------
        instrument : what is traded
        latency_ns : one-way delay in event time, >= 0
        maker_fee_ubps : fee in millionths of a basis point of the cash value; a rebate is negative
        """
        self._instrument = instrument
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

    def advance(self, now_ns: Nanos, market: MarketView) -> Sequence[OrderReport]:
        """Return rejections and cancellations due by now; call before an event is applied."""
        reports = self._model.advance(now_ns, market)
        if self._rejected:
            reports = [*self._rejected, *reports]
            self._rejected.clear()
        return reports

    def observe(self, event: FeedEvent, market: MarketView) -> Sequence[OrderReport]:
        """Return fills that an event caused; call after it was applied."""
        reports = self._model.observe(event, market)
        if reports and self._maker_fee_ubps:
            return [self._with_fee(report) for report in reports]
        return reports

    def _with_fee(self, report: OrderReport) -> OrderReport:
        if report.kind is not ReportKind.FILLED:
            return report
        cash = self._instrument.cash_atoms(
            price=report.price, size=report.size, rounded_up=self._maker_fee_ubps > 0
        )
        # Rounded up either way: a fee costs the remainder, a rebate loses it.
        return replace(report, fee_atoms=Atoms(ceil_div(cash * self._maker_fee_ubps, UBPS_ONE)))

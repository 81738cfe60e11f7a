"""The shadow venue: the desk quotes as if, and nothing can leave.

It knows a real venue by its name and its request windows alone, both copied when it is made. It
holds no reference to the venue, so there is nothing it could send an order to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from dmm.adapters.venues.paper import LATENCY_NS, PaperVenue
from dmm.market.instrument import Instrument
from dmm.market.order import Order, OrderReport
from dmm.market.tape import FeedEvent
from dmm.market.view import MarketView
from dmm.ports import Venue
from dmm.risk.rate import RateWindow
from dmm.risk.reconcile import VenueReport
from dmm.units.time import Nanos

PREFIX = "shadow:"
"""Begins the venue's name in hypothetical fills, so that no reader takes them for real ones."""


class ShadowVenue:
    """Orders rest in the fill model against the real feed; fills are hypothetical."""

    def __init__(
        self,
        instrument: Instrument,
        *,
        venue: str,
        rate_windows: tuple[RateWindow, ...],
        latency_ns: int = LATENCY_NS,
        maker_fee_ubps: int = 0,
    ) -> None:
        """Open the shadow of a venue.

        Parameters
        ----------
        instrument : what is watched
        venue : name of the venue it stands for
        rate_windows : that venue's, so that requests are budgeted as they would be
        latency_ns : one-way delay in event time, >= 0
        maker_fee_ubps : fee in millionths of a basis point of the cash value; a rebate is negative
        """
        self._name = PREFIX + venue
        self._model = PaperVenue(
            instrument,
            latency_ns=latency_ns,
            maker_fee_ubps=maker_fee_ubps,
            rate_windows=rate_windows,
        )

    @classmethod
    def of(
        cls,
        venue: Venue,
        instrument: Instrument,
        *,
        latency_ns: int = LATENCY_NS,
        maker_fee_ubps: int = 0,
    ) -> Self:
        """Open the shadow of a venue that is there: it is read once and never held.

        Parameters
        ----------
        venue : asked for its name and its request windows, nothing else
        instrument, latency_ns, maker_fee_ubps : as for the constructor
        """
        return cls(
            instrument,
            venue=venue.name,
            rate_windows=tuple(venue.rate_windows),
            latency_ns=latency_ns,
            maker_fee_ubps=maker_fee_ubps,
        )

    @property
    def name(self) -> str:
        """Return ``shadow:`` and the venue's name."""
        return self._name

    def submit(self, order: Order) -> None:
        """Let an order rest in the fill model."""
        self._model.submit(order)

    def cancel(self, client_id: str, *, now_ns: Nanos) -> None:
        """Cancel it there."""
        self._model.cancel(client_id, now_ns=now_ns)

    def cancel_all(self, *, now_ns: Nanos) -> None:
        """Cancel everything there."""
        self._model.cancel_all(now_ns=now_ns)

    @property
    def rate_windows(self) -> tuple[RateWindow, ...]:
        """Return how much the venue it stands for would let us ask."""
        return self._model.rate_windows

    def statement(self, *, now_ns: Nanos, cursor: int) -> VenueReport:
        """Return the fill model's orders, fills and position."""
        return self._model.statement(now_ns=now_ns, cursor=cursor)

    def arm(self, *, until_ns: Nanos) -> None:
        """Move the dead man's switch of the fill model."""
        self._model.arm(until_ns=until_ns)

    def advance(self, now_ns: Nanos, market: MarketView) -> Sequence[OrderReport]:
        """Return what the fill model reports by now."""
        return self._model.advance(now_ns, market)

    def observe(self, event: FeedEvent, market: MarketView) -> Sequence[OrderReport]:
        """Return the hypothetical fills of an event."""
        return self._model.observe(event, market)

"""What lies outside the desk: time, markets, and who schedules it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from dmm.market.instrument import Instrument
from dmm.market.order import Order, OrderReport
from dmm.market.tape import FeedEvent, TapeReport
from dmm.market.view import MarketView
from dmm.risk.rate import RateWindow
from dmm.risk.reconcile import VenueReport
from dmm.units.ids import Json
from dmm.units.time import Nanos


class Clock(Protocol):
    """The only source of the present."""

    def now_ns(self) -> Nanos:
        """Return nanoseconds since 1970 UTC."""
        ...

    def sleep_s(self, seconds: float) -> None:
        """Wait; the only way the desk waits."""
        ...


class Feed(Protocol):
    """A stream of market events for one instrument."""

    @property
    def instrument(self) -> Instrument:
        """Return what the events are about."""
        ...

    @property
    def report(self) -> TapeReport:
        """Return what has been counted and found so far."""
        ...

    def events(self) -> Iterator[FeedEvent]:
        """Yield events in the order they were received.

        Raises
        ------
        TapeFault
            If the content is unusable; the text names file and line.
        """
        ...


class Venue(Protocol):
    """Where the quoting worker's orders rest.

    The worker calls `advance` with the time of each market event before it applies it, and
    `observe` after: a paper venue fills from the events, a live one hands over what its stream has
    brought.
    """

    @property
    def name(self) -> str:
        """Return the venue's name in fills."""
        ...

    def submit(self, order: Order) -> None:
        """Send an order; how it fared comes with later reports."""
        ...

    def cancel(self, client_id: str, *, now_ns: Nanos) -> None:
        """Send a cancel; the order may still fill until a report says it is gone."""
        ...

    def cancel_all(self, *, now_ns: Nanos) -> None:
        """Send cancels for everything that is open."""
        ...

    @property
    def rate_windows(self) -> tuple[RateWindow, ...]:
        """Return how much the venue lets us ask; empty: it does not count."""
        ...

    def statement(self, *, now_ns: Nanos, cursor: int) -> VenueReport:
        """Return what the venue knows of us, to be compared with our own books.

        Parameters
        ----------
        now_ns : when it is asked
        cursor : that of the last report whose fills were booked, 0 at first
        """
        ...

    def arm(self, *, until_ns: Nanos) -> None:
        """Move the dead man's switch: the venue cancels everything of ours at that time."""
        ...

    def advance(self, now_ns: Nanos, market: MarketView) -> Sequence[OrderReport]:
        """Return reports due by now, with the market as it was before the event of that time."""
        ...

    def observe(self, event: FeedEvent, market: MarketView) -> Sequence[OrderReport]:
        """Return reports that an event caused, with the market after it."""
        ...


class GasMeter(Protocol):
    """What a chain's work costs at the moment."""

    def gas_price(self) -> int:
        """Return the price of a unit of work in the smallest coin; `Retryable` if unknown."""
        ...


class PegSource(Protocol):
    """What a stable coin is worth, by a market that is not ours."""

    def price_ppm(self) -> tuple[int, Nanos]:
        """Return millionths of the reference currency per coin, and when that was the price.

        Raises
        ------
        Retryable
            If nobody gives a price.
        """
        ...


class Scheduler(Protocol):
    """The clock of the epoch jobs."""

    def emit(self, event: str, *, resource: str, payload: dict[str, Json]) -> None:
        """Emit an event that automations may react to: a hint, never authority."""
        ...

    def prune_runs(self, *, now_ns: Nanos, keep_days: int) -> int:
        """Delete finished runs that ended more than `keep_days` ago; return how many."""
        ...

"""The simulated market as a feed, and any feed at the pace of a clock. For demonstration only."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import numpy as np

from dmm.market.instrument import Asset, ContractKind, Instrument
from dmm.market.tape import DepthUpdate, FeedEvent, TapeReport
from dmm.ports import Clock, Feed
from dmm.simulation.market import MarketSimulation, SimulatedFlow
from dmm.units.time import NS_PER_S, Nanos

DURATION_S = 180
"""Event time of a simulated session, unless told otherwise."""

STARTED_AT_NS = Nanos(1_767_225_600 * NS_PER_S)
"""2026-01-01 00:00 UTC: a simulated session starts here, so its bytes never depend on today."""

SLEEP_S_MAX = 0.25
"""Longest single sleep between two events: what a stop signal waits at the most."""

DCT_TON = Instrument(
    symbol="DCT-TON",
    venue="DEMO simulated market",
    kind=ContractKind.SPOT,
    position=Asset(symbol="DCT", decimals=9),
    cash=Asset(symbol="TON", decimals=9),
    tick_size=Decimal("0.00001"),
    lot_size=Decimal(1),
)
"""The demo's own pair; its prices come from a random number generator and mean nothing."""

DEFAULT_FLOW = SimulatedFlow()


class SimulatedMarket:
    """A simulated market as a feed; every call of `events` plays the same again."""

    def __init__(
        self,
        rng: np.random.Generator,
        *,
        duration_s: int | None = DURATION_S,
        started_at_ns: Nanos = STARTED_AT_NS,
        flow: SimulatedFlow = DEFAULT_FLOW,
    ) -> None:
        """Make a feed.

        Parameters
        ----------
        rng : the only source of chance; it is copied, so the caller's stays as it is
        duration_s : event time in seconds, > 0; None for a market that never ends
        started_at_ns : time of the first event at the venue
        flow : what arrives and how often
        """
        self._rng = copy.deepcopy(rng)
        self._duration_s = duration_s
        self._started_at_ns = started_at_ns
        self._flow = flow
        self._report = TapeReport()

    @property
    def instrument(self) -> Instrument:
        """Return DCT-TON."""
        return DCT_TON

    @property
    def report(self) -> TapeReport:
        """Return what has been counted so far."""
        return self._report

    @property
    def span(self) -> tuple[Nanos, Nanos]:
        """Return the received times between which all events of a bounded session lie."""
        latency_ns = self._flow.feed_latency_ns
        duration_ns = (self._duration_s or 0) * NS_PER_S
        first_ns = self._started_at_ns + latency_ns
        return Nanos(first_ns), Nanos(first_ns + duration_ns)

    def events(self) -> Iterator[FeedEvent]:
        """Yield the session's events from its start."""
        self._report = report = TapeReport()
        market = MarketSimulation(
            self._flow, copy.deepcopy(self._rng), started_at_ns=self._started_at_ns
        )
        duration_ns = None if self._duration_s is None else self._duration_s * NS_PER_S
        for event in market.events(duration_ns=duration_ns):
            report.messages += 1
            if isinstance(event, DepthUpdate):
                report.depth_updates += 1
                report.snapshots += event.is_snapshot
            else:
                report.trades += 1
            yield event


class PacedFeed:
    """Another feed at the pace of a clock, its times moved to the clock's present."""

    def __init__(self, feed: Feed, clock: Clock, *, is_looped: bool = False) -> None:
        """Pace a feed.

        Parameters
        ----------
        feed : what to play
        clock : says when the next event is due
        is_looped : start over when the feed ends; a feed without events ends all the same
        """
        self._feed = feed
        self._clock = clock
        self._is_looped = is_looped

    @property
    def instrument(self) -> Instrument:
        """Return what the events are about."""
        return self._feed.instrument

    @property
    def report(self) -> TapeReport:
        """Return what has been counted in this round."""
        return self._feed.report

    def events(self) -> Iterator[FeedEvent]:
        """Yield events when they are due; late ones at once."""
        while True:
            offset_ns: int | None = None
            for event in self._feed.events():
                if offset_ns is None:
                    offset_ns = self._clock.now_ns() - event.received_at_ns
                due_ns = event.received_at_ns + offset_ns
                self._wait(due_ns)
                yield replace(
                    event,
                    received_at_ns=Nanos(due_ns),
                    exchange_at_ns=Nanos(event.exchange_at_ns + offset_ns),
                )
            if not self._is_looped or offset_ns is None:
                return

    def _wait(self, due_ns: int) -> None:
        while (left_ns := due_ns - self._clock.now_ns()) > 0:
            self._clock.sleep_s(min(left_ns / NS_PER_S, SLEEP_S_MAX))

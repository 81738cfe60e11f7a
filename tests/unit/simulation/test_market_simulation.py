"""The seeded market holds together."""

from __future__ import annotations

import numpy as np
import pytest

from dmm.market.book import Book
from dmm.market.instrument import Side
from dmm.market.tape import DepthUpdate, TradePrint
from dmm.sandbox.market import PacedFeed, SimulatedMarket
from dmm.units.time import NS_PER_S, Nanos


def feed(seed: int, duration_s: int = 20) -> SimulatedMarket:
    return SimulatedMarket(np.random.default_rng(seed), duration_s=duration_s)


def test_the_same_seed_plays_the_same_events_again_and_another_does_not() -> None:
    market = feed(11)
    first = list(market.events())
    assert list(market.events()) == first
    assert list(feed(11).events()) == first
    assert list(feed(12).events()) != first


def test_the_book_is_never_crossed_never_empty_and_its_ids_have_no_gap() -> None:
    book, last_id = Book(), 0
    for event in feed(3).events():
        if isinstance(event, DepthUpdate):
            assert event.first_id == last_id + 1
            last_id = event.last_id
            book.apply(event)
            assert book.mid_half_ticks is not None
            assert not book.is_crossed


def test_events_come_in_time_order_within_the_session() -> None:
    market = feed(4)
    times = [event.received_at_ns for event in market.events()]
    first_ns, last_ns = market.span
    assert times == sorted(times)
    assert first_ns <= times[0]
    assert times[-1] <= last_ns


def test_trades_happen_on_both_sides_and_the_report_counts_them() -> None:
    market = feed(5)
    trades = [event for event in market.events() if isinstance(event, TradePrint)]
    assert {trade.buyer_is_aggressor for trade in trades} == {True, False}
    assert market.report.trades == len(trades) > 100
    assert market.report.snapshots == 1


def test_the_pair_is_labelled_a_demo() -> None:
    assert "DEMO" in feed(1).instrument.venue


class TurnedClock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 5_000 * NS_PER_S

    def now_ns(self) -> Nanos:
        return Nanos(self.now)

    def sleep_s(self, seconds: float) -> None:
        self.now += max(1, round(seconds * NS_PER_S))


def test_a_paced_feed_delivers_each_event_when_it_is_due() -> None:
    clock, market = TurnedClock(), feed(6, duration_s=2)
    plain = list(market.events())
    start_ns = clock.now
    for paced, original in zip(PacedFeed(market, clock).events(), plain, strict=True):
        assert paced.received_at_ns - start_ns == original.received_at_ns - plain[0].received_at_ns
        assert clock.now >= paced.received_at_ns
        latency_ns = original.received_at_ns - original.exchange_at_ns
        assert paced.received_at_ns - paced.exchange_at_ns == latency_ns


def test_a_looped_feed_starts_over_with_its_snapshot() -> None:
    market = feed(6, duration_s=1)
    once = len(list(market.events()))
    looped = PacedFeed(market, TurnedClock(), is_looped=True).events()
    events = [next(looped) for _ in range(2 * once)]
    snapshots = [e for e in events if isinstance(e, DepthUpdate) and e.is_snapshot]
    assert len(snapshots) == 2
    assert snapshots[1].received_at_ns > snapshots[0].received_at_ns


@pytest.mark.parametrize("side", list(Side))
def test_the_snapshot_shows_a_side_best_first(side: Side) -> None:
    snapshot = next(feed(8).events())
    assert isinstance(snapshot, DepthUpdate)
    levels = snapshot.bids if side is Side.BUY else snapshot.asks
    prices = [price for price, _ in levels]
    assert len(prices) > 10
    assert prices == sorted(prices, reverse=side is Side.BUY)

"""A feed in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import pytest
from trading_values import LINEAR, at_ms

from dmm.adapters.intake import Intake
from dmm.market.instrument import Instrument
from dmm.market.tape import BestQuote, FeedEvent, TapeReport, TradePrint
from dmm.units.amount import Lots, Ticks
from dmm.units.errors import TapeFault

WAIT_S = 5.0


class ScriptedFeed:
    """Yields events at once, then raises or ends; `done` tells when it has yielded all."""

    def __init__(self, events: Sequence[FeedEvent], fault: Exception | None = None) -> None:
        self._events = events
        self._fault = fault
        self.done = threading.Event()

    @property
    def instrument(self) -> Instrument:
        return LINEAR

    @property
    def report(self) -> TapeReport:
        return TapeReport()

    def events(self) -> Iterator[FeedEvent]:
        yield from self._events
        self.done.set()
        if self._fault:
            raise self._fault


class SilentFeed(ScriptedFeed):
    """Says nothing until it is released."""

    def __init__(self) -> None:
        super().__init__([])
        self.release = threading.Event()

    def events(self) -> Iterator[FeedEvent]:
        self.release.wait(WAIT_S)
        yield from ()


def trade(number: int, price: int) -> TradePrint:
    return TradePrint(
        exchange_at_ns=at_ms(number),
        received_at_ns=at_ms(number),
        price=Ticks(price),
        size=Lots(1),
        buyer_is_aggressor=True,
        trade_id=number,
    )


def best(number: int) -> BestQuote:
    return BestQuote(
        exchange_at_ns=at_ms(number),
        received_at_ns=at_ms(number),
        bid=Ticks(10 + number),
        bid_size=Lots(1),
        ask=Ticks(20 + number),
        ask_size=Lots(1),
    )


def drained(intake: Intake) -> list[FeedEvent]:
    taken = []
    while not intake.ended:
        event = intake.take(WAIT_S)
        if event is not None:
            taken.append(event)
    return taken


def test_a_fault_of_the_feed_reaches_the_reader_after_everything_before_it() -> None:
    feed = ScriptedFeed([best(1), best(2)], TapeFault("line 3: not a message"))
    with Intake(feed) as intake:
        assert feed.done.wait(WAIT_S)
        assert [intake.take(WAIT_S), intake.take(WAIT_S)] == [best(1), best(2)]
        with pytest.raises(TapeFault, match="line 3"):
            drained(intake)


def test_a_silent_feed_lets_the_reader_go_on_when_its_time_is_over_or_when_woken() -> None:
    feed = SilentFeed()
    with Intake(feed) as intake:
        assert intake.take(0.01) is None
        threading.Timer(0.05, intake.wake).start()
        assert intake.take(WAIT_S) is None
        feed.release.set()


def test_a_reader_that_keeps_up_sees_every_event_in_order() -> None:
    events = [best(1), trade(2, 5), best(3), trade(4, 5)]
    with Intake(ScriptedFeed(events), pending_max=8) as intake:
        assert drained(intake) == events
    assert (intake.conflated, intake.dropped) == (0, 0)


def test_a_slow_reader_gets_the_latest_quote_and_the_whole_volume() -> None:
    feed = ScriptedFeed([event for n in range(100) for event in (best(n), trade(n, 5))])
    with Intake(feed, pending_max=8) as intake:
        assert feed.done.wait(WAIT_S)
        taken = drained(intake)
    assert len(taken) <= 9
    assert sum(event.size for event in taken if isinstance(event, TradePrint)) == 100
    assert [event for event in taken if isinstance(event, BestQuote)][-1] == best(99)
    assert intake.conflated == 200 - len(taken)
    assert not intake.lossy


def test_trades_beyond_the_bound_are_dropped_and_counted_never_silently() -> None:
    feed = ScriptedFeed([trade(n, n + 1) for n in range(100)])
    with Intake(feed, pending_max=8) as intake:
        assert feed.done.wait(WAIT_S)
        taken = drained(intake)
    assert len(taken) + intake.dropped == 100
    assert intake.lossy
    assert taken[-1] == trade(99, 100)

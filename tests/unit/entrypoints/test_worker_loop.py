"""The worker's loop in real time, on a clock that only sleeping moves."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from journal_memory import MemoryJournal
from trading_values import fill, policy_record

from dmm.entrypoints.worker import Hedges, open_run, serve
from dmm.market.instrument import Instrument, Side
from dmm.market.tape import DepthUpdate, FeedEvent, TapeReport
from dmm.ports import Run
from dmm.sandbox.market import PacedFeed, SimulatedMarket
from dmm.units.time import NS_PER_S, Nanos


class TurnedClock:
    def __init__(self) -> None:
        self.now = 1_800_000_000 * NS_PER_S

    def now_ns(self) -> Nanos:
        return Nanos(self.now)

    def sleep_s(self, seconds: float) -> None:
        self.now += max(1, round(seconds * NS_PER_S))


class ScriptedFeed:
    """A paced feed that does something at an event."""

    def __init__(self, feed: PacedFeed, script: dict[int, object]) -> None:
        self._feed = feed
        self._script = script

    @property
    def instrument(self) -> Instrument:
        return self._feed.instrument

    @property
    def report(self) -> TapeReport:
        return self._feed.report

    def events(self) -> Iterator[FeedEvent]:
        for number, event in enumerate(self._feed.events()):
            act = self._script.get(number)
            if callable(act):
                act()
            yield event


class Scene:
    """A store with a policy, a run, and a market of half a minute."""

    def __init__(self) -> None:
        self.store = MemoryJournal()
        self.clock = TurnedClock()
        self.store.append_policy(policy_record(quote_size_lots=40, inventory_soft_lots=200))
        market = SimulatedMarket(np.random.default_rng(5), duration_s=30)
        self.feed = PacedFeed(market, self.clock)
        self.run: Run = open_run(self.store, self.clock, self.feed, seed=5)
        self.stop = threading.Event()

    def serve(self, script: dict[int, object] | None = None) -> int:
        return serve(
            self.store,
            ScriptedFeed(self.feed, script or {}),
            self.run,
            epoch_length_s=5,
            stop=self.stop,
        )


def test_epochs_close_by_the_clock_and_leave_slices() -> None:
    scene = Scene()
    closed = scene.serve()
    assert closed == 5
    slices = [scene.store.slice(scene.run.run_id, epoch) for epoch in range(closed)]
    assert all(one is not None and one.events > 0 for one in slices)
    assert scene.store.latest_run() == scene.run


def test_a_stop_ends_the_loop_with_everything_journalled() -> None:
    scene = Scene()
    assert scene.serve({300: scene.stop.set}) < 5
    assert scene.store.decisions(scene.run.run_id)


def test_a_kill_stops_the_decisions_and_a_release_closes_what_was_missed() -> None:
    scene = Scene()
    seen: list[int] = []

    def kill() -> None:
        scene.store.kill(reason="test", operator="me", now_ns=scene.clock.now_ns())

    def release() -> None:
        seen.append(len(scene.store.decisions(scene.run.run_id)))
        scene.store.release_kill(
            kill_id=1, order_sequence=1, operator="owners", now_ns=scene.clock.now_ns()
        )

    closed = scene.serve({200: kill, 800: release})
    assert closed == 5
    decided = scene.store.decisions(scene.run.run_id)
    assert len(decided) > seen[0]
    gaps_ns = np.diff([record.decided_at_ns for record in decided])
    assert gaps_ns.max() > 10 * NS_PER_S


def test_a_hedge_is_booked_once_whenever_its_job_comes() -> None:
    scene = Scene()
    hedges = Hedges(scene.store, "run")
    assert hedges.new(1) == ()
    hedge = fill(Side.SELL, 1_000, 5, ordinal=7, is_hedge=True)
    scene.store.append_fills([hedge, fill(Side.BUY, 1_000, 5)], [])
    assert hedges.new(1) == (hedge,)
    assert hedges.new(2) == ()
    assert hedges.new(9) == ()


def test_a_run_of_its_own_begins_with_every_start() -> None:
    scene = Scene()
    scene.clock.sleep_s(1)
    again = open_run(scene.store, scene.clock, scene.feed, seed=5)
    assert again.run_id != scene.run.run_id


@pytest.mark.parametrize("seed", [1, 2])
def test_the_market_of_a_session_starts_with_a_snapshot(seed: int) -> None:
    market = SimulatedMarket(np.random.default_rng(seed), duration_s=None)
    first = next(market.events())
    assert isinstance(first, DepthUpdate)
    assert first.is_snapshot

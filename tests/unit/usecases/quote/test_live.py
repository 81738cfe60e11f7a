"""The worker's loop in real time, on a clock that only sleeping moves."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from journal_memory import MemoryJournal
from trading_values import fill, policy_record

from dmm.adapters.venues.paper import PaperVenue
from dmm.entrypoints.worker import open_run
from dmm.market.health import FEED_AGE_NS_MAX
from dmm.market.instrument import Side
from dmm.market.tape import FeedEvent
from dmm.market.view import MarketView
from dmm.ports import Run
from dmm.quoting.decision import DecisionRecord
from dmm.risk.breaker import Posture
from dmm.sandbox.market import PacedFeed, SimulatedMarket
from dmm.units.errors import JournalStalled, ServiceFault
from dmm.units.time import NS_PER_S, Nanos
from dmm.usecases.epoch_inputs import epoch_inputs
from dmm.usecases.quote import QuotingWorker, WorkerSettings
from dmm.usecases.quote_live import TICK_S, Hedges, LiveLoop
from dmm.usecases.situation import EpochInputs
from dmm.usecases.surroundings import USUAL, Surroundings


class TurnedClock:
    def __init__(self) -> None:
        self.now = 1_800_000_000 * NS_PER_S

    def now_ns(self) -> Nanos:
        return Nanos(self.now)

    def sleep_s(self, seconds: float) -> None:
        self.now += max(1, round(seconds * NS_PER_S))


class ScriptedIntake:
    """Hands over a feed's events one by one and does something before some of them.

    An act that returns SILENT stands for a wait in which no event came.
    """

    def __init__(self, feed: PacedFeed, script: dict[int, Callable[[], object]]) -> None:
        self._events = feed.events()
        self._script = script
        self._number = -1
        self.ended = False

    def take(self, timeout_s: float) -> FeedEvent | None:
        assert timeout_s == TICK_S
        self._number += 1
        act = self._script.get(self._number)
        if act is not None and act() is SILENT:
            return None
        event = next(self._events, None)
        self.ended = event is None
        return event


SILENT = object()


class StallingStore(MemoryJournal):
    """Takes nothing while it is stalled."""

    stalled = False

    def append_decisions(self, records: Sequence[DecisionRecord]) -> None:
        if self.stalled:
            raise JournalStalled("4096 batches wait")
        super().append_decisions(records)


class Scene:
    """A store with a policy, a run, and a market of half a minute."""

    def __init__(self) -> None:
        self.store = StallingStore()
        self.clock = TurnedClock()
        self.store.append_policy(policy_record(quote_size_lots=40, inventory_soft_lots=200))
        market = SimulatedMarket(np.random.default_rng(5), duration_s=30)
        self.feed = PacedFeed(market, self.clock)
        self.run: Run = open_run(self.store, self.clock, self.feed, seed=5)
        self.venue = PaperVenue(self.feed.instrument)
        self.worker = QuotingWorker(
            run_id=self.run.run_id,
            instrument=self.feed.instrument,
            venue=self.venue,
            store=self.store,
            settings=WorkerSettings(latch_every=1, batch_max=16),
        )
        self.stop = threading.Event()
        self.database_hangs = False
        self.surroundings = USUAL
        self.pulls = 0

    def serve(self, script: dict[int, Callable[[], object]] | None = None) -> int:
        hedges = Hedges(self.store, self.run.run_id)
        loop = LiveLoop(
            worker=self.worker,
            clock=self.clock,
            started_at_ns=self.run.started_at_ns,
            epoch_length_ns=5 * NS_PER_S,
            stopping=self.stop.is_set,
            kills_heard=lambda: self.pulls,
            inputs=self.inputs_of,
            new_hedges=hedges.new,
            surroundings=lambda: self.surroundings,
        )
        return loop.run(ScriptedIntake(self.feed, script or {}))

    def inputs_of(self, epoch: int) -> EpochInputs | None:
        return None if self.database_hangs else epoch_inputs(self.store, self.run.run_id, epoch)

    def pull(self) -> None:
        self.pulls += 1

    @property
    def decided(self) -> int:
        return len(self.store.decisions(self.run.run_id))


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


def test_a_kill_on_the_line_holds_until_the_latch_was_seen_and_released() -> None:
    scene = Scene()
    postures: list[Posture] = []

    def note() -> None:
        postures.append(scene.worker.posture)

    def latch() -> None:
        note()
        scene.store.kill(reason="test", operator="me", now_ns=scene.clock.now_ns())

    def release() -> None:
        note()
        scene.store.release_kill(
            kill_id=1, order_sequence=1, operator="owners", now_ns=scene.clock.now_ns()
        )

    scene.serve({200: scene.pull, 400: latch, 500: release, 800: note})
    assert postures[:2] == [Posture.KILLED, Posture.KILLED]
    assert postures[2].may_quote


def test_a_second_pull_after_the_release_stops_the_desk_again() -> None:
    scene = Scene()
    postures: list[Posture] = []

    def note() -> None:
        postures.append(scene.worker.posture)

    def kill() -> None:
        scene.pull()
        scene.store.kill(reason="test", operator="me", now_ns=scene.clock.now_ns())

    def release() -> None:
        scene.store.release_kill(
            kill_id=1, order_sequence=1, operator="owners", now_ns=scene.clock.now_ns()
        )

    scene.serve({200: kill, 300: release, 600: note, 601: scene.pull, 650: note})
    assert postures[0].may_quote
    assert postures[1] is Posture.KILLED


def test_a_database_that_hangs_holds_up_neither_quotes_nor_a_kill() -> None:
    scene = Scene()
    seen: list[tuple[int, int]] = []

    def note() -> None:
        seen.append((scene.decided, len(scene.venue.open_orders)))

    def hang() -> None:
        note()
        scene.database_hangs = True

    def back() -> None:
        scene.database_hangs = False

    closed = scene.serve({200: hang, 700: note, 701: scene.pull, 760: note, 761: back})
    assert seen[1][0] > seen[0][0]
    assert seen[1][1] > 0
    assert seen[2][1] == 0
    assert closed < 5


def test_an_epoch_stays_open_until_what_follows_is_known() -> None:
    scene = Scene()

    def hang() -> None:
        scene.database_hangs = True

    def back() -> None:
        scene.database_hangs = False

    assert scene.serve({200: hang, 800: back}) == 5


def test_a_worker_without_its_first_inputs_never_quotes_and_says_so() -> None:
    scene = Scene()
    scene.database_hangs = True
    with pytest.raises(ServiceFault, match="check the database"):
        scene.serve()
    assert scene.decided == 0


def test_a_kill_on_the_line_cancels_everything_although_the_journal_is_stalled() -> None:
    scene = Scene()
    left: list[int] = []

    def pull() -> None:
        scene.store.stalled = True
        scene.pull()

    def look() -> object:
        left.append(len(scene.venue.open_orders))
        return SILENT

    scene.serve(
        {200: look, 201: pull, 260: look, 261: lambda: setattr(scene.store, "stalled", False)}
    )
    assert left[0] > 0
    assert left[1] == 0


def test_a_silent_feed_leaves_no_order_after_one_tick_beyond_its_age() -> None:
    scene = Scene()
    left: list[int] = []

    def silence() -> object:
        left.append(len(scene.venue.open_orders))
        scene.clock.now += FEED_AGE_NS_MAX + 1
        return SILENT

    def look() -> object:
        scene.clock.sleep_s(0.01)  # the cancel is on its way for 5 ms
        scene.venue.advance(scene.clock.now_ns(), MarketView())
        left.append(len(scene.venue.open_orders))
        scene.stop.set()
        return SILENT

    scene.serve({200: silence, 201: look})
    assert left[0] > 0
    assert left[1] == 0


def test_a_stalled_journal_stops_quoting_and_keeps_the_epoch_open_until_it_takes_again() -> None:
    scene = Scene()
    seen: list[tuple[int, int, int]] = []

    def note() -> None:
        seen.append((scene.decided, len(scene.venue.open_orders), scene.worker.position.inventory))

    def stall() -> None:
        note()
        scene.store.stalled = True

    def go_on() -> None:
        note()
        scene.store.stalled = False

    closed = scene.serve({200: stall, 800: go_on})
    assert seen[0][1] > 0
    assert seen[1][:2] == (seen[0][0], 0)
    assert closed == 5
    assert scene.decided > seen[1][0]


def test_a_coin_off_its_peg_pauses_the_desk_and_dear_gas_is_in_its_decisions() -> None:
    scene = Scene()
    seen: list[tuple[Posture, int]] = []

    def note() -> None:
        seen.append((scene.worker.posture, len(scene.venue.open_orders)))

    def off_par() -> None:
        note()
        scene.surroundings = Surroundings(gas_ratio_bps=25_000, depegged=True)

    def par() -> None:
        note()
        scene.surroundings = USUAL

    scene.serve({200: off_par, 500: par, 900: note})
    (before, open_before), (off, open_off), (after, _) = seen
    assert before.may_quote
    assert open_before > 0
    assert (off, open_off) == (Posture.PAUSED, 0)
    assert after.may_quote
    bodies = [json.loads(record.body) for record in scene.store.decisions(scene.run.run_id)]
    told = {(body["gas_ratio_bps"], body["depegged"]) for body in bodies}
    assert told == {(10_000, False), (25_000, True)}


def test_a_hedge_is_booked_once_whenever_its_job_comes() -> None:
    scene = Scene()
    hedges = Hedges(scene.store, "run")
    assert hedges.new(1) == ()
    hedge = fill(Side.SELL, 1_000, 5, ordinal=7, is_hedge=True)
    scene.store.append_fills([hedge, fill(Side.BUY, 1_000, 5)], [])
    assert hedges.new(1) == (hedge,)
    assert hedges.new(2) == ()
    assert hedges.new(9) == ()

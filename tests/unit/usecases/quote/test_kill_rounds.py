"""A kill at a venue that loses cancels: again each second, and in the end a person is called."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from ports_memory import MemoryStore
from trading_values import LINEAR, MEASURED, at_ms, depth, order, policy_record

from dmm import observe
from dmm.adapters.venues.paper import PaperVenue
from dmm.market.instrument import Side
from dmm.market.view import MarketView
from dmm.risk.kill import ROUNDS_MAX
from dmm.risk.reconcile import VenueReport
from dmm.units.errors import Retryable
from dmm.units.time import NS_PER_S, Nanos
from dmm.usecases.quote import QuotingWorker, WorkerSettings
from dmm.usecases.situation import EpochInputs

BOOK = ([(618_000, 50), (617_990, 80)], [(618_010, 50), (618_020, 80)])


class Lossy(PaperVenue):
    """Loses a kill's cancel of everything, and cancels of orders until a number of them came."""

    def __init__(self, *, lost_rounds: int) -> None:
        super().__init__(LINEAR)
        self.lost_rounds = lost_rounds
        self.is_killed = self.is_mute = False
        self.asked: list[tuple[Nanos, str]] = []

    def cancel_all(self, *, now_ns: Nanos) -> None:
        if not self.is_killed:
            super().cancel_all(now_ns=now_ns)

    def cancel(self, client_id: str, *, now_ns: Nanos) -> None:
        self.asked.append((now_ns, client_id))
        if len({at for at, _ in self.asked}) > self.lost_rounds:
            super().cancel(client_id, now_ns=now_ns)

    def arm(self, *, until_ns: Nanos) -> None:
        """Have no dead man's switch that would do it for us."""

    def statement(self, *, now_ns: Nanos, cursor: int) -> VenueReport:
        if self.is_mute:
            raise Retryable("the venue does not answer")
        return super().statement(now_ns=now_ns, cursor=cursor)


class Scene:
    def __init__(self, *, lost_rounds: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.venue = Lossy(lost_rounds=lost_rounds)
        self.store = MemoryStore()
        self.called: list[tuple[str, int, int]] = []
        monkeypatch.setattr(
            observe,
            "orders_left",
            lambda *, venue, orders, rounds: self.called.append((venue, orders, rounds)),
        )
        self.worker = QuotingWorker(
            run_id="run",
            instrument=LINEAR,
            venue=self.venue,
            store=self.store,
            settings=WorkerSettings(latch_every=1),
        )
        self.worker.begin_epoch(
            0,
            started_at_ns=at_ms(0),
            inputs=EpochInputs(policy=policy_record(), estimates=MEASURED),
        )
        for at in range(0, 1_000, 100):
            self.worker.on_event(depth(at, *BOOK, is_snapshot=at == 0))
        assert len(self.open_ids()) == 6
        self.venue.asked.clear()
        self.venue.is_killed = True

    def kill(self) -> None:
        self.store.kill(reason="drill", operator="ann", now_ns=at_ms(1_000))
        self.worker.kill(at_ms(1_000))

    def tick(self, seconds: int) -> None:
        """Let time pass in ticks of 100 ms without an event, as when the feed is gone too."""
        for tick in range(10 * seconds):
            now_ns = Nanos(at_ms(1_100) + tick * NS_PER_S // 10)
            for report in self.venue.advance(now_ns, MarketView()):
                self.worker._take([report])
            self.worker.on_time(now_ns)

    def open_ids(self) -> list[str]:
        return [one.client_id for one in self.venue.open_orders]


def test_what_is_left_is_cancelled_again_each_second_until_it_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = Scene(lost_rounds=3, monkeypatch=monkeypatch)
    scene.kill()
    scene.tick(3)
    assert len(scene.open_ids()) == 6
    scene.tick(10)
    assert scene.open_ids() == []
    rounds = sorted({at for at, _ in scene.venue.asked})
    assert len(rounds) == 4
    assert all(later - sooner >= NS_PER_S for sooner, later in itertools.pairwise(rounds))
    assert not scene.called


def test_orders_that_no_cancel_reaches_call_a_person_once_and_end_the_rounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = Scene(lost_rounds=10**6, monkeypatch=monkeypatch)
    scene.kill()
    scene.tick(2 * ROUNDS_MAX)
    assert scene.called == [("paper", 6, ROUNDS_MAX)]
    assert len({at for at, _ in scene.venue.asked}) == ROUNDS_MAX


def test_an_order_that_only_the_venue_knows_is_cancelled_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = Scene(lost_rounds=0, monkeypatch=monkeypatch)
    stranger = dataclasses.replace(order(Side.BUY, 600_000, 5), client_id="stranger")
    scene.venue.submit(stranger)
    scene.venue.advance(at_ms(1_050), MarketView())
    scene.kill()
    for tick in range(20):
        scene.worker.on_time(Nanos(at_ms(1_100) + tick * NS_PER_S // 10))
    assert "stranger" in {client_id for _, client_id in scene.venue.asked}


def test_a_venue_that_does_not_answer_is_sent_cancels_of_what_our_books_hold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = Scene(lost_rounds=2, monkeypatch=monkeypatch)
    scene.venue.is_mute = True
    scene.kill()
    scene.tick(5)
    assert scene.open_ids() == []


def test_a_release_ends_the_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(lost_rounds=10**6, monkeypatch=monkeypatch)
    scene.kill()
    scene.tick(2)
    before = len(scene.venue.asked)
    assert before
    # The worker sees the latch before its release: a kill on the line waits for both.
    scene.worker.look_at_latch(at_ms(3_050))
    scene.store.release_kill(kill_id=1, order_sequence=1, operator="bob", now_ns=at_ms(3_100))
    scene.worker.look_at_latch(at_ms(3_100))
    assert not scene.worker.killed
    scene.worker.on_time(at_ms(3_900))
    assert len(scene.venue.asked) == before

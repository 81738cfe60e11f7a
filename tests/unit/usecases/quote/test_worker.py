"""The worker: silence, kills, limits, and the same again for the same events."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from ports_memory import MemoryStore
from trading_values import LINEAR, MEASURED, at_ms, depth, fill, policy_record, trade

from dmm.adapters.venues.paper import PaperVenue
from dmm.market.instrument import Side
from dmm.market.tape import FeedEvent
from dmm.ports import Latch
from dmm.quoting.online import STILL_CHANGES
from dmm.quoting.scale import Estimates
from dmm.risk.breaker import Posture
from dmm.units.errors import InvariantBroken, Retryable
from dmm.units.ids import ZERO_HASH, hash_link
from dmm.usecases.quote import QuotingWorker, WorkerSettings
from dmm.usecases.situation import EpochInputs

BOOK = ([(618_000, 50), (617_990, 80)], [(618_010, 50), (618_020, 80)])


class UnreadableStore(MemoryStore):
    """A store whose kill switch cannot be read once it is told so."""

    is_unreadable = False

    def latch(self) -> Latch | None:
        if self.is_unreadable:
            raise Retryable("the database does not answer: start it")
        return super().latch()


class Desk:
    """A worker in an open epoch, with the store it writes to."""

    def __init__(self, store: MemoryStore | None = None, **policy_changes: int) -> None:
        self.store = store or MemoryStore()
        self.venue = PaperVenue(LINEAR)
        self.worker = QuotingWorker(
            run_id="run",
            instrument=LINEAR,
            venue=self.venue,
            store=self.store,
            settings=WorkerSettings(latch_every=1),
        )
        self.inputs = EpochInputs(policy=policy_record(**policy_changes), estimates=MEASURED)
        self.worker.begin_epoch(0, started_at_ns=at_ms(0), inputs=self.inputs)

    def play(self, *events: FeedEvent) -> None:
        for event in events:
            self.worker.on_event(event)

    def start(self) -> None:
        """Show a book, and enough events to be fresh."""
        self.play(*calm(0, 1_000))

    def decisions(self) -> list[dict[str, Any]]:
        self.worker.shutdown()
        return [json.loads(record.body) for record in self.store.decisions("run")]


def calm(from_ms: int, to_ms: int, *, every_ms: int = 100) -> list[FeedEvent]:
    return [depth(at, *BOOK, is_snapshot=at == 0) for at in range(from_ms, to_ms, every_ms)]


def open_ids(desk: Desk) -> list[str]:
    return [order.client_id for order in desk.venue.open_orders]


def test_nothing_is_quoted_before_enough_fresh_events() -> None:
    desk = Desk()
    desk.play(*calm(0, 400))
    assert open_ids(desk) == []
    desk.play(*calm(400, 500))
    assert len(open_ids(desk)) == 6


def test_a_silence_cancels_everything_when_it_becomes_too_long() -> None:
    desk = Desk()
    desk.start()
    # A trade through all bids, 4 s after the last event: the orders were pulled a second before.
    desk.play(trade(4_900, 600_000, 500, buyer=False))
    assert desk.worker.position.inventory == 0
    assert open_ids(desk) == []


def test_a_silence_just_short_of_that_does_not() -> None:
    desk = Desk()
    desk.start()
    desk.play(trade(3_900, 600_000, 500, buyer=False))
    assert desk.worker.position.inventory == 10


def test_quotes_come_back_after_five_fresh_events() -> None:
    desk = Desk()
    desk.start()
    desk.play(*calm(5_000, 5_400))
    assert open_ids(desk) == []
    desk.play(*calm(5_400, 5_500))
    assert len(open_ids(desk)) == 6
    postures = [decision["posture"] for decision in desk.decisions()]
    assert "paused" in postures
    assert postures[-1] == "quoting"


def test_time_alone_pulls_the_quotes_of_a_live_loop() -> None:
    desk = Desk()
    desk.start()
    desk.worker.on_time(at_ms(3_900))
    assert len(open_ids(desk)) == 6
    desk.worker.on_time(at_ms(3_901))
    desk.venue.advance(at_ms(3_910), market=None)  # type: ignore[arg-type]
    assert open_ids(desk) == []


@pytest.mark.parametrize("is_unreadable", [False, True])
def test_a_kill_pulls_everything_and_stops_the_journal(
    is_unreadable: bool,
) -> None:
    store = UnreadableStore()
    desk = Desk(store)
    desk.start()
    if is_unreadable:
        store.is_unreadable = True
    else:
        store.kill(reason="test", operator="me", now_ns=at_ms(900))
    desk.play(*calm(1_000, 3_000))
    assert desk.worker.posture is Posture.KILLED
    assert open_ids(desk) == []
    decided = desk.decisions()
    assert len(decided) == 3
    assert decided[-1]["decided_at_ns"] < at_ms(1_000)


def test_a_killed_epoch_cannot_close() -> None:
    desk = Desk()
    desk.start()
    desk.store.kill(reason="test", operator="me", now_ns=at_ms(900))
    desk.play(*calm(1_000, 1_500))
    with pytest.raises(InvariantBroken, match="killed"):
        desk.worker.end_epoch(at_ms(2_000))
    assert desk.store.slice("run", 0) is None


def test_a_released_worker_quotes_again() -> None:
    desk = Desk()
    desk.start()
    latch = desk.store.kill(reason="test", operator="me", now_ns=at_ms(900))
    desk.play(*calm(1_000, 2_000))
    desk.store.release_kill(
        kill_id=latch.kill_id, order_sequence=1, operator="owners", now_ns=at_ms(2_000)
    )
    desk.play(*calm(2_000, 3_000))
    assert desk.worker.posture is Posture.QUOTING
    assert len(open_ids(desk)) == 6


def test_an_unchanged_market_leaves_the_orders_where_they_are() -> None:
    desk = Desk()
    desk.start()
    before = open_ids(desk)
    desk.play(*calm(1_000, 10_000))
    assert open_ids(desk) == before


def test_a_moved_market_moves_the_orders() -> None:
    desk = Desk()
    desk.start()
    before = set(open_ids(desk))
    moved = [(618_500, 50)], [(618_510, 50)]
    desk.play(depth(1_000, *moved, is_snapshot=True), *[depth(at) for at in range(1_100, 2_000, 9)])
    after = set(open_ids(desk))
    assert len(after) == 6
    assert not before & after


def test_fills_reach_the_store_with_their_postings_and_move_the_position() -> None:
    desk = Desk()
    desk.start()
    desk.play(trade(1_100, 600_000, 500, buyer=False), *calm(1_200, 1_900))
    summary = desk.worker.end_epoch(at_ms(2_000))
    fills = desk.store.fills("run", 0)
    assert sum(one.size for one in fills) == summary.position == 10
    assert summary.fills == len(fills) == 3
    assert summary.spread_captured_atoms > 0
    held = desk.store.balances("paper:run")["paper:run/BTC/position"]
    assert held == 10 * LINEAR.position_atoms_per_lot


def test_inventory_at_the_hard_limit_quotes_only_the_side_that_reduces_it() -> None:
    desk = Desk(inventory_soft_lots=5, inventory_hard_lots=10)
    desk.start()
    desk.play(trade(1_100, 600_000, 500, buyer=False), *calm(1_200, 2_500))
    assert desk.worker.posture is Posture.ONE_SIDED
    assert {order.side for order in desk.venue.open_orders} == {Side.SELL}


def test_a_drawdown_halts_until_a_person_resets_it() -> None:
    desk = Desk(drawdown_atoms_max=1_000_000)
    desk.start()
    desk.play(trade(1_100, 600_000, 500, buyer=False))
    crash = [(600_000, 50)], [(600_010, 50)]
    desk.play(depth(1_200, *crash, is_snapshot=True), *[depth(at) for at in range(1_300, 1_900, 9)])
    assert desk.worker.posture is Posture.HALTED
    desk.play(depth(2_000, *BOOK, is_snapshot=True), *calm(2_100, 4_000))
    assert desk.worker.posture is Posture.HALTED
    assert open_ids(desk) == []


def test_a_crossed_book_pauses() -> None:
    desk = Desk()
    desk.start()
    desk.play(depth(1_100, [(618_015, 1)]), *[depth(at) for at in range(1_200, 1_900, 9)])
    assert desk.worker.posture is Posture.PAUSED
    assert open_ids(desk) == []


def test_adopted_estimates_take_over_with_the_next_epoch() -> None:
    desk = Desk()
    desk.start()
    desk.worker.end_epoch(at_ms(1_000))
    adopted = Estimates(version=7, kappa_nano=123_000_000, sigma_microticks=90_000_000)
    desk.worker.begin_epoch(
        1, started_at_ns=at_ms(1_000), inputs=replace(desk.inputs, estimates=adopted)
    )
    desk.play(*calm(1_000, 2_000))
    before, last = desk.decisions()[0], desk.decisions()[-1]
    assert (before["epoch"], before["estimate_version"]) == (0, MEASURED.version)
    assert (last["epoch"], last["estimate_version"]) == (1, 7)
    assert (last["kappa_nano"], last["sigma_microticks"]) == (123_000_000, 90_000_000)


def held_for(desk: Desk) -> list[list[str]]:
    return [decision["refused"] for decision in desk.decisions()]


def test_nothing_is_quoted_on_what_nobody_measured_yet() -> None:
    desk = Desk()
    desk.worker.end_epoch(at_ms(0))
    desk.worker.begin_epoch(1, started_at_ns=at_ms(0), inputs=replace(desk.inputs, estimates=None))
    desk.play(*calm(0, 2_000))
    assert not open_ids(desk)
    # The mid moves at 2 s, the grid tells it a second later; five trades below it tell κ.
    higher = ([(618_010, 50)], [(618_000, 0), (618_010, 0)])
    desk.play(depth(2_000, *higher), depth(2_100, [], [(618_030, 40)]))
    desk.play(*(depth(at, [], [(618_030, 40)]) for at in range(2_200, 4_000, 100)))
    assert not open_ids(desk)
    desk.play(*(trade(4_000 + at, 617_990, 3, buyer=False) for at in range(5)))
    desk.play(*(depth(at, [], [(618_030, 40)]) for at in range(4_100, 5_500, 100)))
    assert open_ids(desk)
    reasons = held_for(desk)
    told = [reason for at, reason in enumerate(reasons) if reason and reason != reasons[at - 1]]
    assert told == [["sigma_not_positive", "kappa_not_positive"], ["kappa_not_positive"]]
    assert reasons[-1] == []


def test_a_book_that_stands_still_for_the_models_horizon_is_not_quoted_until_it_moves() -> None:
    desk = Desk()
    last_ms = (STILL_CHANGES + 3) * 1_000
    desk.play(*calm(0, last_ms - 4_000, every_ms=500))
    assert open_ids(desk)
    desk.play(*calm(last_ms - 4_000, last_ms, every_ms=500))
    assert not open_ids(desk)
    assert held_for(desk)[-1] == ["book_stands_still"]
    desk.play(depth(last_ms, [(618_000, 0)], []))
    desk.play(*(depth(last_ms + at, [], [(618_020, 80)]) for at in range(500, 3_000, 500)))
    assert open_ids(desk)


def test_hedges_change_the_inventory_from_the_start_of_the_epoch() -> None:
    desk = Desk()
    desk.start()
    desk.play(trade(1_100, 600_000, 500, buyer=False))
    desk.worker.end_epoch(at_ms(1_200))
    hedge = fill(Side.SELL, 617_000, 10, ordinal=1_000_000, is_hedge=True)
    desk.worker.begin_epoch(
        1, started_at_ns=at_ms(1_200), inputs=replace(desk.inputs, hedges=(hedge,))
    )
    assert desk.worker.position.inventory == 0


def test_epochs_follow_one_another() -> None:
    desk = Desk()
    with pytest.raises(InvariantBroken, match="cannot begin"):
        desk.worker.begin_epoch(1, started_at_ns=at_ms(0), inputs=desk.inputs)
    desk.worker.end_epoch(at_ms(10))
    with pytest.raises(InvariantBroken, match="cannot end"):
        desk.worker.end_epoch(at_ms(20))
    with pytest.raises(InvariantBroken, match="cannot begin"):
        desk.worker.begin_epoch(2, started_at_ns=at_ms(10), inputs=desk.inputs)


def test_a_clock_that_steps_back_does_not_turn_time_back() -> None:
    desk = Desk()
    desk.start()
    desk.play(depth(500), *calm(1_000, 2_000))
    times = [decision["decided_at_ns"] for decision in desk.decisions()]
    assert times == sorted(times)


def test_every_decision_links_to_the_one_before() -> None:
    desk = Desk()
    desk.start()
    desk.play(*calm(1_000, 5_000))
    desk.worker.shutdown()
    head = ZERO_HASH
    records = desk.store.decisions("run")
    assert [record.seq for record in records] == list(range(len(records)))
    for record in records:
        assert record.previous_hash == head
        head = hash_link(head, record.body)
        assert record.link_hash == head

"""A drawdown's halt: latched, obeyed after a restart, reset by a person; no play knows of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ports_memory import MemoryStore
from trading_values import LINEAR, MEASURED, at_ms, depth, policy_record, trade

from dmm.adapters.venues.paper import PaperVenue
from dmm.market.tape import FeedEvent
from dmm.ports import HaltLatch
from dmm.risk.breaker import Posture
from dmm.units.errors import Retryable
from dmm.units.time import NS_PER_MS
from dmm.usecases.halt_watch import HaltWatch
from dmm.usecases.quote import QuotingWorker, WorkerSettings
from dmm.usecases.situation import EpochInputs

BOOK = ([(618_000, 50), (617_990, 80)], [(618_010, 50), (618_020, 80)])
CRASHED = ([(600_000, 50)], [(600_010, 50)])


class Present:
    """Live controls on a store, written late and unreadable when told; with a clock's offset."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.waiting: list[dict[str, Any]] = []
        self.is_late = self.is_unreadable = False
        self.offset_ns: int | None = 0

    def halt(self, **latch: Any) -> None:
        self.waiting.append(latch)
        if not self.is_late:
            self.write()

    def write(self) -> None:
        while self.waiting:
            self.store.halt(**self.waiting.pop(0))

    def halted(self) -> HaltLatch | None:
        if self.is_unreadable:
            raise Retryable("the database does not answer")
        return self.store.halted()

    def clock_offset_ns(self) -> int | None:
        return self.offset_ns


class Desk:
    def __init__(self, store: MemoryStore | None = None, *, is_live: bool = True) -> None:
        self.store = store or MemoryStore()
        self.present = Present(self.store)
        self.venue = PaperVenue(LINEAR)
        self.worker = QuotingWorker(
            run_id="run",
            instrument=LINEAR,
            venue=self.venue,
            store=MemoryStore() if is_live else self.store,
            settings=WorkerSettings(latch_every=1),
            live=self.present if is_live else None,
        )
        inputs = EpochInputs(policy=policy_record(drawdown_atoms_max=1_000_000), estimates=MEASURED)
        self.worker.begin_epoch(0, started_at_ns=at_ms(0), inputs=inputs)

    def play(self, *events: FeedEvent) -> None:
        for event in events:
            self.worker.on_event(event)

    def lose(self) -> None:
        """Buy at the bid, then let the market fall."""
        self.play(*calm(0, 1_000), trade(1_100, 600_000, 500, buyer=False))
        self.play(depth(1_200, *CRASHED, is_snapshot=True), *still(1_300, 1_900))

    @property
    def open_orders(self) -> int:
        return len(self.venue.open_orders)

    def reset(self, at: int) -> None:
        self.store.reset_halt(operator="ann", reason="hedged by hand", now_ns=at_ms(at))


def calm(from_ms: int, to_ms: int) -> list[FeedEvent]:
    return [depth(at, *BOOK, is_snapshot=at == 0) for at in range(from_ms, to_ms, 100)]


def still(from_ms: int, to_ms: int) -> list[FeedEvent]:
    return [depth(at) for at in range(from_ms, to_ms, 90)]


def test_a_drawdown_is_latched_once_with_its_amount_and_its_run() -> None:
    desk = Desk()
    desk.lose()
    desk.play(*still(2_000, 4_000))
    halt = desk.store.halted()
    assert halt is not None
    assert (halt.halt_id, halt.halted, halt.run_id) == (1, True, "run")
    assert halt.reason.startswith("drawdown of ")
    assert [action for action, _, _ in desk.store.audit] == ["halt"]
    assert (desk.worker.posture, desk.open_orders) == (Posture.HALTED, 0)


def test_a_worker_that_starts_while_halted_quotes_nothing_until_the_reset() -> None:
    store = MemoryStore()
    store.halt(run_id="before", reason="drawdown", now_ns=at_ms(0))
    desk = Desk(store)
    desk.play(*calm(0, 3_000))
    assert (desk.worker.posture, desk.open_orders) == (Posture.HALTED, 0)
    desk.reset(3_000)
    desk.play(*calm(3_000, 4_000))
    assert (desk.worker.posture, desk.open_orders) == (Posture.QUOTING, 6)


def test_another_workers_halt_pulls_the_quotes() -> None:
    desk = Desk()
    desk.play(*calm(0, 1_000))
    assert desk.open_orders == 6
    desk.store.halt(run_id="other", reason="drawdown", now_ns=at_ms(1_000))
    desk.play(*calm(1_000, 2_000))
    assert (desk.worker.posture, desk.open_orders) == (Posture.HALTED, 0)


def test_a_reset_starts_the_drawdown_anew_and_the_next_one_halts_again() -> None:
    desk = Desk()
    desk.lose()
    desk.reset(2_000)
    desk.play(*still(2_000, 3_000))
    assert desk.worker.posture.may_quote
    desk.play(depth(3_000, [(580_000, 50)], [(580_010, 50)], is_snapshot=True))
    desk.play(*still(3_100, 4_000))
    assert desk.worker.posture is Posture.HALTED
    halt = desk.store.halted()
    assert halt is not None
    assert (halt.halt_id, halt.halted) == (2, True)


def test_a_halt_that_is_still_being_written_holds() -> None:
    desk = Desk()
    desk.present.is_late = True
    desk.lose()
    desk.play(*still(2_000, 6_000))
    assert (desk.worker.posture, desk.store.halted()) == (Posture.HALTED, None)
    desk.present.write()
    desk.play(*still(6_000, 7_000))
    assert desk.worker.posture is Posture.HALTED
    desk.reset(7_000)
    desk.play(*still(7_000, 8_000))
    assert desk.worker.posture.may_quote


def test_a_halt_and_its_reset_between_two_looks_are_both_seen() -> None:
    present = Present(MemoryStore())
    watch = HaltWatch(present, "run")
    assert not watch.holds()
    watch.latch(reason="drawdown", now_ns=at_ms(1))
    present.store.reset_halt(operator="ann", reason="fine", now_ns=at_ms(2))
    assert not watch.holds()


@pytest.mark.parametrize("is_late", [False, True])
def test_an_older_reset_opens_no_newer_halt(is_late: bool) -> None:
    present = Present(MemoryStore())
    watch = HaltWatch(present, "run")
    present.store.halt(run_id="run", reason="drawdown", now_ns=at_ms(1))
    present.store.reset_halt(operator="ann", reason="fine", now_ns=at_ms(2))
    assert not watch.holds()
    present.is_late = is_late
    watch.latch(reason="drawdown", now_ns=at_ms(3))
    assert watch.holds()


def test_an_unreadable_halt_latch_loosens_nothing() -> None:
    present = Present(MemoryStore())
    watch = HaltWatch(present, "run")
    watch.latch(reason="drawdown", now_ns=at_ms(1))
    assert watch.holds()
    present.is_unreadable = True
    assert watch.holds()


def test_a_kill_and_its_release_leave_the_halt_as_it_is() -> None:
    store = MemoryStore()
    desk = Desk(store)
    desk.lose()
    killed: MemoryStore = desk.worker._store  # type: ignore[assignment]
    killed.kill(reason="drill", operator="ann", now_ns=at_ms(2_000))
    desk.play(*still(2_000, 3_000))
    assert desk.worker.posture is Posture.KILLED
    killed.release_kill(kill_id=1, order_sequence=1, operator="bob", now_ns=at_ms(3_000))
    desk.play(*still(3_000, 4_000))
    assert desk.worker.posture is Posture.HALTED


def test_a_play_takes_its_halt_from_the_tape_alone() -> None:
    store = MemoryStore()
    store.halt(run_id="before", reason="drawdown", now_ns=at_ms(0))
    desk = Desk(store, is_live=False)
    desk.play(*calm(0, 1_000))
    assert desk.open_orders == 6
    store.reset_halt(operator="ann", reason="fine", now_ns=at_ms(1))
    desk.play(trade(1_100, 600_000, 500, buyer=False))
    desk.play(depth(1_200, *CRASHED, is_snapshot=True), *still(1_300, 4_000))
    assert desk.worker.posture is Posture.HALTED
    halt = store.halted()
    assert halt is not None
    assert not halt.halted


@pytest.mark.parametrize(
    ("offset_ns", "posture"),
    [
        (250 * NS_PER_MS, Posture.QUOTING),
        (-250 * NS_PER_MS, Posture.QUOTING),
        (250 * NS_PER_MS + 1, Posture.PAUSED),
        (-250 * NS_PER_MS - 1, Posture.PAUSED),
        (None, Posture.PAUSED),
    ],
)
def test_a_clock_more_than_a_quarter_second_off_or_unmeasured_quotes_nothing(
    offset_ns: int | None, posture: Posture
) -> None:
    desk = Desk()
    desk.present.offset_ns = offset_ns
    desk.play(*calm(0, 1_000))
    assert desk.worker.posture is posture
    assert (desk.open_orders > 0) is posture.may_quote
    desk.worker.shutdown()
    journal: MemoryStore = desk.worker._store  # type: ignore[assignment]
    last = json.loads(journal.decisions("run")[-1].body)
    assert last["clock_offset_ns"] == offset_ns


def test_a_clock_of_a_play_is_the_recorders() -> None:
    desk = Desk(is_live=False)
    desk.present.offset_ns = None
    desk.play(*calm(0, 1_000))
    assert desk.open_orders == 6

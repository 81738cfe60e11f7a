"""The worker's journal that never makes it wait."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import pytest
from ports_memory import MemoryStore
from trading_values import at_ms

from dmm.adapters.write_behind import LiveJournal, WriteBehind
from dmm.ports import Controls, Latch
from dmm.quoting.decision import DecisionRecord
from dmm.units.errors import InvariantBroken, JournalStalled, Retryable
from dmm.units.ids import ZERO_HASH, hash_link
from dmm.units.time import NS_PER_MS, Nanos

WAIT_S = 5.0


def chain(count: int) -> list[DecisionRecord]:
    records: list[DecisionRecord] = []
    head = ZERO_HASH
    for seq in range(count):
        body = b"%d" % seq
        link = hash_link(head, body)
        records.append(
            DecisionRecord(
                run_id="run",
                seq=seq,
                epoch=0,
                decided_at_ns=at_ms(seq),
                body=body,
                previous_hash=head,
                link_hash=link,
            )
        )
        head = link
    return records


class StalledStore(MemoryStore):
    """Hangs in every append until it is let go, as on a stalled disk."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()

    def append_decisions(self, records: Sequence[DecisionRecord]) -> None:
        assert self.go.wait(WAIT_S)
        super().append_decisions(records)


class FlakyStore(MemoryStore):
    """Cannot be reached for the first calls."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.left = failures

    def append_decisions(self, records: Sequence[DecisionRecord]) -> None:
        if self.left:
            self.left -= 1
            raise Retryable("database unreachable")
        super().append_decisions(records)


class Unreadable(MemoryStore):
    """Its kill switch can be read until it cannot."""

    lost = False

    def latch(self) -> Latch | None:
        if self.lost:
            raise Retryable("database unreachable")
        return super().latch()


def again_and_again(call: Callable[[], object]) -> None:
    for _ in range(500):
        call()
        threading.Event().wait(0.01)


def test_a_stalled_disk_never_holds_up_the_worker_and_a_full_queue_says_so() -> None:
    store = StalledStore()
    records = chain(4)
    journal = WriteBehind(store, latch_store=MemoryStore(), pending_max=3)
    with journal:
        for record in records[:3]:
            journal.append_decisions([record])
        with pytest.raises(JournalStalled, match="3 batches wait"):
            journal.append_decisions(records[3:])
        assert store.decisions("run") == []
        store.go.set()
    assert store.decisions("run") == records[:3]


def test_what_waits_is_written_in_order_before_the_journal_closes() -> None:
    store = MemoryStore()
    with WriteBehind(store, latch_store=store) as journal:
        for record in chain(50):
            journal.append_decisions([record])
    assert store.decisions("run") == chain(50)


def test_a_write_is_tried_again_while_the_database_is_away() -> None:
    store = FlakyStore(2)
    journal = WriteBehind(store, latch_store=store)
    with journal:
        journal.append_decisions(chain(1))
        for _ in range(500):
            if not journal.pending:
                break
            threading.Event().wait(0.01)
    assert store.decisions("run") == chain(1)


def test_a_broken_chain_reaches_the_worker_at_its_next_append() -> None:
    store = MemoryStore()
    journal = WriteBehind(store, latch_store=store)
    journal.__enter__()
    journal.append_decisions(chain(3)[1:])
    with pytest.raises(InvariantBroken):
        again_and_again(lambda: journal.append_fills([], []))
    with pytest.raises(InvariantBroken):
        journal.close()


def test_a_kill_reaches_the_worker_while_the_disk_stalls() -> None:
    stalled, switch = StalledStore(), MemoryStore()
    with WriteBehind(stalled, latch_store=switch, latch_poll_s=0.005) as journal:
        journal.append_decisions(chain(1))
        assert journal.latch() is None
        switch.kill(reason="test", operator="me", now_ns=at_ms(1))
        for _ in range(500):
            seen = journal.latch()
            if seen is not None:
                break
            threading.Event().wait(0.01)
        assert seen is not None
        assert seen.killed
        stalled.go.set()


def test_a_switch_that_cannot_be_read_is_unreadable_once_its_last_reading_is_old() -> None:
    switch = Unreadable()
    with WriteBehind(
        MemoryStore(), latch_store=switch, latch_poll_s=0.005, latch_age_s_max=0.05
    ) as journal:
        assert journal.latch() is None
        switch.lost = True
        with pytest.raises(Retryable, match="could not be read"):
            again_and_again(journal.latch)


def test_a_switch_never_read_is_unreadable() -> None:
    switch = Unreadable()
    switch.lost = True
    with (
        WriteBehind(MemoryStore(), latch_store=switch) as journal,
        pytest.raises(Retryable, match="could not be read"),
    ):
        journal.latch()


# -- what only the present has


class HostClock:
    """This host's clock; a test turns it."""

    def __init__(self) -> None:
        self.now = at_ms(0)

    def now_ns(self) -> Nanos:
        return self.now

    def sleep_s(self, seconds: float) -> None:
        raise AssertionError(f"nobody waits {seconds} s here")


class Controlled(Unreadable):
    """A database whose clock is `ahead_ms` of the host's and whose answers take `late_ms`."""

    def __init__(self, clock: HostClock, *, ahead_ms: int = 0, late_ms: int = 0) -> None:
        super().__init__()
        self._clock, self._ahead_ms, self._late_ms = clock, ahead_ms, late_ms

    def controls(self) -> Controls:
        if self.lost:
            raise Retryable("database unreachable")
        half_ns = self._late_ms * NS_PER_MS // 2
        at_ns = Nanos(self._clock.now + half_ns + self._ahead_ms * NS_PER_MS)
        self._clock.now = Nanos(self._clock.now + 2 * half_ns)
        return Controls(kill=self.latch(), halt=self.halted(), database_at_ns=at_ns)


def live(store: MemoryStore, switch: Controlled, clock: HostClock) -> LiveJournal:
    return LiveJournal(
        store, latch_store=switch, clock=clock, latch_poll_s=0.005, latch_age_s_max=0.2
    )


def test_a_halt_never_waits_for_the_disk_and_is_written_after_what_came_before() -> None:
    clock = HostClock()
    store = StalledStore()
    with live(store, Controlled(clock), clock) as journal:
        journal.append_decisions(chain(1))
        journal.halt(run_id="run", reason="drawdown", now_ns=at_ms(1))
        assert store.halted() is None
        store.go.set()
    halt = store.halted()
    assert halt is not None
    assert (halt.halted, halt.run_id) == (True, "run")
    assert store.decisions("run") == chain(1)


def test_a_full_queue_still_takes_a_halt() -> None:
    clock, store = HostClock(), StalledStore()
    journal = LiveJournal(store, latch_store=Controlled(clock), clock=clock, pending_max=1)
    with journal:
        records = chain(2)
        journal.append_decisions(records[:1])
        with pytest.raises(JournalStalled):
            journal.append_decisions(records[1:])
        journal.halt(run_id="run", reason="drawdown", now_ns=at_ms(1))
        store.go.set()
    assert store.halted() is not None


def test_halt_and_kill_reach_the_worker_with_the_same_look() -> None:
    clock = HostClock()
    switch = Controlled(clock)
    with live(MemoryStore(), switch, clock) as journal:
        assert journal.halted() is None
        switch.halt(run_id="run", reason="drawdown", now_ns=at_ms(1))
        for _ in range(500):
            seen = journal.halted()
            if seen is not None:
                break
            threading.Event().wait(0.01)
        assert seen == switch.halted()
        assert journal.latch() is None
        switch.lost = True
        with pytest.raises(Retryable, match="could not be read"):
            again_and_again(journal.halted)


@pytest.mark.parametrize("ahead_ms", [0, 400, -400])
def test_the_clocks_offset_is_the_databases_time_less_ours(ahead_ms: int) -> None:
    clock = HostClock()
    with live(MemoryStore(), Controlled(clock, ahead_ms=ahead_ms, late_ms=8), clock) as journal:
        assert journal.clock_offset_ns() == ahead_ms * NS_PER_MS


def test_an_answer_too_slow_tells_no_time() -> None:
    clock = HostClock()
    with live(MemoryStore(), Controlled(clock, late_ms=1_002), clock) as journal:
        assert journal.clock_offset_ns() is None

"""The worker's journal that never makes it wait: the line, who keeps it, and its own process."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import journal_samples as make
import pytest
from ports_memory import MemoryStore
from trading_values import at_ms, policy_record

from dmm.adapters.clock import SystemClock
from dmm.adapters.journal import link as link_module
from dmm.adapters.journal.keeper import Answer, Keeper
from dmm.adapters.journal.link import JournalLink
from dmm.adapters.journal.process import journal_process
from dmm.adapters.journal.wire import Kind, frames, pack
from dmm.adapters.postgres.store import PostgresStore
from dmm.ports import Clock, Controls, Run
from dmm.quoting.decision import DecisionRecord
from dmm.units.errors import InvariantBroken, JournalStalled, Retryable, ServiceFault
from dmm.units.ids import ZERO_HASH, hash_link
from dmm.units.time import NS_PER_MS, Nanos
from dmm.usecases.situation import EpochInputs

WAIT_S = 5.0
WRITER = [sys.executable, "-m", "dmm.entrypoints.journal_writer"]


def chain(count: int, *, repeats: int = 1) -> list[DecisionRecord]:
    records: list[DecisionRecord] = []
    head = ZERO_HASH
    for seq in range(count):
        body = b"%d" % seq * repeats
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

    def controls(self) -> Controls:
        if self.lost:
            raise Retryable("database unreachable")
        return super().controls()


@contextlib.contextmanager
def journal_of(
    store: MemoryStore,
    switches: MemoryStore,
    *,
    clock: Clock | None = None,
    answers: Mapping[str, Answer] | None = None,
    pending_max: int = 4_096,
    age_s_max: float = 1.0,
) -> Iterator[JournalLink]:
    """Give a link whose other end a keeper serves in a thread of this process."""
    ours, theirs = socket.socketpair()
    keeper = Keeper(
        theirs,
        store=store,
        switches=switches,
        clock=clock or SystemClock(),
        answers=answers or {},
        latch_poll_s=0.005,
    )
    thread = threading.Thread(target=keeper.serve)
    thread.start()
    try:
        with JournalLink(ours, pending_max=pending_max, latch_age_s_max=age_s_max) as link:
            yield link
    finally:
        ours.close()
        thread.join(WAIT_S)
        assert not thread.is_alive()


def until(found: Callable[[], object]) -> None:
    for _ in range(500):
        if found():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it never came")


def again_and_again(call: Callable[[], object]) -> None:
    for _ in range(500):
        call()
        threading.Event().wait(0.01)


def test_a_stalled_disk_never_holds_up_the_worker_and_a_full_queue_says_so() -> None:
    store = StalledStore()
    records = chain(4)
    with journal_of(store, MemoryStore(), pending_max=3) as journal:
        for record in records[:3]:
            journal.append_decisions([record])
        with pytest.raises(JournalStalled, match="3 batches wait"):
            journal.append_decisions(records[3:])
        assert store.decisions("run") == []
        store.go.set()
    assert store.decisions("run") == records[:3]


def test_what_waits_is_written_in_order_before_the_journal_closes() -> None:
    store = MemoryStore()
    with journal_of(store, store) as journal:
        for record in chain(50):
            journal.append_decisions([record])
    assert store.decisions("run") == chain(50)


def test_more_than_the_socket_holds_arrives_whole_and_in_order() -> None:
    store = StalledStore()
    records = chain(40, repeats=1 << 19)
    with journal_of(store, MemoryStore()) as journal:
        for record in records:
            journal.append_decisions([record])
        assert journal.pending == len(records)
        store.go.set()
        until(lambda: not journal.pending)
    assert store.decisions("run") == records


def test_decisions_that_waited_are_one_write_and_each_hand_over_is_acknowledged() -> None:
    class Counting(StalledStore):
        writes = 0

        def append_decisions(self, records: Sequence[DecisionRecord]) -> None:
            super().append_decisions(records)
            self.writes += 1

    store = Counting()
    records = chain(200)
    with journal_of(store, store) as journal:
        for number, record in enumerate(records):
            journal.append_decisions([record])
            if number == 99:
                journal.append_fills([make.fill(1, run_id="run")], [make.funding()])
        store.go.set()
        until(lambda: not journal.pending)
    assert store.decisions("run") == records
    assert list(store.fills("run", 2)) == [make.fill(1, run_id="run")]
    assert store.writes < 20


def test_a_write_is_tried_again_while_the_database_is_away() -> None:
    store = FlakyStore(2)
    with journal_of(store, store) as journal:
        journal.append_decisions(chain(1))
        until(lambda: not journal.pending)
    assert store.decisions("run") == chain(1)


def test_a_broken_chain_reaches_the_worker_at_its_next_append() -> None:
    store = MemoryStore()
    with (  # noqa: PT012 - its end raises what the last writes met
        pytest.raises(InvariantBroken),
        journal_of(store, store) as journal,
    ):
        journal.append_decisions(chain(3)[1:])
        with pytest.raises(InvariantBroken):
            again_and_again(lambda: journal.append_fills([], []))


def test_a_bug_in_the_store_reaches_the_worker_by_its_name() -> None:
    class Buggy(MemoryStore):
        def append_decisions(self, records: Sequence[DecisionRecord]) -> None:
            raise ZeroDivisionError("by nothing")

    with (
        pytest.raises(ServiceFault, match="ZeroDivisionError: by nothing"),
        journal_of(Buggy(), MemoryStore()) as journal,
    ):
        journal.append_decisions(chain(1))


def test_a_kill_reaches_the_worker_while_the_disk_stalls() -> None:
    stalled, switch = StalledStore(), MemoryStore()
    with journal_of(stalled, switch) as journal:
        journal.append_decisions(chain(1))
        assert journal.latch() is None
        switch.kill(reason="test", operator="me", now_ns=at_ms(1))
        until(journal.latch)
        seen = journal.latch()
        assert seen is not None
        assert seen.killed
        stalled.go.set()


def test_a_switch_that_cannot_be_read_is_unreadable_once_its_last_reading_is_old() -> None:
    switch = Unreadable()
    with journal_of(MemoryStore(), switch, age_s_max=0.05) as journal:
        assert journal.latch() is None
        switch.lost = True
        with pytest.raises(Retryable, match="could not be read"):
            again_and_again(journal.latch)


def test_a_switch_never_read_is_unreadable() -> None:
    switch = Unreadable()
    switch.lost = True
    with (
        journal_of(MemoryStore(), switch) as journal,
        pytest.raises(Retryable, match="could not be read"),
    ):
        journal.latch()


def test_a_closed_journal_takes_nothing() -> None:
    with journal_of(MemoryStore(), MemoryStore()) as journal:
        pass
    with pytest.raises(ServiceFault, match="closed"):
        journal.append_decisions(chain(1))


# -- questions


def test_an_answer_comes_once_and_asking_again_asks_anew() -> None:
    asked: list[int] = []

    def inputs(epoch: int) -> str:
        asked.append(epoch)
        return f"inputs of {epoch}"

    with journal_of(MemoryStore(), MemoryStore(), answers={"inputs": inputs}) as journal:
        for _ in range(2):
            got: list[object] = []
            until(lambda got=got: got.append(journal.ask("inputs", 3)) or got[-1])  # type: ignore[misc]
            assert got[-1] == "inputs of 3"
        assert asked == [3, 3]


def test_a_question_that_hangs_holds_up_nothing_else() -> None:
    go = threading.Event()
    store = MemoryStore()
    with journal_of(store, MemoryStore(), answers={"hangs": lambda _: go.wait(WAIT_S)}) as journal:
        for _ in range(3):
            assert journal.ask("hangs", 0) is None
        journal.append_decisions(chain(1))
        until(lambda: not journal.pending)
        assert journal.latch() is None
        go.set()
    assert store.decisions("run") == chain(1)


def test_a_question_the_journal_does_not_know_is_a_fault() -> None:
    with (
        pytest.raises(ServiceFault, match="KeyError: 'weather'"),
        journal_of(MemoryStore(), MemoryStore()) as journal,
    ):
        again_and_again(lambda: journal.ask("weather", 1))


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


def test_a_halt_never_waits_for_the_disk_and_is_written_after_what_came_before() -> None:
    clock = HostClock()
    store = StalledStore()
    with journal_of(store, Controlled(clock), clock=clock) as journal:
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
    with journal_of(store, Controlled(clock), clock=clock, pending_max=1) as journal:
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
    with journal_of(MemoryStore(), switch, clock=clock, age_s_max=0.2) as journal:
        assert journal.halted() is None
        switch.halt(run_id="run", reason="drawdown", now_ns=at_ms(1))
        until(journal.halted)
        assert journal.halted() == switch.halted()
        assert journal.latch() is None
        switch.lost = True
        with pytest.raises(Retryable, match="could not be read"):
            again_and_again(journal.halted)


@pytest.mark.parametrize("ahead_ms", [0, 400, -400])
def test_the_clocks_offset_is_the_databases_time_less_ours(ahead_ms: int) -> None:
    clock = HostClock()
    database = Controlled(clock, ahead_ms=ahead_ms, late_ms=8)
    with journal_of(MemoryStore(), database, clock=clock) as journal:
        assert journal.clock_offset_ns() == ahead_ms * NS_PER_MS


def test_an_answer_too_slow_tells_no_time() -> None:
    clock = HostClock()
    with journal_of(MemoryStore(), Controlled(clock, late_ms=1_002), clock=clock) as journal:
        assert journal.clock_offset_ns() is None


# -- the line itself


def test_a_frame_cut_into_single_bytes_is_read_whole() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for byte in pack(Kind.ASK, ("inputs", 7)) + pack(Kind.CLOSE, None):
            ours.send(bytes([byte]))
        ours.shutdown(socket.SHUT_WR)
        assert list(frames(theirs)) == [(Kind.ASK, ("inputs", 7)), (Kind.CLOSE, None)]


def test_half_a_frame_at_the_end_of_the_line_is_dropped() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.send(pack(Kind.ASK, ("inputs", 7))[:-1])
        ours.shutdown(socket.SHUT_WR)
        assert list(frames(theirs)) == []


def test_a_journal_that_dies_reaches_the_worker_at_its_next_append() -> None:
    ours, theirs = socket.socketpair()
    link = JournalLink(ours)
    theirs.send(pack(Kind.SWITCHES, (None, None, 0.0)))
    link.__enter__()
    theirs.close()
    with pytest.raises(ServiceFault, match="process has ended"):
        again_and_again(lambda: link.append_fills([], []))
    with pytest.raises(ServiceFault, match="process has ended"):
        link.close()


def test_a_journal_that_never_comes_up_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "READY_S_MAX", 0.05)
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(ServiceFault, match="did not come up"):
        JournalLink(ours).__enter__()


# -- its own process, on a real database


@pytest.fixture
def run(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("DMM_DATABASE_URL", database_url)
    with contextlib.closing(PostgresStore(database_url)) as store:
        store.append_policy(policy_record(quote_size_lots=40, inventory_soft_lots=200))
        store.open_run(
            Run(run_id="run", kind="up", symbol="ETHBTC", epochs=0, spec={}, started_at_ns=at_ms(0))
        )
    return "run"


def test_the_process_writes_answers_and_ends_with_the_worker(database_url: str, run: str) -> None:
    with journal_process([*WRITER, run]) as journal:
        journal.append_decisions(chain(20))
        got: list[object] = []
        until(lambda: got.append(journal.ask("inputs", 0)) or got[-1])  # type: ignore[func-returns-value]
        assert isinstance(got[-1], EpochInputs)
        assert journal.latch() is None
        assert journal.clock_offset_ns() is not None
    with contextlib.closing(PostgresStore(database_url)) as store:
        assert store.decisions(run) == chain(20)


def test_a_worker_that_is_killed_loses_nothing_it_handed_over(database_url: str, run: str) -> None:
    program = (
        "import os, signal, sys; sys.path[:0] = sys.argv[2:];"
        "from test_worker_journal import WRITER, chain, journal_process;"
        "process = journal_process([*WRITER, sys.argv[1]]);"
        "journal = process.__enter__();"
        "[journal.append_decisions([one]) for one in chain(500)];"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    here = Path(__file__).parent
    worker = subprocess.run(
        [sys.executable, "-c", program, run, str(here), str(here.parent)], check=False, timeout=60
    )
    assert worker.returncode == -signal.SIGKILL
    with contextlib.closing(PostgresStore(database_url)) as store:
        until_s = time.monotonic() + 20
        while len(store.decisions(run)) < 500 and time.monotonic() < until_s:
            time.sleep(0.05)
        assert store.decisions(run) == chain(500)

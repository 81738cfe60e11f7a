"""Ticks of a recorded hour through the whole worker, with a real journal behind it."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from bench.quote.policy import policy_record
from dmm.adapters.feeds.tape import open_tape
from dmm.adapters.journal.link import JournalLink
from dmm.adapters.journal.process import journal_process
from dmm.adapters.postgres.migrate import migrate
from dmm.adapters.postgres.store import PostgresStore
from dmm.adapters.venues.paper import PaperVenue
from dmm.market.tape import DepthUpdate, FeedEvent
from dmm.ports import Feed, Run
from dmm.sandbox.demo_program import demo_policy
from dmm.sandbox.market import SimulatedMarket
from dmm.sandbox.postgres import EmbeddedPostgres
from dmm.settings import PROJECT_ROOT
from dmm.units.time import NS_PER_S, Nanos
from dmm.usecases.epoch_inputs import epoch_inputs
from dmm.usecases.quote import QuotingWorker, WorkerSettings

EPOCH_S = 60
HOUR_S = 3_600
WRITER = [sys.executable, "-m", "dmm.entrypoints.journal_writer"]

DRAIN_S_MAX = 30.0
"""How long the bench waits for the journal to have caught up."""

HOUR_TAPE = PROJECT_ROOT.parent.joinpath(
    "shared", "data", "binance_spot_hour", "ETHBTC_2020-11-01T09-00-00_update.json"
)
"""Played when no tape is named and the recordings are there; else the simulated market."""


def recorded_or_simulated(tape: Path | None, *, seconds: int) -> Feed:
    """Return the tape named, the recorded hour where the recordings are, else the simulation."""
    if tape is None and HOUR_TAPE.exists():
        tape = HOUR_TAPE
    if tape is None:
        return SimulatedMarket(np.random.default_rng(1), duration_s=seconds)
    return open_tape([tape])


@contextmanager
def _journal(feed: Feed) -> Iterator[tuple[str, PostgresStore, Run]]:
    """Give a real journal with a run and a policy in it; everything is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="dmm-bench-") as folder:
        Path(folder).chmod(0o755)
        server = EmbeddedPostgres(Path(folder) / "postgres")
        server.start()
        try:
            migrate(server.url())
            store = PostgresStore(server.url())
            snapshot = next(
                event
                for event in feed.events()
                if isinstance(event, DepthUpdate) and event.is_snapshot
            )
            policy = demo_policy(feed.instrument, snapshot)
            store.append_policy(policy_record(policy))
            run = Run(
                run_id="bench",
                kind="up",
                symbol=feed.instrument.symbol,
                epochs=0,
                spec={"instrument": feed.instrument.to_json()},
                started_at_ns=Nanos(1),
            )
            yield server.url(), store, store.open_run(run)
            store.close()
        finally:
            server.stop()


def measure_ticks(feed: Feed) -> dict[str, object]:
    """Return what a tick, a decision and the answer to a fill take, and how memory grows."""
    with (
        _journal(feed) as (url, store, run),
        _told(url),
        journal_process([*WRITER, run.run_id]) as journal,
    ):
        worker = QuotingWorker(
            run_id=run.run_id,
            instrument=feed.instrument,
            venue=PaperVenue(feed.instrument),
            store=journal,
            settings=WorkerSettings(latch_every=1, batch_max=16),
        )
        timings = _play(feed, worker, journal, store, run)
        worker.shutdown()
    return timings


@contextmanager
def _told(url: str) -> Iterator[None]:
    """Let the journal's process know its database."""
    os.environ["DMM_DATABASE_URL"] = url  # noqa: TID251 - the bench is its own composition root
    try:
        yield
    finally:
        del os.environ["DMM_DATABASE_URL"]  # noqa: TID251


def _play(
    feed: Feed, worker: QuotingWorker, journal: JournalLink, store: PostgresStore, run: Run
) -> dict[str, object]:
    """Play the feed once to warm up and once more, as the time after it, to measure.

    Caches, histories and the interpreter's arenas reach their size in the first hour; whether
    memory grows shows only after it.
    """
    kept = _Kept()
    epoch, boundary_ns, shift_ns, last_ns = -1, 0, 0, 0
    gc.collect()
    gc.freeze()
    for is_warm in (False, True):
        events = feed.events()
        shift_ns = last_ns and last_ns + NS_PER_S - next(feed.events()).received_at_ns
        while True:
            began = time.perf_counter_ns()
            event = next(events, None)
            decoding = time.perf_counter_ns() - began
            if event is None:
                break
            event = _later(event, shift_ns)
            last_ns = event.received_at_ns
            if last_ns >= boundary_ns:
                epoch, boundary_ns = _next_epoch(worker, store, run, epoch, last_ns)
                _drain(journal)
                kept.resident.append((last_ns, _resident_mb()))
            decisions, fills = worker.decisions, worker.fills
            began = time.perf_counter_ns()
            worker.on_event(event)
            took = decoding + time.perf_counter_ns() - began
            if is_warm:
                kept.take(took, worker.decisions > decisions, worker.fills > fills)
        if not is_warm:
            kept.resident.clear()
    gc.unfreeze()
    return {"tape": feed.instrument.symbol, **kept.figures()}


@dataclass(slots=True)
class _Kept:
    """What the measured hour took, ns a tick, and held, (time in ns, MB)."""

    ticks: list[int] = field(default_factory=list)
    deciding: list[int] = field(default_factory=list)
    filling: list[int] = field(default_factory=list)
    resident: list[tuple[int, float]] = field(default_factory=list)

    def take(self, took: int, has_decided: bool, has_filled: bool) -> None:  # noqa: FBT001
        self.ticks.append(took)
        if has_decided:
            self.deciding.append(took)
            if has_filled:
                self.filling.append(took)

    def figures(self) -> dict[str, object]:
        first_ns, last_ns = self.resident[0][0], self.resident[-1][0]
        return {
            "ticks": len(self.ticks),
            "decisions": len(self.deciding),
            "tick_to_quote_us": _percentiles(self.ticks),
            "decision_us": _percentiles(self.deciding),
            "fill_to_quote_us": _percentiles(self.filling),
            "hours": round((last_ns - first_ns) / NS_PER_S / HOUR_S, 3),
            "rss_mb_per_h": _growth(self.resident),
        }


def _later(event: FeedEvent, shift_ns: int) -> FeedEvent:
    """Return an event as of a later time."""
    return replace(
        event,
        received_at_ns=Nanos(event.received_at_ns + shift_ns),
        exchange_at_ns=Nanos(event.exchange_at_ns + shift_ns),
    )


def _drain(journal: JournalLink) -> None:
    """Wait until the journal has written everything: an hour played in seconds outruns it."""
    until_s = time.monotonic() + DRAIN_S_MAX
    while journal.pending and time.monotonic() < until_s:
        time.sleep(0.001)


def _next_epoch(
    worker: QuotingWorker, store: PostgresStore, run: Run, epoch: int, at_ns: int
) -> tuple[int, int]:
    if epoch >= 0:
        worker.end_epoch(Nanos(at_ns))
    inputs = epoch_inputs(store, run.run_id, epoch + 1)
    worker.begin_epoch(epoch + 1, started_at_ns=Nanos(at_ns), inputs=inputs)
    return epoch + 1, at_ns + EPOCH_S * NS_PER_S


def _percentiles(samples: Sequence[int]) -> dict[str, float]:
    if not samples:
        return {}
    p50, p99 = np.percentile(np.array(samples) / 1_000, (50, 99))
    return {"p50": round(float(p50), 1), "p99": round(float(p99), 1)}


def _growth(resident: Sequence[tuple[int, float]]) -> float:
    """Return the slope of resident memory over event time, MB an hour."""
    if len(resident) < 3:
        return 0.0
    hours = (np.array([at_ns for at_ns, _ in resident]) - resident[0][0]) / NS_PER_S / HOUR_S
    return round(float(np.polyfit(hours, [mb for _, mb in resident], 1)[0]), 2)


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

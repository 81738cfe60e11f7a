"""What a quote costs: the formula alone, many at once, and a tick's whole way to the journal.

The formula runs scalar (the desk's own path and Hummingbot's), over arrays in compiled code and
over arrays in numpy, side by side in one process. Then an hour of a recording, or of the simulated
market, goes through the worker with a real journal behind it: decode, quote, gate, journal. Last,
500 orders are killed while the journal's disk does not answer.

Prints ``{"scalar_ns", "hummingbot_ns", "vector_ns", "numpy_ns", "ratios", "tick_to_quote_us",
"decision_us", "fill_to_quote_us", "rss_mb_per_h", "kill_to_last_cancel_ms", …}``.
"""

from __future__ import annotations

import gc
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dmm.adapters.feeds.tape import open_tape
from dmm.adapters.intake import Intake
from dmm.adapters.kill_line import KillLine, pull
from dmm.adapters.postgres.migrate import migrate
from dmm.adapters.postgres.store import PostgresStore
from dmm.adapters.venues.paper import PaperVenue
from dmm.adapters.write_behind import WriteBehind
from dmm.governance.policy import Policy
from dmm.market.instrument import Instrument, Side
from dmm.market.order import Fill, Order, OrderReport, TimeInForce
from dmm.market.tape import DepthUpdate, FeedEvent
from dmm.market.view import MarketView
from dmm.ports import Feed, PolicyRecord, Run
from dmm.quoting.kernel import MODEL_CODES, RESULTS, SKEW_CODES, compiled_loop, quote_prices
from dmm.quoting.models.hummingbot import hummingbot_half_spread, hummingbot_inventory_shift
from dmm.quoting.vector import QuoteArrays, quote_columns
from dmm.risk.reconcile import VenueOrder, VenueReport
from dmm.sandbox.demo_program import demo_policy
from dmm.sandbox.market import SimulatedMarket
from dmm.sandbox.postgres import EmbeddedPostgres
from dmm.settings import PROJECT_ROOT
from dmm.units.amount import Lots, Ticks
from dmm.units.ids import ZERO_HASH
from dmm.units.time import NS_PER_S, Nanos
from dmm.usecases.epoch_inputs import epoch_inputs
from dmm.usecases.quote import QuotingWorker, WorkerSettings
from dmm.usecases.quote_live import LiveLoop
from dmm.usecases.situation import EpochInputs

QUOTES = 10_000
"""Quotes per array: what fits the second-level cache."""

ROUNDS = 15
"""Each figure is the best of so many rounds: what the code costs, without what the machine does."""

SCALARS = 20_000
EPOCH_S = 60
HOUR_S = 3_600
SWITCH_S = 0.000_5
"""How long the journal's thread may hold the interpreter while a tick waits; as in the worker."""

DRAIN_S_MAX = 30.0
"""How long the bench waits at an epoch's end for the journal to have caught up."""

KILL_ORDERS = 500
KILLS = 20
HOUR_TAPE = PROJECT_ROOT.parent.joinpath(
    "shared", "data", "binance_spot_hour", "ETHBTC_2020-11-01T09-00-00_update.json"
)
"""Played when no tape is named and the recordings are there; else the simulated market."""

SMOKE = {"quotes": 1_000, "rounds": 3, "scalars": 2_000, "seconds": 120, "kills": 3}
FULL = {"quotes": QUOTES, "rounds": ROUNDS, "scalars": SCALARS, "seconds": HOUR_S, "kills": KILLS}


def measure(tape: Path | None, *, smoke: bool = False) -> dict[str, object]:
    """Return the figures; `smoke` runs everything in a size that proves only that it runs."""
    size = SMOKE if smoke else FULL
    sys.setswitchinterval(SWITCH_S)
    formula = _formula(size["quotes"], size["scalars"], size["rounds"])
    ticks = _ticks(_feed(tape, seconds=size["seconds"]))
    return {**formula, **ticks, **_kills(size["kills"])}


# -- the formula ------------------------------------------------------------------------------


def _arguments(count: int) -> dict[str, NDArray[np.float64]]:
    rng = np.random.default_rng(1)
    return {
        "mid": rng.uniform(6e5, 6.2e5, count),
        "inventory": rng.integers(-90, 90, count).astype(float),
        "sigma": rng.uniform(10, 90, count),
        "kappa": rng.uniform(0.02, 0.4, count),
        "gamma": rng.uniform(1e-6, 1e-4, count),
    }


FIXED = {
    "horizon_s": 120.0,
    "floor": 12.0,
    "beta": 12.0,
    "soft_long": 50.0,
    "soft_short": 50.0,
    "hard_long": 100.0,
    "hard_short": 100.0,
    "lot": 10.0,
}


def _formula(count: int, scalars: int, rounds: int) -> dict[str, object]:
    given = _arguments(count)
    arguments = QuoteArrays(**given, **FIXED)
    columns = arguments.columns
    results = tuple(np.empty(count) for _ in range(RESULTS))
    compiled_loop()
    rows = list(zip(*(column.tolist() for column in columns[:-1]), strict=True))[:scalars]
    model, skew = MODEL_CODES["as2008"], SKEW_CODES["linear"]

    def scalar() -> None:
        for row in rows:
            quote_prices(model, skew, *row)

    def hummingbot() -> None:
        for mid, q, sigma, kappa, *_rest in rows:
            shift = hummingbot_inventory_shift(
                inventory=q, risk_aversion=1e-3, volatility=sigma, time_left=1.0
            )
            half = hummingbot_half_spread(
                risk_aversion=1e-3, volatility=sigma, time_left=1.0, arrival_decay=kappa
            )
            _ = mid - shift - half, mid - shift + half

    def vector() -> None:
        quote_columns(columns, results, model="as2008", skew="linear")

    vector()
    by_numpy = _numpy_quotes(given)
    worst = max(
        float(np.max(np.abs(by_numpy[name] - results[place]) / given["mid"]))
        for name, place in (("bid", 3), ("ask", 4))
    )
    # Interleaved, so that a busy moment of the machine falls on all of them.
    timed: dict[str, list[float]] = {"scalar": [], "hummingbot": [], "vector": [], "numpy": []}
    for _ in range(rounds):
        timed["scalar"].append(_ns(scalar) / len(rows))
        timed["hummingbot"].append(_ns(hummingbot) / len(rows))
        timed["vector"].append(_ns(vector) / count)
        timed["numpy"].append(_ns(lambda: _numpy_quotes(given)) / count)
    ns = {name: min(values) for name, values in timed.items()}
    return {
        **{f"{name}_ns": round(value, 1) for name, value in ns.items()},
        "ratios": {
            "numpy_to_vector": round(ns["numpy"] / ns["vector"], 1),
            "scalar_to_vector": round(ns["scalar"] / ns["vector"], 1),
            "hummingbot_to_scalar": round(ns["hummingbot"] / ns["scalar"], 2),
        },
        "numpy_differs_by": worst,
        "quotes": count,
    }


def _numpy_quotes(given: dict[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """Return the same quotes by plain numpy: the ladder is flat and there is no pull here."""
    gamma, kappa, inventory = given["gamma"], given["kappa"], given["inventory"]
    slope = gamma * (given["sigma"] ** 2 * FIXED["horizon_s"])
    half = np.maximum(slope / 2 + np.log1p(gamma / kappa) / gamma, FIXED["floor"] / 2)
    soft = np.where(inventory < 0, FIXED["soft_short"], FIXED["soft_long"])
    shift = FIXED["beta"] * np.clip(inventory / soft, -1, 1)
    reservation = given["mid"] - inventory / FIXED["lot"] * slope
    largest = FIXED["hard_long"] / FIXED["lot"] * slope + FIXED["beta"]
    sound = (half <= given["mid"] / 10) & (largest <= given["mid"] / 10)
    bid = np.where(sound, reservation - shift - half, np.nan)
    ask = np.where(sound, reservation - shift + half, np.nan)
    return {"bid": bid, "ask": ask}


def _ns(work: Callable[[], object]) -> int:
    began = time.perf_counter_ns()
    work()
    return time.perf_counter_ns() - began


# -- ticks through the worker -----------------------------------------------------------------


def _feed(tape: Path | None, *, seconds: int) -> Feed:
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
            store.append_policy(_policy_record(policy))
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


def _ticks(feed: Feed) -> dict[str, object]:
    with (
        _journal(feed) as (url, store, run),
        PostgresStore(url) as writes,
        PostgresStore(url) as latch,
        WriteBehind(writes, latch_store=latch) as journal,
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


def _play(
    feed: Feed, worker: QuotingWorker, journal: WriteBehind, store: PostgresStore, run: Run
) -> dict[str, object]:
    ticks: list[int] = []
    deciding: list[int] = []
    filling: list[int] = []
    epoch, boundary_ns, first_ns, last_ns = -1, 0, 0, 0
    resident: list[tuple[int, float]] = []
    events = feed.events()
    gc.collect()
    gc.freeze()
    while True:
        began = time.perf_counter_ns()
        event = next(events, None)
        if event is None:
            break
        at_ns = event.received_at_ns
        if at_ns >= boundary_ns:
            epoch, boundary_ns = _next_epoch(worker, store, run, epoch, at_ns)
            first_ns = first_ns or at_ns
            _drain(journal)
            resident.append((at_ns, _resident_mb()))
            began = time.perf_counter_ns()
        decisions, fills = worker.decisions, worker.fills
        worker.on_event(event)
        took = time.perf_counter_ns() - began
        ticks.append(took)
        if worker.decisions > decisions:
            deciding.append(took)
            if worker.fills > fills:
                filling.append(took)
        last_ns = at_ns
    gc.unfreeze()
    return {
        "tape": feed.instrument.symbol,
        "ticks": len(ticks),
        "decisions": len(deciding),
        "tick_to_quote_us": _percentiles(ticks),
        "decision_us": _percentiles(deciding),
        "fill_to_quote_us": _percentiles(filling),
        "hours": round((last_ns - first_ns) / NS_PER_S / HOUR_S, 3),
        "rss_mb_per_h": _growth(resident),
    }


def _drain(journal: WriteBehind) -> None:
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
    """Return the slope of resident memory over event time, MB an hour, once warm.

    The first third is left out: caches fill and the interpreter's arenas grow to their size.
    """
    warm = resident[len(resident) // 3 :]
    if len(warm) < 3:
        return 0.0
    hours = (np.array([at_ns for at_ns, _ in warm]) - warm[0][0]) / NS_PER_S / HOUR_S
    return round(float(np.polyfit(hours, [mb for _, mb in warm], 1)[0]), 2)


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


# -- the kill ---------------------------------------------------------------------------------


class _Venue:
    """A venue without a cancel-all of its own: every order is cancelled by itself, and timed."""

    name = "bench"
    rate_windows = ()

    def __init__(self) -> None:
        self.open: dict[str, Order] = {}
        self.last_cancel_ns = 0
        self.done = threading.Event()

    def submit(self, order: Order) -> None:
        self.open[order.client_id] = order

    def cancel(self, client_id: str, *, now_ns: Nanos) -> None:
        del self.open[client_id]
        self.last_cancel_ns = time.perf_counter_ns()

    def cancel_all(self, *, now_ns: Nanos) -> None:
        for client_id in list(self.open):
            self.cancel(client_id, now_ns=now_ns)
        self.done.set()

    def statement(self, *, now_ns: Nanos, cursor: int) -> VenueReport:
        orders = tuple(
            VenueOrder(client_id=o.client_id, side=o.side, price=o.price, remaining=o.size)
            for o in self.open.values()
        )
        return VenueReport(as_of_ns=now_ns, orders=orders, filled={}, position=Lots(0), balances={})

    def arm(self, *, until_ns: Nanos) -> None:
        """Have no dead man's switch."""

    def advance(self, now_ns: Nanos, market: MarketView) -> Sequence[OrderReport]:
        return ()

    def observe(self, event: FeedEvent, market: MarketView) -> Sequence[OrderReport]:
        return ()


class _Stalled:
    """A journal whose disk does not answer."""

    def __init__(self, go: threading.Event) -> None:
        self._go = go

    def append_decisions(self, records: Sequence[Any]) -> None:
        self._go.wait()

    def append_fills(self, fills: Sequence[Fill], postings: Sequence[Any]) -> int:
        self._go.wait()
        return 0

    def close_slice(self, summary: Any) -> None:
        self._go.wait()

    def latch(self) -> None:
        return None


class _Silence:
    """A feed that says nothing until it is told to end."""

    def __init__(self, instrument: Instrument, end: threading.Event) -> None:
        self.instrument = instrument
        self.report = None
        self._end = end

    def events(self) -> Iterator[FeedEvent]:
        self._end.wait()
        yield from ()


class _Clock:
    def now_ns(self) -> Nanos:
        return Nanos(time.time_ns())  # noqa: TID251 - the bench is its own composition root

    def sleep_s(self, seconds: float) -> None:
        time.sleep(seconds)


def _kills(count: int) -> dict[str, object]:
    took = [_kill_once() for _ in range(count)]
    return {
        "kill_to_last_cancel_ms": {
            "p50": round(statistics.median(took), 3),
            "max": round(max(took), 3),
            "orders": KILL_ORDERS,
        }
    }


def _kill_once() -> float:
    """Return the milliseconds from pulling the line to the last cancel sent, the disk stalled."""
    market = SimulatedMarket(np.random.default_rng(1), duration_s=1)
    snapshot = next(e for e in market.events() if isinstance(e, DepthUpdate) and e.is_snapshot)
    policy = demo_policy(market.instrument, snapshot)
    go, end, stop = threading.Event(), threading.Event(), threading.Event()
    venue = _Venue()
    intake = Intake(_Silence(market.instrument, end))  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory(prefix="dmm-kill-") as folder:
        line_path = Path(folder) / "kill.sock"
        stalled = _Stalled(go)
        with (
            WriteBehind(stalled, latch_store=stalled) as journal,
            KillLine(line_path, on_pull=intake.wake) as line,
            intake,
        ):
            worker = QuotingWorker(
                run_id="bench", instrument=market.instrument, venue=venue, store=journal
            )
            orders = [_order(number) for number in range(KILL_ORDERS)]
            worker._orders.send(orders, now_ns=Nanos(1))  # noqa: SLF001 - no policy quotes so many
            journal.append_decisions([])
            loop = LiveLoop(
                worker=worker,
                clock=_Clock(),
                started_at_ns=_Clock().now_ns(),
                epoch_length_ns=HOUR_S * NS_PER_S,
                stopping=stop.is_set,
                kill_heard=line.pulled.is_set,
                inputs=lambda _epoch: EpochInputs(policy=_policy_record(policy)),
                new_hedges=lambda _epoch: (),
            )
            thread = threading.Thread(target=loop.run, args=(intake,))
            thread.start()
            time.sleep(0.05)
            began = time.perf_counter_ns()
            pull(line_path, reason="bench")
            if not venue.done.wait(5):
                raise RuntimeError("the kill was not heard within 5 s")
            took = venue.last_cancel_ns - began
            stop.set()
            go.set()
            end.set()
            thread.join(5)
    return took / 1e6


def _policy_record(policy: Policy) -> PolicyRecord:
    return PolicyRecord(
        sequence=0,
        policy=policy,
        previous_head=ZERO_HASH,
        head=policy.policy_hash,
        chain="none",
        height=0,
        tx_id="genesis",
        adopted_at_ns=Nanos(1),
    )


def _order(number: int) -> Order:
    return Order(
        client_id=f"bench-{number}",
        side=Side.BUY,
        price=Ticks(100 + number),
        size=Lots(1),
        time_in_force=TimeInForce.POST_ONLY,
        created_at_ns=Nanos(1),
    )

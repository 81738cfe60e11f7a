"""A kill of many orders while the journal's disk does not answer."""

from __future__ import annotations

import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.quote.policy import policy_record
from dmm.adapters.intake import Intake
from dmm.adapters.journal.keeper import Keeper
from dmm.adapters.journal.link import JournalLink
from dmm.adapters.kill_line import KillLine, pull
from dmm.market.instrument import Instrument, Side
from dmm.market.order import Fill, Order, OrderReport, TimeInForce
from dmm.market.tape import DepthUpdate, FeedEvent
from dmm.market.view import MarketView
from dmm.ports import Controls, HaltLatch
from dmm.risk.reconcile import VenueOrder, VenueReport
from dmm.sandbox.demo_program import demo_policy
from dmm.sandbox.market import SimulatedMarket
from dmm.units.amount import Lots, Ticks
from dmm.units.time import NS_PER_S, Nanos
from dmm.usecases.quote import QuotingWorker
from dmm.usecases.quote_live import LiveLoop
from dmm.usecases.situation import EpochInputs

KILL_ORDERS = 500
HOUR_S = 3_600


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

    def halt(self, *, run_id: str, reason: str, now_ns: Nanos) -> HaltLatch:
        raise AssertionError("nothing halts here")

    def controls(self) -> Controls:
        return Controls(kill=None, halt=None, database_at_ns=_Clock().now_ns())


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


def measure_kills(count: int) -> dict[str, object]:
    """Return what passes from pulling the line to the last cancel sent."""
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
        ours, theirs = socket.socketpair()
        keeper = Keeper(theirs, store=stalled, switches=stalled, clock=_Clock(), answers={})
        threading.Thread(target=keeper.serve, daemon=True).start()
        with (
            JournalLink(ours) as journal,
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
                kills_heard=lambda: line.pulls,
                inputs=lambda _epoch: EpochInputs(policy=policy_record(policy)),
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


def _order(number: int) -> Order:
    return Order(
        client_id=f"bench-{number}",
        side=Side.BUY,
        price=Ticks(100 + number),
        size=Lots(1),
        time_in_force=TimeInForce.POST_ONLY,
        created_at_ns=Nanos(1),
    )

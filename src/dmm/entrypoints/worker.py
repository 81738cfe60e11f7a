"""The quoting worker of `dmm up`: the simulated market in real time, until told to stop.

Every start is a run of its own: what a live market did before cannot be played again.
"""

from __future__ import annotations

import argparse
import os
import signal
import threading
from dataclasses import replace

import numpy as np

from dmm import observe
from dmm.adapters.venues.paper import PaperVenue
from dmm.bootstrap import CHAIN, desk
from dmm.entrypoints.faults import ends_on_fault
from dmm.market.order import Fill
from dmm.ports import Clock, Feed, Run, Store
from dmm.sandbox.demo_program import lp_shares
from dmm.sandbox.market import PacedFeed, SimulatedMarket
from dmm.units.ids import Hash32, content_id
from dmm.units.time import NS_PER_S, Nanos
from dmm.usecases.epoch_inputs import epoch_inputs
from dmm.usecases.quote import EpochInputs, QuotingWorker, WorkerSettings

RUN_KIND = "up"

SETTINGS = WorkerSettings(latch_every=1, batch_max=16)
"""In real time a kill must hold at the next decision, and the journal must not lag."""

HEDGE_POLL_NS = NS_PER_S
"""How often the loop looks for hedges booked by the hedging job."""

HEDGE_EPOCHS_BACK_MAX = 4
"""Epochs back that are looked through for hedges: their job runs in the epoch after."""


class Hedges:
    """Hedges of the run that the worker has not heard of yet."""

    def __init__(self, store: Store, run_id: str) -> None:
        self._store = store
        self._run_id = run_id
        self._known: dict[Hash32, int] = {}

    def new(self, epoch: int) -> tuple[Fill, ...]:
        """Return hedges of the last epochs, each once.

        Parameters
        ----------
        epoch : the open one
        """
        first = max(0, epoch - HEDGE_EPOCHS_BACK_MAX)
        self._known = {key: at for key, at in self._known.items() if at >= first}
        found = [
            fill
            for earlier in range(first, epoch)
            for fill in self._store.fills(self._run_id, earlier)
            if fill.is_hedge and fill.fill_id not in self._known
        ]
        self._known |= {fill.fill_id: fill.epoch for fill in found}
        return tuple(found)


def open_run(store: Store, clock: Clock, feed: Feed, *, seed: int) -> Run:
    """Record this start as a run; it has no number of epochs, which 0 stands for."""
    started_at_ns = clock.now_ns()
    return store.open_run(
        Run(
            run_id=content_id("dmm/run/v1", RUN_KIND, seed, started_at_ns).hex()[:32],
            kind=RUN_KIND,
            symbol=feed.instrument.symbol,
            epochs=0,
            spec={
                "instrument": feed.instrument.to_json(),
                "seed": seed,
                "tape": [],
                "lp_shares": lp_shares(store.deployments(CHAIN)),
            },
            started_at_ns=started_at_ns,
        )
    )


def serve(store: Store, feed: Feed, run: Run, *, epoch_length_s: int, stop: threading.Event) -> int:
    """Quote until `stop` is set; return the number of epochs closed.

    Epochs are cut by the events' time from the start of the run. While the kill switch holds none
    closes; after the release those in between close one after the other.
    """
    worker = QuotingWorker(
        run_id=run.run_id,
        instrument=feed.instrument,
        venue=PaperVenue(feed.instrument),
        store=store,
        settings=SETTINGS,
    )
    hedges = Hedges(store, run.run_id)
    length_ns = epoch_length_s * NS_PER_S
    epoch, boundary_ns, poll_at_ns = 0, run.started_at_ns + length_ns, run.started_at_ns
    worker.begin_epoch(0, started_at_ns=run.started_at_ns, inputs=_inputs(store, run, 0, hedges))
    try:
        for event in feed.events():
            if stop.is_set():
                break
            now_ns = event.received_at_ns
            while now_ns >= boundary_ns and not worker.killed:
                worker.end_epoch(Nanos(boundary_ns))
                epoch += 1
                worker.begin_epoch(
                    epoch,
                    started_at_ns=Nanos(boundary_ns),
                    inputs=_inputs(store, run, epoch, hedges),
                )
                boundary_ns += length_ns
            if now_ns >= poll_at_ns:
                poll_at_ns = Nanos(now_ns + HEDGE_POLL_NS)
                for fill in hedges.new(epoch):
                    worker.book_hedge(fill)
            worker.on_event(event)
    finally:
        worker.shutdown()
    return epoch


def _inputs(store: Store, run: Run, epoch: int, hedges: Hedges) -> EpochInputs:
    # Here hedges come when their job has booked them, which may be in any later epoch.
    return replace(epoch_inputs(store, run.run_id, epoch), hedges=hedges.new(epoch))


def main() -> None:
    """Run until SIGTERM or SIGINT; everything open is cancelled before the process ends."""
    parser = argparse.ArgumentParser(prog="dmm worker", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="seed of the simulated market")
    seed = parser.parse_args().seed
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with ends_on_fault("worker"):
        run(seed, stop)


def run(seed: int, stop: threading.Event) -> None:
    """Quote with the desk that the environment describes."""
    wired = desk()
    if wired.settings.metrics_port:
        observe.serve_metrics(wired.settings.metrics_port)
    pid = os.getpid()
    observe.service(name="worker", state="started", pid=pid)
    try:
        market = SimulatedMarket(np.random.default_rng(seed), duration_s=None)
        run = open_run(wired.store, wired.clock, market, seed=seed)
        observe.correlate(run=run.run_id)
        serve(
            wired.store,
            PacedFeed(market, wired.clock),
            run,
            epoch_length_s=wired.settings.epoch_length_s,
            stop=stop,
        )
        wired.store.finish_run(run.run_id, finished_at_ns=wired.clock.now_ns())
    finally:
        wired.close()
        observe.service(name="worker", state="stopped", pid=pid)


if __name__ == "__main__":
    main()

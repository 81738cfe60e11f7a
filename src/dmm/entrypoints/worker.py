"""The quoting worker of `dmm up`: the simulated market in real time, until told to stop.

Every start is a run of its own: what a live market did before cannot be played again.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from typing import cast

import numpy as np

from dmm import observe
from dmm.adapters.intake import Intake
from dmm.adapters.kill_line import KillLine
from dmm.adapters.venues.paper import PaperVenue
from dmm.bootstrap import CHAIN, Desk, desk
from dmm.entrypoints.faults import ends_on_fault
from dmm.market.order import Fill
from dmm.ports import Clock, Feed, Run, Store
from dmm.sandbox.demo_program import lp_shares
from dmm.sandbox.market import PacedFeed, SimulatedMarket
from dmm.units.ids import content_id
from dmm.units.time import NS_PER_S
from dmm.usecases.quote import QuotingWorker, WorkerSettings
from dmm.usecases.quote_live import LiveLoop
from dmm.usecases.situation import EpochInputs

RUN_KIND = "up"

SWITCH_S = 0.000_5
"""How long the feed's thread may hold the interpreter while an event waits."""

SETTINGS = WorkerSettings(latch_every=1, batch_max=16)
"""In real time a kill must hold at the next decision, and the journal must not lag."""


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


def serve(wired: Desk, feed: Feed, run: Run, *, stop: threading.Event) -> int:
    """Quote a feed in real time until `stop` is set; return the number of epochs closed.

    The journal is kept by another process, the feed is read ahead of the worker, and a kill comes
    by the journal's latch or by the kill line, whichever is first.
    """
    intake = Intake(feed)
    with (
        wired.worker_journal(run) as journal,
        KillLine(wired.settings.kill_socket, on_pull=intake.wake) as line,
        intake,
    ):
        worker = QuotingWorker(
            run_id=run.run_id,
            instrument=feed.instrument,
            venue=PaperVenue(feed.instrument),
            store=journal,
            settings=SETTINGS,
            live=journal,
        )
        loop = LiveLoop(
            worker=worker,
            clock=wired.clock,
            started_at_ns=run.started_at_ns,
            epoch_length_ns=wired.settings.epoch_length_s * NS_PER_S,
            stopping=stop.is_set,
            kills_heard=lambda: line.pulls,
            inputs=lambda epoch: cast("EpochInputs | None", journal.ask("inputs", epoch)),
            new_hedges=lambda epoch: cast("tuple[Fill, ...] | None", journal.ask("hedges", epoch)),
        )
        return loop.run(intake)


def main() -> None:
    """Run until SIGTERM or SIGINT; everything open is cancelled before the process ends."""
    parser = argparse.ArgumentParser(prog="dmm worker", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="seed of the simulated market")
    seed = parser.parse_args().seed
    sys.setswitchinterval(SWITCH_S)
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
        serve(wired, PacedFeed(market, wired.clock), run, stop=stop)
        wired.store.finish_run(run.run_id, finished_at_ns=wired.clock.now_ns())
    finally:
        wired.close()
        observe.service(name="worker", state="stopped", pid=pid)


if __name__ == "__main__":
    main()

"""The quoting worker of `dmm up`: the simulated market in real time, until told to stop.

Every start is a run of its own: what a live market did before cannot be played again.
"""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np

from dmm import observe
from dmm.adapters.intake import Intake
from dmm.adapters.kill_line import KillLine
from dmm.adapters.shadow_journal import ShadowJournal
from dmm.adapters.venues.paper import PaperVenue
from dmm.adapters.venues.shadow import ShadowVenue
from dmm.bootstrap import Desk, desk
from dmm.entrypoints.faults import ends_on_fault
from dmm.market.order import Fill
from dmm.ports import SHADOW, Clock, Feed, Run, Store
from dmm.sandbox.demo_program import program_spec
from dmm.sandbox.market import PacedFeed, SimulatedMarket
from dmm.units.chain import HOME_CHAIN
from dmm.units.ids import content_id
from dmm.units.time import NS_PER_S
from dmm.usecases.quote import QuotingWorker, WorkerSettings
from dmm.usecases.quote_live import LiveLoop
from dmm.usecases.situation import EpochInputs
from dmm.usecases.surroundings import Surroundings

RUN_KIND = "up"

SWITCH_S = 0.000_5
"""How long the feed's thread may hold the interpreter while an event waits."""

SETTINGS = WorkerSettings(latch_every=1, batch_max=16)
"""In real time a kill must hold at the next decision, and the journal must not lag."""


def open_run(
    store: Store,
    clock: Clock,
    feed: Feed,
    *,
    seed: int,
    chains: Sequence[str] = (HOME_CHAIN,),
    kind: str = RUN_KIND,
) -> Run:
    """Record this start as a run; it has no number of epochs, which 0 stands for.

    Parameters
    ----------
    chains : where its epochs settle
    kind : ``up``, or ``shadow`` for one that only watches
    """
    started_at_ns = clock.now_ns()
    return store.open_run(
        Run(
            run_id=content_id("dmm/run/v1", kind, seed, started_at_ns).hex()[:32],
            kind=kind,
            symbol=feed.instrument.symbol,
            epochs=0,
            spec={
                "instrument": feed.instrument.to_json(),
                "seed": seed,
                "tape": [],
                **program_spec(store, chains),
            },
            started_at_ns=started_at_ns,
        )
    )


def kill_socket(wired: Desk, run: Run) -> Path:
    """Return where a worker hears a kill; a shadow beside the live one has a line of its own."""
    path = wired.settings.kill_socket
    return path.with_name(f"shadow-{path.name}") if run.kind == SHADOW else path


def serve(wired: Desk, feed: Feed, run: Run, *, stop: threading.Event) -> int:
    """Quote a feed in real time until `stop` is set; return the number of epochs closed.

    The journal is kept by another process, the feed is read ahead of the worker, and a kill comes
    by the journal's latch or by the kill line, whichever is first. A shadow run sends nothing: its
    venue has nowhere to send to, and its journal no ledger.
    """
    intake = Intake(feed)
    is_shadow = run.kind == SHADOW
    with (
        wired.worker_journal(run) as journal,
        KillLine(kill_socket(wired, run), on_pull=intake.wake) as line,
        intake,
    ):
        paper = PaperVenue(feed.instrument)
        kept = ShadowJournal(journal) if is_shadow else journal
        worker = QuotingWorker(
            run_id=run.run_id,
            instrument=feed.instrument,
            venue=ShadowVenue.of(paper, feed.instrument) if is_shadow else paper,
            store=kept,
            settings=SETTINGS,
            live=kept,
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
            surroundings=lambda: cast("Surroundings | None", journal.ask("surroundings", 0)),
        )
        # What the start has made stays: no collection need look at it again, and none of them
        # then takes longer than a tick may.
        gc.collect()
        gc.freeze()
        return loop.run(intake)


def main() -> None:
    """Run until SIGTERM or SIGINT; everything open is cancelled before the process ends."""
    parser = argparse.ArgumentParser(prog="dmm worker", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="seed of the simulated market")
    parser.add_argument("--shadow", action="store_true", help="watch only; send nothing")
    arguments = parser.parse_args()
    kind = SHADOW if arguments.shadow else RUN_KIND
    sys.setswitchinterval(SWITCH_S)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with ends_on_fault("worker"):
        run(arguments.seed, stop, kind=kind)


def run(seed: int, stop: threading.Event, *, kind: str = RUN_KIND) -> None:
    """Quote with the desk that the environment describes."""
    wired = desk()
    if wired.settings.metrics_port:
        observe.serve_metrics(wired.settings.metrics_port)
    pid = os.getpid()
    observe.service(name="worker", state="started", pid=pid)
    try:
        market = SimulatedMarket(np.random.default_rng(seed), duration_s=None)
        run = open_run(
            wired.store, wired.clock, market, seed=seed, chains=wired.chains(), kind=kind
        )
        observe.correlate(run=run.run_id)
        serve(wired, PacedFeed(market, wired.clock), run, stop=stop)
        wired.store.finish_run(run.run_id, finished_at_ns=wired.clock.now_ns())
    finally:
        wired.close()
        observe.service(name="worker", state="stopped", pid=pid)


if __name__ == "__main__":
    main()

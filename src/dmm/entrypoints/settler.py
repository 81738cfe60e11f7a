"""The settler: a daemon that drives the outbox until it is told to stop."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

from dmm import observe
from dmm.bootstrap import Desk, desk
from dmm.entrypoints.faults import ends_on_fault
from dmm.units.errors import OutcomeUnknown, Retryable
from dmm.usecases.dispatch import SweepCounts, sweep

IDLE_S_MIN = 0.1
"""Pause after a sweep that found work."""

IDLE_S_MAX = 2.0
"""Longest pause while nothing is open."""

FAULT_S_MAX = 30.0
"""Longest pause while database or chain cannot be reached."""


def serve(desk: Desk, *, stop: threading.Event, owner: str) -> None:
    """Sweep until `stop` is set; pauses grow while there is nothing to do or nothing answers.

    A sweep in progress ends first: what it signed is stored, and the next start takes it up.
    """
    idle_s = IDLE_S_MIN
    while not stop.is_set():
        try:
            counts = sweep(
                store=desk.store,
                chain=desk.chain,
                signer=desk.signer,
                clock=desk.clock,
                owner=owner,
                wait_s_max=0.0,
                lease_s=desk.settings.lease_s,
                bounds=desk.lane_bounds,
            )
        except (Retryable, OutcomeUnknown) as fault:
            idle_s = min(2 * idle_s, FAULT_S_MAX)
            observe.service(name="settler", state="waiting", note=str(fault))
        else:
            idle_s = IDLE_S_MIN if _had_work(counts) else min(2 * idle_s, IDLE_S_MAX)
        stop.wait(idle_s)


def _had_work(counts: SweepCounts) -> bool:
    return counts.still_open + counts.sent + counts.final + counts.failed > 0


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    stop = threading.Event()
    _on_signals(stop.set)
    with ends_on_fault("settler"):
        run(stop)


def run(stop: threading.Event) -> None:
    """Serve with the desk that the environment describes."""
    wired = desk()
    if wired.settings.metrics_port:
        observe.serve_metrics(wired.settings.metrics_port)
    pid = os.getpid()
    observe.service(name="settler", state="started", pid=pid)
    try:
        serve(wired, stop=stop, owner=f"settler-{pid}")
    finally:
        wired.close()
        observe.service(name="settler", state="stopped", pid=pid)


def _on_signals(act: Callable[[], None]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: act())


if __name__ == "__main__":
    main()

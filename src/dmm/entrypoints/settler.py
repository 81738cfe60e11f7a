"""The settler: a daemon that drives every chain's outbox until it is told to stop.

Each chain has threads of its own with their own connections to the journal, so that one that is
down holds up nobody else; leases and fences keep the hands of one chain apart. Between sweeps one
of them brings the journal's copy of its chain up to date: the books follow the chain also while the
scheduler is down.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

from dmm import observe
from dmm.bootstrap import Desk
from dmm.entrypoints.faults import ends_on_fault
from dmm.settings import Settings, settings
from dmm.units.chain import HOME_CHAIN
from dmm.units.errors import InvariantBroken, OutcomeUnknown, Retryable
from dmm.units.time import NS_PER_S
from dmm.usecases.dispatch import SweepCounts, sweep
from dmm.usecases.follow import follow

IDLE_S_MIN = 0.1
"""Pause after a sweep that found work."""

IDLE_S_MAX = 2.0
"""Longest pause while nothing is open."""

FAULT_S_MAX = 30.0
"""Longest pause while database or chain cannot be reached."""

FOLLOW_S = 2.0
"""Least time between two looks at what became final."""


HANDS = {HOME_CHAIN: 3}
"""Sweeps of a chain side by side, 1 where not named; while one waits for a disk others go on."""


def serve(
    desk: Desk,
    *,
    stop: threading.Event,
    owner: str,
    chain: str = HOME_CHAIN,
    follows: bool = True,
) -> None:
    """Sweep a chain until `stop` is set; pauses grow while nothing is to do or nothing answers.

    A pass in progress ends first: what it signed is stored, and the next start takes it up.

    Parameters
    ----------
    follows : also bring the journal's copy of the chain up to date; one hand of a chain does
    """
    idle_s, followed_at_ns = IDLE_S_MIN, 0

    def is_follow_due() -> bool:
        return desk.clock.now_ns() - followed_at_ns >= FOLLOW_S * NS_PER_S

    def is_over() -> bool:
        return stop.is_set() or (follows and is_follow_due())

    while not stop.is_set():
        try:
            counts = sweep(
                store=desk.store,
                chain=desk.chain(chain),
                signer=desk.signer(chain),
                clock=desk.clock,
                owner=owner,
                wait_s_max=0.0,
                lease_s=desk.settings.lease_s,
                bounds=desk.lane_bounds,
                is_over=is_over,
            )
            if follows and is_follow_due():
                _follow(desk, chain)
                followed_at_ns = desk.clock.now_ns()
        except (Retryable, OutcomeUnknown) as fault:
            idle_s = min(2 * idle_s, FAULT_S_MAX)
            observe.service(name=f"settler {chain}", state="waiting", note=str(fault))
        else:
            idle_s = IDLE_S_MIN if _had_work(counts) else min(2 * idle_s, IDLE_S_MAX)
        stop.wait(idle_s)


def _follow(desk: Desk, chain: str) -> None:
    try:
        follow(
            store=desk.store,
            log=desk.chain_log(chain),
            clock=desk.clock,
            depth_max=desk.settings.reorg_depth_max,
        )
    except InvariantBroken as fault:
        # The kill switch is latched by now. What is signed already must still be followed to its
        # end, and slots freed, so the sweeps go on.
        observe.service(name=f"follower {chain}", state="broken", note=str(fault))


def _had_work(counts: SweepCounts) -> bool:
    return counts.still_open + counts.sent + counts.final + counts.failed > 0


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    stop = threading.Event()
    _on_signals(stop.set)
    with ends_on_fault("settler"):
        run(stop)


def run(stop: threading.Event) -> None:
    """Serve every chain that the environment enables; a fault of one ends all.

    Raises
    ------
    Fault
        What ended the first thread.
    """
    config = settings()
    observe.configure_logging(config.log_level)
    if config.metrics_port:
        observe.serve_metrics(config.metrics_port)
    pid = os.getpid()
    observe.service(name="settler", state="started", pid=pid)
    hands = [(chain, hand) for chain in config.chains for hand in range(HANDS.get(chain, 1))]
    with ThreadPoolExecutor(max_workers=len(hands), thread_name_prefix="settler") as pool:
        serving = [
            pool.submit(_serve_one, config, chain, stop=stop, pid=pid, hand=hand)
            for chain, hand in hands
        ]
        ended, _ = wait(serving, return_when=FIRST_COMPLETED)
        stop.set()
    observe.service(name="settler", state="stopped", pid=pid)
    for thread in (*ended, *serving):
        thread.result()


def _serve_one(config: Settings, chain: str, *, stop: threading.Event, pid: int, hand: int) -> None:
    desk, owner = Desk(config), f"settler-{pid}.{hand}-{chain}"
    try:
        serve(desk, stop=stop, owner=owner, chain=chain, follows=hand == 0)
    finally:
        desk.close()


def _on_signals(act: Callable[[], None]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: act())


if __name__ == "__main__":
    main()

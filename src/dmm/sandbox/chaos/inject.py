"""Injects a plan's faults into a running stack, ends them, and starts again what has died.

One thread does it all, for as long as the stack is up: what it starts would end with it. See
`dmm.sandbox.process`.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dmm.adapters.postgres.roles import Role
from dmm.sandbox.chaos.chains import ChaosChain
from dmm.sandbox.chaos.liar import Manner
from dmm.sandbox.chaos.plan import Fault, FaultKind
from dmm.sandbox.chaos.processes import GONE_S_MAX, child_of, is_gone
from dmm.sandbox.chaos.timeline import Struck, Timeline
from dmm.sandbox.process import Child
from dmm.sandbox.stack import Stack
from dmm.units.errors import Fault as DeskFault
from dmm.units.errors import ServiceFault

POLL_S = 0.1
"""How often the thread looks at what is due and at what has died."""

WELL_S_MAX = 90.0
"""How long everything that was killed may take to be back."""

START_ATTEMPTS_MAX = 10
"""A killed PostgreSQL's backends may hold its memory a moment longer."""

START_PAUSE_S = 1.0
WORKER = "dmm.entrypoints.worker"
WRITER = "dmm.entrypoints.journal_writer"

AGAIN_S = 0.5
"""Pause before a fault or its end is tried again while something else has to come up first."""

UNHEARD_S_MAX = 8.0
"""How long a lie goes on at the most until somebody has heard it: before that it proves nothing."""

RESTARTS_MAX = 50
"""How often a lap starts processes again that ended by themselves."""


@dataclass(slots=True, kw_only=True)
class Injector:
    """Faults of one stack; `run` is the thread's body, everything else is for others to call."""

    stack: Stack
    chains: Mapping[str, ChaosChain]
    timeline: Timeline
    market_seed: int
    restarts: int = 0
    _due: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _open: int = 0
    _down: set[str] = field(default_factory=set)
    _guard: threading.Condition = field(default_factory=threading.Condition)
    _stopping: bool = False
    _is_ending: bool = False
    _released: threading.Event = field(default_factory=threading.Event)
    _fault: BaseException | None = None
    _kept: dict[str, Child] = field(default_factory=dict)

    # -- for the session ----------------------------------------------------------------------

    def schedule(self, faults: tuple[Fault, ...]) -> None:
        """Inject faults, each after its time from now."""
        for fault in faults:
            self._later(fault.after_ms / 1_000, lambda fault=fault: self._begin(fault))  # type: ignore[misc]

    def keep_running(self) -> None:
        """Start settler and shadow worker and keep them running; again is a no-op."""
        if not self._kept:
            self._ask(self._start_kept)

    def wait_well(self) -> None:
        """Return once nothing is down.

        Raises
        ------
        ServiceFault
            If that takes longer than `WELL_S_MAX`, or a start failed for good.
        """
        self._wait(lambda: not self._down, "what was killed is not back")

    def wait_calm(self) -> None:
        """Return once every fault that was scheduled has come and gone; faults as `wait_well`."""
        self._wait(lambda: not self._open, "faults are still open")

    def end_faults(self) -> None:
        """Strike nothing more, end now what is open, and return then; faults as `wait_well`."""
        with self._guard:
            self._is_ending = True
            self._due = [(0.0, number, act) for _, number, act in self._due]
            heapq.heapify(self._due)
        self.wait_calm()

    @property
    def is_over(self) -> bool:
        """Tell whether nothing is started again: the database is lost, or the stack stops."""
        return self._stopping

    def lose_database(self) -> None:
        """Kill PostgreSQL for good; whoever waits for it waits for ever."""
        with self._guard:
            self._stopping = True
        pid = self.stack.postgres.pid or 0
        if pid > 0:
            os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        """End the thread's work: nothing is injected or restarted from here on."""
        with self._guard:
            self._stopping = True
            self._due.clear()
            self._guard.notify_all()

    def release(self) -> None:
        """Let the thread end; what it started has to be stopped by then."""
        self.stop()
        self._released.set()

    def _ask(self, act: Callable[[], None]) -> None:
        self._later(0.0, act)
        self._wait(lambda: not self._open, "the desk's processes do not start")

    def _wait(self, over: Callable[[], bool], what: str) -> None:
        with self._guard:
            done = self._guard.wait_for(lambda: self._fault is not None or over(), WELL_S_MAX)
            fault = self._fault
        if fault is not None:
            raise ServiceFault(f"chaos could not restore what it broke: {fault}") from fault
        if not done:
            raise ServiceFault(f"{what} after {WELL_S_MAX:.0f} s: see the timeline")

    # -- the thread ---------------------------------------------------------------------------

    def run(self) -> None:
        """Do what is due until `stop`, then stay until `release`: children end with the thread.

        What fails for good is told to whoever waits.
        """
        try:
            self._work()
        finally:
            with self._guard:
                if not self._stopping:
                    self._fault = self._fault or ServiceFault("the injector's thread ended")
                    self._guard.notify_all()
        self._released.wait()

    def _work(self) -> None:
        while True:
            with self._guard:
                if self._stopping:
                    return
                act = self._next()
            try:
                if act is None:
                    self._look_after()
                    time.sleep(POLL_S)
                else:
                    act()
            except DeskFault as fault:
                with self._guard:
                    self._fault = self._fault or fault
            finally:
                if act is not None:
                    with self._guard:
                        self._open -= 1
                        self._guard.notify_all()

    def _next(self) -> Callable[[], None] | None:
        if not self._due or self._due[0][0] > time.monotonic():
            return None
        return heapq.heappop(self._due)[2]

    def _later(self, after_s: float, act: Callable[[], None]) -> None:
        with self._guard:
            self._open += 1
            entry = time.monotonic() + after_s, next(self._numbers), act
            heapq.heappush(self._due, entry)

    def _look_after(self) -> None:
        """Start again what ended by itself, as a supervisor would, and say so."""
        if "postgres" in self._down:
            return
        for name, child in self._kept.items():
            if name in self._down or child.is_alive:
                continue
            if self.restarts >= RESTARTS_MAX:
                raise ServiceFault(f"{name} ends again and again: {child.log_tail()}")
            self.restarts += 1
            self.timeline.note(f"  {name} ended by itself ({child.log_tail()}): started again")
            child.spawn()

    # -- faults -------------------------------------------------------------------------------

    def _begin(self, fault: Fault) -> None:
        if self._is_ending:
            return
        if not self._is_up(fault):
            self._later(AGAIN_S, lambda: self._begin(fault))
            return
        struck = self.timeline.strike(fault)
        match fault.kind:
            case FaultKind.KILL:
                self._kill(fault)
            case FaultKind.REORG:
                self.chains[fault.target].reorganise(fault.depth)
                self.timeline.recover(struck, "on the new branch")
                return
            case _:
                name, _, place = fault.target.partition("#")
                self.chains[name].disturb(int(place), Manner(fault.kind.value))
        self._later(fault.lasts_ms / 1_000, lambda: self._end(fault, struck))

    def _is_up(self, fault: Fault) -> bool:
        """Tell whether a target is there to be struck: it may have ended with its database."""
        if fault.kind is not FaultKind.KILL:
            return fault.target.partition("#")[0] not in self._down
        return self._pid(fault.target) > 0

    def _end(self, fault: Fault, struck: Struck) -> None:
        if fault.kind is FaultKind.KILL:
            if "postgres" in self._down and fault.target not in ("postgres", *self.chains):
                # As a supervisor's order of starts has it: the database first.
                self._later(AGAIN_S, lambda: self._end(fault, struck))
                return
            seen = self._revive(fault)
            with self._guard:
                self._down.discard(fault.target)
                self._guard.notify_all()
        else:
            name, _, place = fault.target.partition("#")
            age_s = time.monotonic() - self.timeline.began_s - struck.at_s
            if not self.chains[name].is_heard(int(place)) and age_s < UNHEARD_S_MAX:
                self._later(AGAIN_S, lambda: self._end(fault, struck))
                return
            seen = self.chains[name].calm(int(place))
        self.timeline.recover(struck, seen)

    def _kill(self, fault: Fault) -> None:
        name = fault.target
        with self._guard:
            self._down.add("worker" if name == "journal-writer" else name)
            self._down.add(name)
        if name in self.chains:
            self.chains[name].before_kill()
        pid = self._pid(name)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        if not is_gone(pid):
            raise ServiceFault(f"{name} (pid {pid}) outlived SIGKILL")

    def _pid(self, name: str) -> int:
        """Return the process id of one of our own processes, 0 while it does not run."""
        role, _, chain = name.partition("@")
        match role:
            case "flow-runner":
                found = self.stack.flows().pid
            case "postgres":
                found = self.stack.postgres.pid or 0
            case "settlement-signer" | "quote-signer":
                found = self.stack.signer(role.removesuffix("-signer"), chain).pid
            case "journal-writer":
                found = child_of(self._kept["worker"].pid, WRITER)
            case _ if role in self.chains:
                found = self.chains[role].pid
            case _:
                found = self._kept[role].pid
        return found

    def _revive(self, fault: Fault) -> str:
        """Start again what was killed; return what was seen."""
        name = fault.target
        role, _, chain = name.partition("@")
        match role:
            case "flow-runner":
                self.stack.flows().spawn()
            case "postgres":
                _patiently(self.stack.postgres.start)
            case "settlement-signer" | "quote-signer":
                self.stack.restart_signer(role.removesuffix("-signer"), chain)
            case "journal-writer":
                return self._revive_worker()
            case _ if role in self.chains:
                _patiently(self.chains[role].revive)
            case _:
                self._kept[role].spawn()
        return "started again"

    def _revive_worker(self) -> str:
        """Wait until the worker has ended for want of its journal, and start it again."""
        worker = self._kept["worker"]
        ended_by_itself = is_gone(worker.pid)
        if not ended_by_itself:
            worker.stop()
        worker.spawn()
        worker.wait_until(lambda: child_of(worker.pid, WRITER) > 0, timeout_s=GONE_S_MAX)
        with self._guard:
            self._down.discard("worker")
        how = "by itself" if ended_by_itself else "when it was told to"
        return f"the worker ended {how} and was started again"

    def _start_kept(self) -> None:
        stack = self.stack
        seed = ["--seed", str(self.market_seed)]
        self._kept["settler"] = stack.child(
            "settler", ["dmm.entrypoints.settler"], role=Role.SETTLER
        )
        worker = stack.child("shadow", [WORKER, "--shadow", *seed], role=Role.WORKER)
        worker.wait_until(lambda: child_of(worker.pid, WRITER) > 0, timeout_s=GONE_S_MAX)
        self._kept["worker"] = worker


def _patiently(start: Callable[[], None]) -> None:
    for _ in range(START_ATTEMPTS_MAX - 1):
        try:
            start()
        except ServiceFault:
            time.sleep(START_PAUSE_S)
        else:
            return
    start()

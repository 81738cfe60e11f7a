"""Child processes that cannot outlive us: started in a session of their own, ended by pid.

A child gets a signal from the kernel when the thread that started it ends, however that happens
(`PR_SET_PDEATHSIG`, Linux). Start children from the main thread or from threads that live as long
as the program.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dmm import observe
from dmm.units.errors import ServiceFault

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
POLL_S = 0.02
LOG_TAIL_BYTES = 2_000


@dataclass(slots=True, kw_only=True)
class Child:
    """One child process: its command, its log, and the signals that end it.

    `stop_signal` asks it to end, also when we die; after `stop_s_max` seconds it is killed.
    `run_as` holds `subprocess` arguments that drop root.
    """

    name: str
    argv: Sequence[str]
    log_path: Path
    env: Mapping[str, str]
    cwd: Path
    stop_signal: signal.Signals = signal.SIGTERM
    stop_s_max: float = 10.0
    pipes: bool = False
    run_as: dict[str, int | list[int]] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def spawn(self) -> None:
        """Start the process; its output goes to the log, appended.

        Raises
        ------
        ServiceFault
            If the program cannot be started, or an earlier one of it does not end.
        """
        self._end_earlier()
        die_with_parent = _die_with_parent(self.stop_signal)
        stream = subprocess.PIPE if self.pipes else None
        with self.log_path.open("ab") as log:
            try:
                self.process = subprocess.Popen(  # noqa: S603 - our own argument lists only
                    list(self.argv),
                    stdin=stream or subprocess.DEVNULL,
                    stdout=stream or log,
                    stderr=log,
                    env=dict(self.env),
                    cwd=self.cwd,
                    start_new_session=True,
                    # Only two system calls run between fork and exec, none of which takes a lock.
                    preexec_fn=die_with_parent,  # noqa: PLW1509
                    **self.run_as,  # type: ignore[call-overload]
                )
            except OSError as error:
                raise ServiceFault(f"{self.name} cannot be started: {error}") from error
        self._pid_path.write_text(f"{self.pid} {_started_at(self.pid)}", encoding="ascii")
        observe.service(name=self.name, state="started", pid=self.pid)

    @property
    def _pid_path(self) -> Path:
        return self.log_path.with_suffix(".pid")

    def _end_earlier(self) -> None:
        """Wait for the child that an earlier, killed owner started here; end it by pid if need be.

        The kernel told it to end when its owner died, so it is usually on its way out.
        """
        try:
            words = self._pid_path.read_text(encoding="ascii").split()
            pid, started_at = int(words[0]), words[1]
        except (OSError, ValueError, IndexError):
            return
        if _wait_gone(pid, started_at, timeout_s=self.stop_s_max):
            return
        observe.service(name=self.name, state="killed", pid=pid, note="left by an owner")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        if not _wait_gone(pid, started_at, timeout_s=self.stop_s_max):
            raise ServiceFault(
                f"an earlier {self.name} (pid {pid}) does not end: stop it and start again"
            )

    @property
    def pid(self) -> int:
        """Return the process id, 0 before the start."""
        return self.process.pid if self.process else 0

    @property
    def is_alive(self) -> bool:
        """Tell whether the process runs."""
        return self.process is not None and self.process.poll() is None

    def wait_until(self, ready: Callable[[], bool], *, timeout_s: float) -> None:
        """Wait until `ready` holds.

        Raises
        ------
        ServiceFault
            If the process ends first or the time runs out; the text names log and cause.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if not self.is_alive:
                code = self.process.returncode if self.process else "none"
                raise ServiceFault(f"{self.name} ended with code {code}: {self.log_tail()}")
            if ready():
                observe.service(name=self.name, state="healthy", pid=self.pid)
                return
            time.sleep(POLL_S)
        raise ServiceFault(f"{self.name} was not ready after {timeout_s:.0f} s: {self.log_tail()}")

    def log_tail(self) -> str:
        """Return the last words of the log on one line, with its path."""
        try:
            size = self.log_path.stat().st_size
            with self.log_path.open("rb") as log:
                log.seek(max(0, size - LOG_TAIL_BYTES))
                lines = log.read().decode(errors="replace").split("\n")
        except OSError:
            return f"see {self.log_path}"
        last = next((line.strip() for line in reversed(lines) if line.strip()), "no output")
        return f"{observe.plain(last)[:200]} (see {self.log_path})"

    def stop(self) -> None:
        """End the process: ask, wait, then kill. Ending it again is a no-op."""
        process = self.process
        if process is None or process.poll() is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        process.send_signal(self.stop_signal)
        try:
            process.wait(self.stop_s_max)
        except subprocess.TimeoutExpired:
            observe.service(name=self.name, state="killed", pid=self.pid)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        observe.service(name=self.name, state="stopped", pid=self.pid)


def _started_at(pid: int) -> str:
    """Return when a live process started, in the kernel's ticks; empty when it is gone.

    With the pid this names a process for good: pids are used again, both together are not.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    state, *rest = fields.rsplit(")", 1)[1].split()
    return "" if state == "Z" else rest[18]


def _wait_gone(pid: int, started_at: str, *, timeout_s: float) -> bool:
    """Wait until a process is gone, or has given its pid to another; False when time runs out."""
    deadline = time.monotonic() + timeout_s
    while _started_at(pid) == started_at:
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def _die_with_parent(stop_signal: signal.Signals) -> Callable[[], None]:
    parent = os.getpid()

    def prepare() -> None:
        # A background shell hands its children an ignored SIGINT; ours must hear it.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, int(stop_signal))
            if os.getppid() != parent:
                os.kill(os.getpid(), stop_signal)

    return prepare


def free_port() -> int:
    """Return a loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def require_free_port(port: int, *, name: str) -> None:
    """Refuse a port that something listens on.

    Raises
    ------
    ServiceFault
        If the port is in use; the text names it.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise ServiceFault(
                f"port {port} for {name} is in use: stop what listens there or choose another port"
            ) from error

"""The server of an earlier run on the same data folder: waited for, then stopped by its pid.

After `kill -9` of the desk the kernel tells the server to shut down, which takes a moment. The
caller holds the state folder's lock, so whatever still runs on the data belongs to nobody.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from pathlib import Path

from dmm import observe
from dmm.units.errors import ServiceFault

EARLIER_EXIT_S_MAX = 20
"""How long an earlier server may take to end by itself, seconds."""

EARLIER_STOP_S_MAX = 20
"""How long it may take after each signal of ours, seconds."""


def postmaster_pid(data: Path) -> int | None:
    """Return the pid of a live postgres on this data folder, None if there is none.

    `postmaster.pid` alone proves nothing: after a crash its number may belong to any process. The
    process must be called postgres and have been started with ``-D`` on this very folder.
    """
    try:
        first_line = (data / "postmaster.pid").read_text().split("\n", 1)[0]
        pid = int(first_line)
        argv = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    named = Path(os.fsdecode(argv[0])).name == "postgres"
    folder = os.fsencode(str(data))
    on_data = any(argv[i] == b"-D" and argv[i + 1] == folder for i in range(len(argv) - 1))
    return pid if named and on_data else None


def end_earlier(data: Path) -> None:
    """Return once no earlier server lives on the data folder, stopping it after a bounded wait.

    Raises
    ------
    ServiceFault
        If it survives even an immediate shutdown.
    """
    pid = postmaster_pid(data)
    if pid is None:
        _drop_foreign_pid_file(data)
        return
    observe.service(name="postgres", state="waiting", pid=pid, note="an earlier server still ends")
    if _wait_gone(pid, EARLIER_EXIT_S_MAX):
        return
    for number in (signal.SIGINT, signal.SIGQUIT):
        # Checked again before every signal: the pid may have ended and been given to another.
        if postmaster_pid(data) != pid:
            return
        observe.service(name="postgres", state="stopping", pid=pid, note=f"earlier, {number.name}")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        if _wait_gone(pid, EARLIER_STOP_S_MAX):
            return
    raise ServiceFault(
        f"an earlier PostgreSQL (pid {pid}) on {data} does not end; stop it and start again"
    )


def _drop_foreign_pid_file(data: Path) -> None:
    """Remove `postmaster.pid` when its number now belongs to a process that is no postgres of ours.

    PostgreSQL removes the file itself when the pid is dead, but refuses to start when it was given
    to another process, which is the rule after a container restarts.
    """
    file = data / "postmaster.pid"
    with contextlib.suppress(OSError, ValueError):
        pid = int(file.read_text().split("\n", 1)[0])
        if Path(f"/proc/{pid}").exists():
            file.unlink()


def _wait_gone(pid: int, seconds: int) -> bool:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], seconds)[0])
    finally:
        os.close(handle)

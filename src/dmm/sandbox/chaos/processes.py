"""What the kernel tells of processes that are ours."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

POLL_S = 0.1
GONE_S_MAX = 30.0
"""How long a process may take to end, or its child to appear, seconds."""


def is_gone(pid: int) -> bool:
    """Wait until a process has ended; a zombie has."""
    until_s = time.monotonic() + GONE_S_MAX
    while time.monotonic() < until_s:
        fields = _stat(pid)
        if not fields or fields[0] == "Z":
            return True
        time.sleep(POLL_S)
    return False


def child_of(pid: int, module: str) -> int:
    """Return a live child of a process of ours that runs a module, 0 without one."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if len(fields) > 1 and fields[0] != "Z" and int(fields[1]) == pid:
                with contextlib.suppress(OSError):
                    if module.encode() in (entry / "cmdline").read_bytes().split(b"\0"):
                        return int(entry.name)
    return 0


def _stat(pid: int) -> list[str]:
    """Return state, parent and what follows of a process; empty when there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return []
    return text.rsplit(")", 1)[1].split()

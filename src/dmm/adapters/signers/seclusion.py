"""A process that holds a key shows its memory to nobody."""

from __future__ import annotations

import ctypes
import resource

from dmm.units.errors import ServiceFault

PR_GET_DUMPABLE = 3
PR_SET_DUMPABLE = 4


def seclude() -> None:
    """Refuse this process's memory to other processes of its account, and to core files.

    The signer's clients run under its account. The kernel then lets only a tracer with
    CAP_SYS_PTRACE read ``/proc/PID/mem`` and ``/proc/PID/environ``.

    Raises
    ------
    ServiceFault
        If the kernel does not confirm it.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 or libc.prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise ServiceFault("the kernel does not keep this process's memory to itself")

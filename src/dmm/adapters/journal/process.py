"""Starts the journal's process beside a worker, and sees it end."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from dmm.adapters.journal.link import JournalLink

BUFFER_BYTES = 1 << 22
"""What the kernel holds on the way: a few hundred batches."""

ENDED_S_MAX = 5.0
"""How long a process that hung up may take to be gone."""


@contextmanager
def journal_process(argv: Sequence[str]) -> Iterator[JournalLink]:
    """Give a journal that another process keeps; leaving the context has the rest written.

    The process lives in a session of its own: what interrupts the worker must not end it before it
    has written what the worker handed over. It ends when the worker hangs up.

    Parameters
    ----------
    argv : its command; the number of its socket's descriptor follows as the last argument

    Raises
    ------
    Fault
        What the journal met, or that it did not come up or not finish in time.
    """
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
    with theirs:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [*argv, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    try:
        with JournalLink(ours) as link:
            yield link
    finally:
        ours.close()
        # One that still writes what it was handed ends by itself within its own bounds.
        with suppress(subprocess.TimeoutExpired):
            process.wait(ENDED_S_MAX)

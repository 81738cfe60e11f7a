"""A line to the worker that needs neither database nor disk: one datagram kills.

The kill switch in the journal is what holds and what an auditor reads. This line only shortens the
way: the worker blocks and cancels at once, even while the journal's disk or server hangs.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Self

from dmm.units.errors import ServiceFault

REASON_BYTES_MAX = 1_024
CLOSE = b"\0close"
JOIN_S_MAX = 5.0


class KillLine:
    """Listens on a Unix datagram socket of mode 0600, in a thread of its own.

    `pulls` counts the datagrams, so that a pull after a release is heard like the first; `on_pull`
    is called for each, from the line's thread.
    """

    def __init__(self, path: Path, *, on_pull: Callable[[], None]) -> None:
        """Prepare; nothing is bound before the context is entered.

        Parameters
        ----------
        path : of the socket, in a folder that only the desk's account may enter
        on_pull : wakes whoever waits; must not block
        """
        self._path = path
        self._on_pull = on_pull
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._thread = threading.Thread(target=self._listen, name="kill-line", daemon=True)
        self.pulls = 0

    def __enter__(self) -> Self:
        """Bind the socket and listen.

        Raises
        ------
        ServiceFault
            If the socket cannot be bound.
        """
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        before = os.umask(0o177)
        try:
            self._socket.bind(str(self._path))
        except OSError as error:
            raise ServiceFault(
                f"kill line {self._path} cannot be opened: {error.strerror or error}; choose "
                "another with DMM_KILL_SOCKET"
            ) from error
        finally:
            os.umask(before)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening and take the socket away."""
        if self._thread.is_alive():
            with contextlib.suppress(OSError):
                self._socket.sendto(CLOSE, str(self._path))
            self._thread.join(JOIN_S_MAX)
        self._socket.close()
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()

    def _listen(self) -> None:
        while True:
            try:
                said = self._socket.recv(REASON_BYTES_MAX)
            except OSError:
                return
            if said == CLOSE:
                return
            self.pulls += 1
            self._on_pull()


def pull(path: Path, *, reason: str) -> bool:
    """Tell the worker to stop; False when none listens there.

    Parameters
    ----------
    path : of the worker's kill line
    reason : for its log; the audit log gets it with the latch
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.settimeout(0)
        try:
            line.sendto(reason.encode()[:REASON_BYTES_MAX], str(path))
        except OSError:
            return False
    return True

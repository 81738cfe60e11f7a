"""A signer's unix socket: only its own account may talk to it, one bounded line at a time."""

from __future__ import annotations

import os
import socket
import socketserver
import struct
import threading
from collections.abc import Callable
from pathlib import Path

from dmm.adapters.signers.wire import LINE_BYTES_MAX, pack, unpack
from dmm.units.errors import Fault, Permanent, ServiceFault
from dmm.units.ids import Json

IDLE_S_MAX = 60.0
"""How long a client may say nothing."""

CLIENTS_MAX = 16
_PEER = struct.Struct("3i")

Answer = Callable[[dict[str, Json]], Json]
"""Given a request, what goes under ``ok``; `Permanent` refuses, any other `Fault` says later."""


class SignerServer(socketserver.ThreadingUnixStreamServer):
    """Serves one signer; signatures are made one after the other."""

    daemon_threads = True
    request_queue_size = CLIENTS_MAX

    def __init__(self, path: Path, answer: Answer) -> None:
        """Listen on a socket that only this account can open.

        Raises
        ------
        ServiceFault
            If another signer listens there, or the folder cannot be written.
        """
        self.answer_lock = threading.Lock()
        self.answer = answer
        self.seats = threading.BoundedSemaphore(CLIENTS_MAX)
        _remove_stale(path)
        old_mask = os.umask(0o177)
        try:
            super().__init__(str(path), _Conversation)
        except OSError as error:
            raise ServiceFault(f"cannot listen on {path}: {error}") from error
        finally:
            os.umask(old_mask)

    def verify_request(self, request: object, client_address: object) -> bool:
        """Turn away other accounts, and clients past the limit."""
        assert isinstance(request, socket.socket)  # noqa: S101 - for the type checker
        if peer_uid(request) != os.getuid():
            return False
        return self.seats.acquire(blocking=False)


class _Conversation(socketserver.StreamRequestHandler):
    timeout = IDLE_S_MAX

    def handle(self) -> None:
        server = self.server
        assert isinstance(server, SignerServer)  # noqa: S101 - for the type checker
        try:
            while line := self.rfile.readline(LINE_BYTES_MAX + 1):
                if len(line) > LINE_BYTES_MAX or not line.endswith(b"\n"):
                    self.wfile.write(
                        pack({"refused": f"a line ends within {LINE_BYTES_MAX} bytes"})
                    )
                    return
                self.wfile.write(pack(_answer(server, line)))
        except OSError:
            # The client left or fell silent; what it asked for is in the register.
            return
        finally:
            server.seats.release()


def _answer(server: SignerServer, line: bytes) -> dict[str, Json]:
    try:
        with server.answer_lock:
            return {"ok": server.answer(unpack(line))}
    except Fault as fault:
        # A fault of the signer's own house is no verdict on the request.
        verdict = isinstance(fault, Permanent) and not isinstance(fault, ServiceFault)
        return {"refused" if verdict else "later": str(fault)}


def peer_uid(client: socket.socket) -> int:
    """Return the account at the other end, as the kernel knows it."""
    raw = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    _, uid, _ = _PEER.unpack(raw)
    return int(uid)


def _remove_stale(path: Path) -> None:
    if not path.exists():
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink(missing_ok=True)
            return
    raise ServiceFault(f"another signer listens on {path}: stop it first")

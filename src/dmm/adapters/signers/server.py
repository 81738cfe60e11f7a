"""A signer's unix socket: only its own account may talk to it, one bounded line at a time."""

from __future__ import annotations

import os
import socket
import socketserver
import struct
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
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


AnswerAll = Callable[[Sequence[dict[str, Json]]], "list[Json | Fault]"]
"""The same for requests that came meanwhile, each with its own answer or fault."""


@dataclass(slots=True)
class _Ask:
    """A request, and what is answered once it was its turn."""

    body: dict[str, Json]
    answers: list[Json | Fault] = field(default_factory=list)


class SignerServer(socketserver.ThreadingUnixStreamServer):
    """Serves one signer; signatures are made one after the other.

    What comes while one is made waits, and is then answered together: the register is written once
    for all of them. No more wait than there are seats.
    """

    daemon_threads = True
    request_queue_size = CLIENTS_MAX

    def __init__(self, path: Path, answer: Answer, answer_all: AnswerAll | None = None) -> None:
        """Listen on a socket that only this account can open.

        Parameters
        ----------
        answer_all : answers what waits together; without it each is answered alone

        Raises
        ------
        ServiceFault
            If another signer listens there, or the folder cannot be written.
        """
        self.answer_lock = threading.Lock()
        self._answer, self._answer_all = answer, answer_all
        self._waiting: deque[_Ask] = deque()
        self.seats = threading.BoundedSemaphore(CLIENTS_MAX)
        _remove_stale(path)
        old_mask = os.umask(0o177)
        try:
            super().__init__(str(path), _Conversation)
        except OSError as error:
            raise ServiceFault(f"cannot listen on {path}: {error}") from error
        finally:
            os.umask(old_mask)

    def ask(self, body: dict[str, Json]) -> Json:
        """Return a request's answer, made when those before it are done; a `Fault` refuses."""
        own = _Ask(body)
        self._waiting.append(own)
        with self.answer_lock:
            if not own.answers:
                self._answer_waiting()
        if not own.answers:
            raise ServiceFault("the answer was lost with the one before it: ask again")
        answer = own.answers[0]
        if isinstance(answer, Fault):
            raise answer
        return answer

    def _answer_waiting(self) -> None:
        asks = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if self._answer_all is not None and len(asks) > 1:
            given = self._answer_all([one.body for one in asks])
        else:
            given = [_one(self._answer, one.body) for one in asks]
        for one, answer in zip(asks, given, strict=True):
            one.answers.append(answer)

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
        return {"ok": server.ask(unpack(line))}
    except Fault as fault:
        # A fault of the signer's own house is no verdict on the request.
        verdict = isinstance(fault, Permanent) and not isinstance(fault, ServiceFault)
        return {"refused" if verdict else "later": str(fault)}


def _one(answer: Answer, body: dict[str, Json]) -> Json | Fault:
    try:
        return answer(body)
    except Fault as fault:
        return fault


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

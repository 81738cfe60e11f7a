"""DEMO: the desk's outside counterparties on loopback.

A market maker sells the desk's token for cash, and takers sign net statements. They live in a
thread of the supervising process and sign with their own demo keys; the desk knows them only by
their URL, as it would know any other.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from dmm.rfq.protocol import FirmQuote
from dmm.units.amount import Atoms
from dmm.units.errors import Permanent

REQUEST_BYTES_MAX = 65_536
REQUEST_S_MAX = 2.0

Answer = Callable[[dict[str, object], Atoms], tuple[FirmQuote, bytes] | None]
"""Given the request's fields and the cash amount, a signed quote or None."""


State = Callable[[Mapping[str, object]], bytes | None]
"""Given a request for a net statement, the taker's signature, or None where it signs none."""


def no_statement(_request: Mapping[str, object]) -> None:
    """Sign nothing."""


class MakerServer:
    """Serves ``POST /v1/quote`` and ``POST /v1/statement`` until closed."""

    def __init__(self, answer: Answer, state: State = no_statement) -> None:
        answers = {"answer": staticmethod(answer), "state": staticmethod(state)}
        handler = type("Handler", (_Handler,), answers)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Return the maker's address."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop answering."""
        self.close()

    def close(self) -> None:
        """Stop answering and free the port."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    answer: Answer
    state: State
    timeout = REQUEST_S_MAX

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        answers = {"/v1/quote": self._quote, "/v1/statement": self._statement}
        if self.path not in answers or not 0 < length <= REQUEST_BYTES_MAX:
            ways = " or ".join(answers)
            self._send(HTTPStatus.BAD_REQUEST, {"message": f"POST {ways} with a JSON body"})
            return
        try:
            body = answers[self.path](json.loads(self.rfile.read(length)))
        except (ValueError, KeyError, TypeError, AttributeError, Permanent) as error:
            self._send(HTTPStatus.BAD_REQUEST, {"message": f"unreadable request: {error}"})
            return
        if body is None:
            self._send(HTTPStatus.NOT_FOUND, {"message": f"nothing for {self.path}"})
            return
        self._send(HTTPStatus.OK, body)

    def _quote(self, request: dict[str, object]) -> dict[str, object] | None:
        cash = Atoms(int(str(request["cash_amount"])))
        quoted = self.answer(request, cash) if cash > 0 else None
        if quoted is None:
            return None
        quote, signature = quoted
        body: dict[str, object] = {**quote.to_json()}
        body |= {name: str(body[name]) for name in ("maker_amount", "taker_amount")}
        return {"quote": body, "signature": "0x" + signature.hex()}

    def _statement(self, request: dict[str, object]) -> dict[str, object] | None:
        signature = self.state(request)
        return None if signature is None else {"signature": "0x" + signature.hex()}

    def _send(self, status: HTTPStatus, body: dict[str, object]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Keep stderr for the desk's own lines."""

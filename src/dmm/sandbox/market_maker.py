"""DEMO: an outside market maker on loopback that sells the desk's token for cash.

It lives in a thread of the supervising process and signs with its own demo key; the desk knows it
only by its URL, as it would know any other maker.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from dmm.rfq.protocol import FirmQuote
from dmm.units.amount import Atoms

REQUEST_BYTES_MAX = 4_096
REQUEST_S_MAX = 2.0

Answer = Callable[[dict[str, object], Atoms], tuple[FirmQuote, bytes] | None]
"""Given the request's fields and the cash amount, a signed quote or None."""


class MakerServer:
    """Serves ``POST /v1/quote`` until closed."""

    def __init__(self, answer: Answer) -> None:
        handler = type("Handler", (_Handler,), {"answer": staticmethod(answer)})
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
    timeout = REQUEST_S_MAX

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        if self.path != "/v1/quote" or not 0 < length <= REQUEST_BYTES_MAX:
            self._send(HTTPStatus.BAD_REQUEST, {"message": "POST /v1/quote with a JSON body"})
            return
        try:
            request = json.loads(self.rfile.read(length))
            cash = Atoms(int(request["cash_amount"]))
            quoted = self.answer(request, cash) if cash > 0 else None
        except (ValueError, KeyError, TypeError) as error:
            self._send(HTTPStatus.BAD_REQUEST, {"message": f"unreadable request: {error}"})
            return
        if quoted is None:
            self._send(HTTPStatus.NOT_FOUND, {"message": "no quote"})
            return
        quote, signature = quoted
        body = quote.to_json()
        body |= {name: str(body[name]) for name in ("maker_amount", "taker_amount")}
        self._send(HTTPStatus.OK, {"quote": body, "signature": "0x" + signature.hex()})

    def _send(self, status: HTTPStatus, body: dict[str, object]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Keep stderr for the desk's own lines."""

"""Clients of the signers, as `dmm.ports.Signer` and `dmm.ports.QuoteSigner`."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

from dmm.adapters.signers.wire import (
    LINE_BYTES_MAX,
    bytes_of,
    intent_to_json,
    pack,
    request_to_json,
    signed_from_json,
    unpack,
)
from dmm.ports import SignedTx, SignRequest
from dmm.rfq.protocol import FirmQuote
from dmm.settlement.intent import Intent
from dmm.units.errors import Permanent, Retryable
from dmm.units.ids import Json

ANSWER_TIMEOUT_S = 5.0
"""A signer answers in milliseconds; one that takes longer is treated as down."""

FETCHES_MAX = 64
"""Reads in which one answer must arrive."""


class _Line:
    """One question and its answer, each on a connection of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._texts: dict[tuple[str, str], str] = {}

    def ask(self, body: dict[str, Json]) -> Json:
        line = pack(body)
        try:
            with socket.socket(socket.AF_UNIX) as link:
                link.settimeout(ANSWER_TIMEOUT_S)
                link.connect(str(self._path))
                link.sendall(line)
                answer = unpack(_read_line(link))
        except OSError as error:
            raise Retryable(f"signer {self._path} does not answer: {error}") from error
        if "refused" in answer:
            raise Permanent(f"the signer refused: {answer['refused']}")
        if "ok" not in answer:
            raise Retryable(f"the signer will not sign now: {answer.get('later', 'no reason')}")
        return answer["ok"]

    def ask_once(self, op: str, chain: str) -> str:
        """Return a text that a signer never changes; asked for until it was answered."""
        with self._lock:
            if (op, chain) not in self._texts:
                self._texts[op, chain] = str(self.ask({"op": op, "chain": chain}))
            return self._texts[op, chain]


class SocketSigner:
    """The settlement signer behind a unix socket."""

    def __init__(self, path: Path) -> None:
        """Name the socket; nothing is asked yet."""
        self._line = _Line(path)

    def address(self, chain: str, lane: str = "") -> str:
        """Return the address that sends on a chain: the signer's one key serves every lane."""
        del lane
        return self._line.ask_once("address", chain)

    def sign(self, request: SignRequest) -> SignedTx:
        """Have a transaction signed; see `dmm.ports.Signer`."""
        return signed_from_json(self._line.ask({"op": "sign", "request": request_to_json(request)}))


class SocketQuoteSigner:
    """The quote signer behind a unix socket."""

    def __init__(self, path: Path) -> None:
        """Name the socket; nothing is asked yet."""
        self._line = _Line(path)

    def maker(self, chain: str) -> str:
        """Return the maker's address."""
        return self._line.ask_once("maker", chain)

    def signer(self, chain: str) -> str:
        """Return the hot key's address."""
        return self._line.ask_once("signer", chain)

    def next_nonce(self, chain: str) -> int:
        """Return a nonce above all that the signer may have signed; asked each time."""
        answer = self._line.ask({"op": "next_nonce", "chain": chain})
        if not isinstance(answer, int) or isinstance(answer, bool) or answer < 0:
            raise Retryable(f"the quote signer answered no nonce: {answer!r}")
        return answer

    def sign_quote(self, quote: FirmQuote) -> bytes:
        """Have a quote signed; see `dmm.ports.QuoteSigner`."""
        return bytes_of(self._line.ask({"op": "sign_quote", "quote": quote.to_json()}))

    def sign_statement(self, carrier: Intent) -> bytes:
        """Have a net statement signed for the maker; see `dmm.ports.QuoteSigner`."""
        body: dict[str, Json] = {"op": "sign_statement", "statement": intent_to_json(carrier)}
        return bytes_of(self._line.ask(body))


def _read_line(link: socket.socket) -> bytes:
    content = b""
    for _ in range(FETCHES_MAX):
        part = link.recv(LINE_BYTES_MAX)
        content += part
        if content.endswith(b"\n"):
            return content
        if not part or len(content) > LINE_BYTES_MAX:
            break
    raise OSError("the answer ends before its line does")

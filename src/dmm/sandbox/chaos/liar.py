"""A proxy before one of several nodes that speaks JSON-RPC: honest until it is told to lie."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self, TypeAlias
from urllib.parse import urlsplit

UPSTREAM_S_MAX = 10.0
"""How long the node behind may take, seconds."""

REQUEST_BYTES_MAX = 4 << 20
STALE_BLOCKS = 20
"""How far an older block is behind: beyond the finality of the local EVM chain."""

AHEAD_S = 3_600
"""How far a clock is ahead, seconds."""

Body: TypeAlias = "dict[str, Any]"
Ask: TypeAlias = Callable[[str, "list[Any]"], Any]
"""Puts a question to the honest node and returns its result, None for an error."""


class Manner(StrEnum):
    """How a node answers; see `dmm.sandbox.chaos.plan.FaultKind`."""

    HONEST = "honest"
    STALE = "stale"
    FALSE = "false"
    SILENT = "silent"
    AHEAD = "ahead"


Twist: TypeAlias = Callable[[Manner, str, "list[Any]", Any, Ask], Any]
"""Turns an honest result into what a manner makes of it: (manner, method, params, result, ask)."""


class _Quiet(ThreadingHTTPServer):
    """A server that does not tell on stderr that a killed client hung up."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients are killed here on purpose."""


class LyingNode:
    """A node's second address; use as a context manager."""

    def __init__(self, upstream: Callable[[], str], twist: Twist) -> None:
        """Describe the proxy; it listens once it is entered.

        Parameters
        ----------
        upstream : the URL of the node behind, asked for at each request
        twist : what its lies are
        """
        self._upstream, self._twist = upstream, twist
        self.manner = Manner.HONEST
        self.lies = 0
        """Answers that were not the node's own since the last `calm`."""
        self._server = _Quiet(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Return where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def calm(self) -> int:
        """Be honest again; return how often it was not."""
        told, self.lies, self.manner = self.lies, 0, Manner.HONEST
        return told

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Hang up."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, content: bytes) -> bytes | None:
        """Return the answer to a request, None for no answer at all."""
        manner = self.manner
        if manner is Manner.SILENT:
            self.lies += 1
            return None
        packed = self._forward(content)
        if packed is None or manner is Manner.HONEST:
            return packed
        try:
            asked, body = json.loads(content), json.loads(packed)
            method, params = asked["method"], list(asked.get("params", []))
        except (ValueError, KeyError, TypeError):
            return packed
        if "result" not in body:
            return packed
        twisted = self._twist(manner, method, params, body["result"], self._ask)
        if twisted == body["result"]:
            return packed
        self.lies += 1
        return json.dumps({**body, "result": twisted}).encode()

    def _ask(self, method: str, params: list[Any]) -> Any:
        asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        packed = self._forward(json.dumps(asked).encode())
        return None if packed is None else json.loads(packed).get("result")

    def _forward(self, content: bytes) -> bytes | None:
        address = urlsplit(self._upstream())
        line = http.client.HTTPConnection(
            str(address.hostname), address.port, timeout=UPSTREAM_S_MAX
        )
        try:
            line.request("POST", "/", content, {"Content-Type": "application/json"})
            return line.getresponse().read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            line.close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                size = int(self.headers.get("Content-Length", "0"))
                if size > REQUEST_BYTES_MAX:
                    self.close_connection = True
                    return
                said = proxy.answer(self.rfile.read(size))
                if said is None:
                    self.close_connection = True
                    return
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_: object) -> None:
                """Say nothing: the timeline tells what matters."""

        return Handler


# -- EVM -------------------------------------------------------------------------------------------

_WORD_CHARS = 2 + 64


def twist_evm(manner: Manner, method: str, params: list[Any], result: Any, ask: Ask) -> Any:
    """Return what a lying EVM node makes of an honest result."""
    match manner, method:
        case Manner.STALE, "eth_getBlockByNumber" if _is_tag(params):
            return _older(result, params, ask)
        case Manner.STALE, "eth_getTransactionReceipt":
            return None
        case Manner.AHEAD, "eth_getBlockByNumber" if isinstance(result, dict):
            return {**result, "timestamp": hex(int(result["timestamp"], 16) + AHEAD_S)}
        case Manner.FALSE, "eth_getTransactionReceipt":
            return _false_receipt(result, ask)
        case Manner.FALSE, "eth_call" if isinstance(result, str) and len(result) == _WORD_CHARS:
            return "0x" + (0 if int(result, 16) else 1).to_bytes(32, "big").hex()
        case Manner.FALSE, "eth_getTransactionCount" if isinstance(result, str):
            return hex(int(result, 16) + 1)
        case Manner.FALSE, "eth_getLogs":
            return []
        case _:
            return result


def _is_tag(params: list[Any]) -> bool:
    return bool(params) and isinstance(params[0], str) and not params[0].startswith("0x")


def _older(result: Any, params: list[Any], ask: Ask) -> Any:
    if not isinstance(result, dict):
        return result
    height = max(0, int(result["number"], 16) - STALE_BLOCKS)
    return ask("eth_getBlockByNumber", [hex(height), *params[1:]])


def _false_receipt(result: Any, ask: Ask) -> Any:
    """Return a receipt of a payment that never was, or the failure of one that was."""
    if isinstance(result, dict):
        return {**result, "status": "0x0" if int(result["status"], 16) else "0x1"}
    final = ask("eth_getBlockByNumber", ["finalized", False])
    if not isinstance(final, dict):
        return result
    return {"blockNumber": final["number"], "blockHash": final["hash"], "status": "0x1"}


# -- Solana ----------------------------------------------------------------------------------------

_OF_ACCOUNTS = ("getAccountInfo", "getTokenAccountsByOwner", "getSignatureStatuses")


def twist_solana(manner: Manner, method: str, params: list[Any], result: Any, ask: Ask) -> Any:
    """Return what a lying Solana node makes of an honest result."""
    del params, ask
    match manner, method:
        case Manner.STALE, "getSlot" if isinstance(result, int):
            return max(0, result - STALE_BLOCKS)
        case Manner.STALE, "getTransaction":
            return None
        case Manner.AHEAD, "getBlockTime" if isinstance(result, int):
            return result + AHEAD_S
        case Manner.AHEAD, "getBlock" if isinstance(result, dict):
            return {**result, "blockTime": int(result["blockTime"]) + AHEAD_S}
        case Manner.FALSE, "getSignaturesForAddress":
            return []
        case Manner.FALSE, "getTransaction":
            return None
        case Manner.FALSE, _ if method in _OF_ACCOUNTS and isinstance(result, dict):
            return {**result, "value": _untrue(method, result.get("value"))}
        case _:
            return result


def _untrue(method: str, value: Any) -> Any:
    """Return no account, no token accounts, no status: as if it had never been."""
    if not isinstance(value, list):
        return None
    return [None] * len(value) if method == "getSignatureStatuses" else []

"""A remote signer as Web3Signer's ETH1 API and JSON-RPC describe it, and the ways it may misbehave.

It signs by eth-account, so that nothing of ours checks itself.
"""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from eth_account import Account
from eth_keys.datatypes import PrivateKey
from eth_utils.crypto import keccak

ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141


@dataclass
class Web3SignerFake:
    """One key behind two interfaces; `mood` says what it does wrong."""

    secret: bytes
    chain_id: int
    mood: str = ""
    asked: list[str] = field(default_factory=list)
    failures_left: int = 0

    @property
    def public_key(self) -> str:
        return PrivateKey(self.secret).public_key.to_hex()

    @property
    def address(self) -> str:
        return str(PrivateKey(self.secret).public_key.to_checksum_address())

    def sign_data(self, data: bytes) -> str:
        secret = b"\x07" * 32 if self.mood == "other key" else self.secret
        signature = PrivateKey(secret).sign_msg_hash(keccak(data))
        r, s, v = signature.r, signature.s, signature.v
        if self.mood == "high s":
            s, v = ORDER - s, 1 - v
        # asHex() of web3signer: r and s left-padded, v from 27 in one byte.
        return "0x" + (r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([27 + v])).hex()

    def sign_transaction(self, asked: dict[str, str]) -> dict[str, Any]:
        if asked["from"].lower() != self.address.lower():
            return {"error": {"code": -32000, "message": "No unlocked account matches the Sender"}}
        if "nonce" not in asked:
            return {"error": {"code": -32602, "message": "Invalid params"}}
        terms: dict[str, Any] = {
            "type": 2,
            "to": asked["to"],
            "data": asked.get("data", "0x"),
            # Not taken from the request: web3signer has a chain id of its own.
            "chainId": 1 if self.mood == "other chain" else self.chain_id,
        }
        for name in ("nonce", "gas", "value", "maxFeePerGas", "maxPriorityFeePerGas"):
            terms[name] = int(asked[name], 16)
        if self.mood == "other recipient":
            terms["to"] = "0x" + "66" * 20
        if self.mood == "more fee":
            terms["maxFeePerGas"] += 1
        secret = b"\x07" * 32 if self.mood == "other key" else self.secret
        signed = Account.from_key(secret).sign_transaction(terms)
        return {"result": "0x" + bytes(signed.raw_transaction).hex()}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, fake: Web3SignerFake) -> None:
        self.fake = fake
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    @property
    def fake(self) -> Web3SignerFake:
        assert isinstance(self.server, _Server)
        return self.server.fake

    def do_GET(self) -> None:
        self._handle(b"")

    def do_POST(self) -> None:
        self._handle(self.rfile.read(int(self.headers["Content-Length"])))

    def _handle(self, body: bytes) -> None:
        fake = self.fake
        fake.asked.append(self.path.partition("/0x")[0])
        if fake.failures_left > 0:
            fake.failures_left -= 1
            self._answer(500, "Internal Web3Signer server error")
            return
        match fake.mood:
            case "silent":
                time.sleep(1.5)
                self._answer(200, "late")
            case "drips":
                self._drip()
            case "redirects":
                self._answer(302, "", location="http://127.0.0.1:9/")
            case "endless":
                self._answer(200, "0x" + "00" * 100_000)
            case "nonsense":
                self._answer(200, "{[")
            case _:
                self._serve(body)

    def _serve(self, body: bytes) -> None:
        fake = self.fake
        if self.path == "/api/v1/eth1/publicKeys":
            self._answer(200, json.dumps([fake.public_key]))
        elif self.path == f"/api/v1/eth1/sign/{fake.public_key}":
            self._answer(200, fake.sign_data(bytes.fromhex(json.loads(body)["data"][2:])))
        elif self.path.startswith("/api/v1/eth1/sign/"):
            self._answer(404, "Public Key not found")
        else:
            asked = json.loads(body)
            assert asked["method"] == "eth_signTransaction"
            done = fake.sign_transaction(asked["params"][0])
            self._answer(200, json.dumps({"jsonrpc": "2.0", "id": asked["id"]} | done))

    def _answer(self, status: int, text: str, *, location: str = "") -> None:
        try:
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())
        except OSError:
            # Whoever asked did not wait.
            return

    def _drip(self) -> None:
        try:
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            for _ in range(1_000):
                self.wfile.write(b"0")
                time.sleep(0.2)
        except OSError:
            return

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
        del format, args


@contextmanager
def serving(fake: Web3SignerFake, *, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve it on loopback for the context; give its URL."""
    server = _Server(fake)
    if tls is not None:
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

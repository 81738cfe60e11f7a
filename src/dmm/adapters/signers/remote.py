"""Keys kept by a remote signer that speaks Web3Signer's protocol, over HTTPS.

The signer process stays in front of it: policy, caps, register and latches are ours, the key is
theirs. Nothing that comes back is believed before the chain's adapter has checked it. Every answer
but the expected one means that nothing was signed now.

References
----------
Web3Signer ETH1 API 23.11: ``GET /api/v1/eth1/publicKeys``, ``POST /api/v1/eth1/sign/{identifier}``
(signs the Keccak-256 hash of the data), and JSON-RPC ``eth_signTransaction``.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import httpx

from dmm.ports import Clock
from dmm.units.errors import Retryable, ServiceFault, UsageFault
from dmm.units.ids import Json
from dmm.units.json_text import parse_json
from dmm.units.time import NS_PER_S

ANSWER_S_MAX = 1.0
TRIES_MAX = 3
PAUSE_S = 0.1
"""All tries together stay below what a client of the signer's socket waits for."""

ANSWER_BYTES_MAX = 65_536
DEPTH_MAX = 4
KEYS_MAX = 256


class RemoteMethod(StrEnum):
    """What a remote signer is asked for."""

    TRANSACTION = "transaction"
    """JSON-RPC ``eth_signTransaction``: the remote side sees what it signs and may refuse."""
    DATA = "data"
    """``/api/v1/eth1/sign``: the remote side hashes and signs what it is given."""


class RemoteKeys(Protocol):
    """A remote signer, as a chain's adapter uses it."""

    @property
    def method(self) -> RemoteMethod:
        """Return what it is asked for."""
        ...

    def public_keys(self) -> tuple[bytes, ...]:
        """Return the 64 bytes (x ‖ y) of each public key it holds."""
        ...

    def sign_data(self, public_key: bytes, data: bytes) -> bytes:
        """Return r ‖ s ‖ v over the Keccak-256 hash of `data`, not checked."""
        ...

    def sign_transaction(self, fields: Mapping[str, str]) -> bytes:
        """Return the raw bytes that ``eth_signTransaction`` answers, not checked."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Files for HTTPS: whom to trust instead of the system's list, and how to show who we are."""

    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


class Web3Signer:
    """A remote signer by URL; signing twice is harmless, so a lost answer is asked for again."""

    def __init__(
        self, url: str, *, tls: Tls, clock: Clock, method: RemoteMethod = RemoteMethod.TRANSACTION
    ) -> None:
        """Name the remote signer; nothing is asked yet.

        Raises
        ------
        UsageFault
            If the URL is neither https nor on this machine, or carries a password.
        ServiceFault
            If a TLS file cannot be used.
        """
        self.method = method
        self._url, self._clock = _checked(url), clock
        self._client = httpx.Client(
            verify=_context(tls),
            timeout=ANSWER_S_MAX,
            follow_redirects=False,
            # No proxy of the environment stands between a signer and its key.
            trust_env=False,
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def public_keys(self) -> tuple[bytes, ...]:
        """Return the 64 bytes of each public key; `Retryable` when it cannot be told."""
        listed = self._json(self._ask("GET", "/api/v1/eth1/publicKeys"))
        if not isinstance(listed, list) or len(listed) > KEYS_MAX:
            raise self._unusable("no list of public keys")
        # An uncompressed point may be written with or without its leading 04.
        keys = [self._bytes(item) for item in listed]
        return tuple(key[1:] if len(key) == 65 and key[0] == 4 else key for key in keys)

    def sign_data(self, public_key: bytes, data: bytes) -> bytes:
        """Have data signed by a public key; see `RemoteKeys`."""
        answer = self._ask(
            "POST", f"/api/v1/eth1/sign/0x{public_key.hex()}", {"data": "0x" + data.hex()}
        )
        return self._bytes(answer.decode("ascii", errors="replace").strip().strip('"'))

    def sign_transaction(self, fields: Mapping[str, str]) -> bytes:
        """Have a transaction signed; see `RemoteKeys`."""
        body: dict[str, Json] = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "eth_signTransaction",
            "params": [dict(fields)],
        }
        answer = self._json(self._ask("POST", "/", body))
        if not isinstance(answer, dict) or "result" not in answer:
            error = answer.get("error") if isinstance(answer, dict) else answer
            raise self._unusable(f"eth_signTransaction gave {str(error)[:200]}")
        return self._bytes(answer["result"])

    def _ask(self, verb: str, path: str, body: dict[str, Json] | None = None) -> bytes:
        for left in reversed(range(TRIES_MAX)):
            try:
                return self._once(verb, path, body)
            except (httpx.HTTPError, Retryable) as error:
                if left == 0:
                    why = str(error) or type(error).__name__
                    raise Retryable(f"remote signer {self._url} does not answer: {why}") from error
            self._clock.sleep_s(PAUSE_S)
        raise AssertionError  # pragma: no cover - the last try returned or raised

    def _once(self, verb: str, path: str, body: dict[str, Json] | None) -> bytes:
        until_ns = self._clock.now_ns() + round(ANSWER_S_MAX * NS_PER_S)
        with self._client.stream(verb, self._url + path, json=body) as answer:
            content = b""
            for part in answer.iter_bytes():
                content += part
                if self._clock.now_ns() > until_ns:
                    # The client's own limit is for each piece: drops could go on for ever.
                    raise Retryable(f"its answer takes longer than {ANSWER_S_MAX} s")
                if len(content) > ANSWER_BYTES_MAX:
                    raise self._unusable(f"more than {ANSWER_BYTES_MAX} bytes")
        if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise Retryable(f"status {answer.status_code}")
        if answer.status_code != httpx.codes.OK:
            raise self._unusable(
                f"status {answer.status_code} for {path.split('/0x', maxsplit=1)[0]}"
            )
        return content

    def _json(self, content: bytes) -> Json:
        try:
            value: Json = parse_json(content, depth_max=DEPTH_MAX)
        except ValueError as error:
            raise self._unusable(f"no JSON: {error}") from error
        return value

    def _bytes(self, value: Json) -> bytes:
        try:
            if isinstance(value, str) and value.startswith("0x"):
                return bytes.fromhex(value[2:])
        except ValueError:
            pass
        raise self._unusable(f"no bytes in hex: {str(value)[:80]}")

    def _unusable(self, what: str) -> ServiceFault:
        return ServiceFault(f"remote signer {self._url} answered what cannot be used: {what}")


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.username or parts.password or parts.query or parts.fragment or not parts.hostname:
        raise UsageFault("a remote signer's URL holds scheme, host, port and path, nothing else")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_here(parts.hostname)):
        raise UsageFault(f"remote signer {url} is not on this machine: it needs https")
    return url.rstrip("/")


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _context(tls: Tls) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=tls.authority)
        if tls.certificate is not None:
            context.load_cert_chain(tls.certificate, tls.key)
    except (OSError, ssl.SSLError) as error:
        raise ServiceFault(f"TLS files of the remote signer cannot be used: {error}") from error
    return context

"""A taker that signs net statements over HTTP."""

from __future__ import annotations

import httpx

from dmm.rfq.statement_request import statement_request
from dmm.settlement.intent import Intent
from dmm.units.errors import Permanent, Retryable
from dmm.units.web_address import shown

ANSWER_TIMEOUT_S = 2.0
ANSWER_BYTES_MAX = 4_096
SIGNATURE_BYTES_MAX = 1_024


class HttpTaker:
    """Asks ``POST {url}/v1/statement``; 404 means that the taker signs none."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def sign_statement(self, carrier: Intent) -> bytes:
        """Ask the taker of a batch to sign what it comes to.

        Raises
        ------
        Permanent
            If it does not sign, or answers what cannot be used.
        Retryable
            If it cannot be reached.
        """
        name = f"taker {shown(self._url)}"
        try:
            answer = httpx.post(
                f"{self._url}/v1/statement",
                json=statement_request(carrier),
                timeout=ANSWER_TIMEOUT_S,
            )
        except httpx.TransportError as error:
            raise Retryable(
                f"{name} cannot be reached ({error}): check DMM_STATEMENT_TAKER_URL"
            ) from error
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise Permanent(f"{name} signs no such statement")
        if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise Retryable(f"{name} answered {answer.status_code}")
        if answer.status_code != httpx.codes.OK:
            raise Permanent(f"{name} refused the statement: {answer.text[:200]}")
        if len(answer.content) > ANSWER_BYTES_MAX:
            raise Permanent(f"{name} answered {len(answer.content)} bytes, more than allowed")
        try:
            signature = bytes.fromhex(answer.json()["signature"].removeprefix("0x"))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Permanent(f"{name} answered no readable signature: {error}") from error
        if not 0 < len(signature) <= SIGNATURE_BYTES_MAX:
            raise Permanent(f"{name} answered a signature of {len(signature)} bytes")
        return signature

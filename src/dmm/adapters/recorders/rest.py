"""A venue's REST interface: one GET at a time, bounded, its refusals told apart."""

from __future__ import annotations

from http import HTTPStatus

import httpx

from dmm.adapters.recorders.limits import FRAME_BYTES_MAX
from dmm.units.errors import Retryable, ServiceFault, UsageFault

SHOWN_CHARS_MAX = 200
BANNED = 418
"""Binance's answer to an address that went on after 429."""

RETRY_AFTER_S_MAX = 300.0
"""Longest wait a venue may ask for before we give up."""


class Busy(Retryable):
    """The venue asks for a pause of `after_s` seconds."""

    def __init__(self, text: str, *, after_s: float) -> None:
        super().__init__(text)
        self.after_s = after_s


class Rest:
    """GETs of one venue.

    Parameters
    ----------
    base_url : where its REST interface lies
    venue : how faults name it
    answer_s_max : longest wait for an answer
    """

    def __init__(self, base_url: str, *, venue: str, answer_s_max: float) -> None:
        self._base_url = base_url.rstrip("/")
        self._venue = venue
        self._client = httpx.AsyncClient(timeout=answer_s_max)

    async def close(self) -> None:
        """Give connections back."""
        await self._client.aclose()

    async def get(self, path: str) -> bytes:
        """Return the body behind a path.

        Raises
        ------
        Retryable
            If the venue cannot be reached, is broken or (`Busy`) asks for a pause.
        UsageFault
            If it does not know what was asked for.
        ServiceFault
            If it refuses us, or answers more than `FRAME_BYTES_MAX` bytes.
        """
        url = f"{self._base_url}{path}"
        try:
            async with self._client.stream("GET", url) as answer:
                body = bytearray()
                async for piece in answer.aiter_bytes():
                    body += piece
                    if len(body) > FRAME_BYTES_MAX:
                        raise ServiceFault(f"{url} answered more than {FRAME_BYTES_MAX} bytes")
        except httpx.TransportError as error:
            reason = str(error) or type(error).__name__
            raise Retryable(f"{url} cannot be reached ({reason})") from error
        except httpx.InvalidURL as error:
            raise UsageFault(f"{url!r} is no address ({error}): check --rest-url") from error
        if answer.status_code != HTTPStatus.OK:
            self._refuse(answer, shown(bytes(body)))
        return bytes(body)

    def _refuse(self, answer: httpx.Response, text: str) -> None:
        status, said = answer.status_code, f"{self._venue} answered {answer.status_code} ({text})"
        if status in {HTTPStatus.TOO_MANY_REQUESTS, BANNED}:
            after_s = _seconds(answer.headers.get("Retry-After"))
            if after_s > RETRY_AFTER_S_MAX:
                raise ServiceFault(f"{said}: try again in {after_s:.0f} s")
            raise Busy(said, after_s=after_s)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Retryable(said)
        if status in {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND}:
            raise UsageFault(f"{said}: check --symbol")
        if status == HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS:
            raise ServiceFault(f"{said}: it does not serve this place, record from another")
        raise ServiceFault(f"{said}: check --rest-url and what the venue allows")


def shown(body: bytes) -> str:
    """Return the beginning of an answer on one line."""
    text = " ".join(body[: 4 * SHOWN_CHARS_MAX].decode("utf-8", errors="replace").split())
    return text[:SHOWN_CHARS_MAX]


def _seconds(text: str | None) -> float:
    # The other form, a date, no venue of ours sends.
    return float(text) if text and text.isascii() and text.isdigit() else 0.0

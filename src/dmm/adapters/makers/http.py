"""A market maker that answers firm quotes over HTTP: the desk is its taker."""

from __future__ import annotations

import httpx

from dmm.rfq.protocol import FirmQuote
from dmm.units.amount import Atoms
from dmm.units.errors import Permanent, Retryable
from dmm.units.web_address import shown

QUOTE_TIMEOUT_S = 2.0
ANSWER_BYTES_MAX = 16_384


class HttpMaker:
    """Asks ``POST {url}/v1/quote``; amounts travel as strings, 404 means no quote."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def quote(
        self,
        *,
        chain: str,
        taker: str,
        cash_asset: str,
        cash_amount: Atoms,
        bought_asset: str,
        deadline_s: int,
        nonce: int,
    ) -> tuple[FirmQuote, bytes] | None:
        """Ask for a firm quote; see `dmm.ports.BuybackQuoter`."""
        request = {
            "chain": chain,
            "taker": taker,
            "cash_asset": cash_asset,
            "cash_amount": str(cash_amount),
            "bought_asset": bought_asset,
            "deadline_s": deadline_s,
            "nonce": nonce,
        }
        try:
            answer = httpx.post(f"{self._url}/v1/quote", json=request, timeout=QUOTE_TIMEOUT_S)
        except httpx.TransportError as error:
            raise Retryable(
                f"market maker {shown(self._url)} cannot be reached ({error}): "
                "check DMM_BUYBACK_MAKER_URL"
            ) from error
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise Retryable(f"market maker {shown(self._url)} answered {answer.status_code}")
        if answer.status_code != httpx.codes.OK:
            raise Permanent(
                f"market maker {shown(self._url)} refused the request: {answer.text[:200]}"
            )
        return _read(answer.content, self._url)


def _read(content: bytes, url: str) -> tuple[FirmQuote, bytes]:
    if len(content) > ANSWER_BYTES_MAX:
        raise Permanent(
            f"market maker {shown(url)} answered {len(content)} bytes, more than allowed"
        )
    try:
        body = httpx.Response(200, content=content).json()
        fields = dict(body["quote"])
        for name in ("maker_amount", "taker_amount"):
            fields[name] = int(fields[name])
        return FirmQuote.from_json(fields), bytes.fromhex(body["signature"].removeprefix("0x"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Permanent(f"market maker {shown(url)} answered no readable quote: {error}") from error

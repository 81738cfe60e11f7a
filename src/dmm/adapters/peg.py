"""The price of a stable coin by an exchange's public ticker."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

import httpx

from dmm.ports import Clock
from dmm.risk.depeg import PPM_ONE
from dmm.units.errors import Retryable
from dmm.units.json_text import parse_json
from dmm.units.time import Nanos
from dmm.units.web_address import shown

TIMEOUT_S = 2.0
ANSWER_BYTES_MAX = 65_536

BID_AND_ASK = (("bidPrice", "askPrice"), ("bid", "ask"))
"""What tickers call them: Binance's ``bookTicker``, Coinbase's product ticker."""


class TickerPeg:
    """Implements `dmm.ports.PegSource` by ``GET url``: the mid of the ticker's best bid and ask."""

    def __init__(self, url: str, *, clock: Clock) -> None:
        """Name the ticker; nothing is asked yet.

        Parameters
        ----------
        url : of a pair whose base is the coin and whose quote is the reference currency
        clock : dates the answers
        """
        self._url = url
        self._clock = clock

    def price_ppm(self) -> tuple[int, Nanos]:
        """Return the mid in millionths, rounded down, and when it was asked for.

        Raises
        ------
        Retryable
            If the ticker cannot be reached, or answers no price.
        """
        asked_at_ns = self._clock.now_ns()
        try:
            answer = httpx.get(self._url, timeout=TIMEOUT_S)
        except httpx.HTTPError as error:
            raise Retryable(f"peg ticker {shown(self._url)} cannot be reached: {error}") from error
        if answer.status_code != httpx.codes.OK or len(answer.content) > ANSWER_BYTES_MAX:
            raise Retryable(
                f"peg ticker {shown(self._url)} answered {answer.status_code} and "
                f"{len(answer.content)} bytes"
            )
        return _mid_ppm(answer.content, self._url), asked_at_ns


def _mid_ppm(content: bytes, url: str) -> int:
    try:
        body = parse_json(content)
    except ValueError as error:
        raise Retryable(f"peg ticker {shown(url)} answered no JSON: {error}") from error
    for names in BID_AND_ASK:
        if not isinstance(body, dict) or not all(isinstance(body.get(name), str) for name in names):
            continue
        try:
            bid, ask = (Decimal(str(body[name])) for name in names)
            if 0 < bid <= ask:
                return int((bid + ask) / 2 * PPM_ONE)
        except (InvalidOperation, OverflowError):
            continue
    raise Retryable(f"peg ticker {shown(url)} answered no bid and ask above 0")

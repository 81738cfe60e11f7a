"""Coinbase Advanced Trade, public market data: `level2`, `market_trades`, `ticker`, `heartbeats`.

Every message of a connection, whatever its channel, has the next `sequence_num`. The book's
snapshot comes over the socket after the subscription, so a gap is healed by connecting anew.

References
----------
Coinbase Developer Documentation, "Advanced Trade WebSocket Channels" and "Rate Limits".
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime

from dmm.adapters.recorders.venue import Message, Reading, Unusable, listed, whole
from dmm.units.errors import ServiceFault, UsageFault

SYMBOL = re.compile(r"[A-Z0-9]{1,20}(-[A-Z0-9]{1,20}){1,2}")
SOCKET_URL = "wss://advanced-trade-ws.coinbase.com"
REST_URL = "https://api.coinbase.com"
PRODUCT_PATH = "/api/v3/brokerage/market/products/"

CHANNELS = {"depth": "level2", "trades": "market_trades", "bookTicker": "ticker"}
SENT_AS = {"level2": "l2_data"}
"""Channels whose messages carry another name."""

KEEP_OPEN = "heartbeats"
"""A channel without a message for a minute is closed; this one has a message each second."""

ANSWERS = "subscriptions"
MS_PER_S = 1_000


class CoinbaseVenue:
    """A product of Coinbase; a `dmm.adapters.recorders.venue.Venue`.

    Parameters
    ----------
    symbol : a product such as ``BTC-USD``
    streams : of `dmm.adapters.recorders.venue.STREAMS`, with ``depth``
    socket_url, rest_url : other servers than Coinbase's own; empty for its own

    Raises
    ------
    UsageFault
        If the symbol cannot be a product of Coinbase with a book of its own.
    """

    name = "coinbase"
    rolls_over = False
    snapshot_path = ""
    wants_snapshot = False

    def __init__(
        self, *, symbol: str, streams: Sequence[str], socket_url: str = "", rest_url: str = ""
    ) -> None:
        self.symbol = symbol.upper()
        if not SYMBOL.fullmatch(self.symbol):
            raise UsageFault(f"coinbase has no product {symbol!r}: write it like BTC-USD")
        base, _dash, quote = self.symbol.partition("-")
        if quote == "USDC" and base not in {"USDT", "EURC"}:
            raise UsageFault(
                f"coinbase sends the book of {base}-USD for {self.symbol}: record {base}-USD"
            )
        self.socket_url = socket_url or SOCKET_URL
        self.rest_url = rest_url or REST_URL
        self.symbol_path = f"{PRODUCT_PATH}{self.symbol}"
        channels = [CHANNELS[stream] for stream in streams]
        self.streams = tuple(SENT_AS.get(channel, channel) for channel in channels)
        self.subscriptions = tuple(
            json.dumps({"type": "subscribe", "channel": channel, "product_ids": [self.symbol]})
            for channel in (*channels, KEEP_OPEN)
        )
        self._sequence: int | None = None

    def connected(self) -> None:
        """Expect the first message of a connection."""
        self._sequence = None

    def read(self, message: Message, *, is_doubled: bool) -> Reading | None:
        """Return what a message is; see `dmm.adapters.recorders.venue.Venue`."""
        if message.get("type") == "error":
            raise ServiceFault(
                f"coinbase refuses {self.symbol} ({str(message.get('message'))[:200]}): check "
                "--symbol and --streams"
            )
        channel, sequence = message["channel"], whole(message["sequence_num"])
        if channel not in {*self.streams, KEEP_OPEN, ANSWERS}:
            raise Unusable(f"the channel {channel!r} was not asked for")
        listed(message["events"])
        exchange_ms = _milliseconds(message["timestamp"])
        before, self._sequence = self._sequence, sequence
        is_next = before is None or sequence == before + 1
        return Reading(
            stream=channel,
            exchange_ms=exchange_ms,
            gap="" if is_next else f"after message {before} of a connection came {sequence}",
            ends_connection=not is_next,
        )

    def admits(self, snapshot: Message) -> bool:
        """Refuse: books come over the socket."""
        raise Unusable("coinbase sends its book over the socket")


def _milliseconds(text: str) -> int:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return round(at.timestamp() * MS_PER_S)

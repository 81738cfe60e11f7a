"""Binance's combined market streams, spot and USD-M futures, and their sequence rules.

References
----------
Binance Spot API, "WebSocket Streams": combined streams, 24 hours, "How to manage a local order book
correctly". Binance USDⓈ-M Futures, "How to manage a local order book correctly" and "Important
WebSocket Change Notice": since 2026-04-23 books, best quotes and trades are served under
``/public``; the older path without it is switched off.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from dmm.adapters.recorders.venue import Message, Reading, Unusable, listed, whole
from dmm.units.errors import ServiceFault, UsageFault

SYMBOL = re.compile(r"[A-Z0-9_]{2,40}")
CHANNELS = {"depth": "depth@100ms", "trades": "trade", "bookTicker": "bookTicker"}
ORDERED_BY = {"trade": "t", "bookTicker": "u"}
"""The field by which messages of a stream rise."""

SNAPSHOT_LEVELS = 1_000
KNOWN_LEVELS = 5
"""Depth of the book asked for only to learn whether the symbol is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """What differs between Binance's markets.

    `is_chained`: updates name their predecessor (`pu`); otherwise ids follow without a hole.
    """

    name: str
    socket_url: str
    rest_url: str
    depth_path: str
    is_chained: bool


MARKETS = {
    "binance-spot": Market(
        name="binance-spot",
        socket_url="wss://stream.binance.com:9443",
        rest_url="https://api.binance.com",
        depth_path="/api/v3/depth",
        is_chained=False,
    ),
    "binance-usdm": Market(
        name="binance-usdm",
        socket_url="wss://fstream.binance.com/public",
        rest_url="https://fapi.binance.com",
        depth_path="/fapi/v1/depth",
        is_chained=True,
    ),
}


class BinanceVenue:
    """A symbol of one of Binance's markets; a `dmm.adapters.recorders.venue.Venue`.

    Parameters
    ----------
    market : a value of `MARKETS`
    symbol : such as ``BTCUSDT``
    streams : of `dmm.adapters.recorders.venue.STREAMS`, with ``depth``
    socket_url, rest_url : other servers than the market's own; empty for its own

    Raises
    ------
    UsageFault
        If the symbol cannot be one of Binance.
    """

    rolls_over = True
    subscriptions: tuple[str, ...] = ()  # the address names the streams

    def __init__(
        self,
        market: Market,
        *,
        symbol: str,
        streams: Sequence[str],
        socket_url: str = "",
        rest_url: str = "",
    ) -> None:
        self.symbol = symbol.upper()
        if not SYMBOL.fullmatch(self.symbol):
            raise UsageFault(f"{market.name} has no symbol {symbol!r}: write it like BTCUSDT")
        self.name = market.name
        self.streams = tuple(f"{self.symbol.lower()}@{CHANNELS[stream]}" for stream in streams)
        base = (socket_url or market.socket_url).rstrip("/")
        self.socket_url = f"{base}/stream?streams={'/'.join(self.streams)}"
        self.rest_url = rest_url or market.rest_url
        path = f"{market.depth_path}?symbol={self.symbol}&limit="
        self.symbol_path = f"{path}{KNOWN_LEVELS}"
        self.snapshot_path = f"{path}{SNAPSHOT_LEVELS}"
        self._is_chained = market.is_chained
        self._channels = {stream: stream.split("@")[1] for stream in self.streams}
        self._last_id = 0
        self._run_first_id = 0
        self._wants_snapshot = False
        self._latest: dict[str, int] = {}

    @property
    def wants_snapshot(self) -> bool:
        """Tell whether updates came whose book is unknown."""
        return self._wants_snapshot

    def connected(self) -> None:
        """Do nothing: ids go on from one connection to the next."""

    def read(self, message: Message, *, is_doubled: bool) -> Reading | None:
        """Return what a message is; see `dmm.adapters.recorders.venue.Venue`."""
        if "error" in message:
            raise ServiceFault(
                f"{self.name} refuses the streams of {self.symbol} ({message['error']}): check "
                "--symbol and --streams"
            )
        if "result" in message:  # the answer to a request
            return None
        stream, data = message["stream"], message["data"]
        channel = self._channels.get(stream)
        if channel is None:
            raise Unusable(f"the stream {stream!r} was not asked for")
        if channel == "depth":
            return self._depth(stream, data, is_doubled=is_doubled)
        ordinal = whole(data[ORDERED_BY[channel]])
        before = self._latest.get(channel, -1)
        self._latest[channel] = max(before, ordinal)
        stamped = data.get("E")
        return Reading(
            stream=stream,
            exchange_ms=None if stamped is None else whole(stamped),
            is_duplicate=is_doubled and ordinal <= before,
        )

    def admits(self, snapshot: Message) -> bool:
        """Tell whether the updates since the last gap reach back to a snapshot."""
        last_id = whole(snapshot["lastUpdateId"])
        listed(snapshot["bids"])
        listed(snapshot["asks"])
        # Spot goes on at the id after the snapshot's, futures at the update that holds it.
        if self._run_first_id > last_id + (0 if self._is_chained else 1):
            return False
        self._wants_snapshot = False
        return True

    def _depth(self, stream: str, data: Message, *, is_doubled: bool) -> Reading:
        first_id, last_id = whole(data["U"]), whole(data["u"])
        follows_id = whole(data["pu"]) if self._is_chained else first_id - 1
        exchange_ms = whole(data["E"])
        listed(data["b"])
        listed(data["a"])
        known_id = self._last_id
        # Batches of two connections may be cut differently; the older one goes on without a gap.
        is_duplicate = is_doubled and (last_id <= known_id or follows_id < known_id)
        gap = ""
        if not is_duplicate:
            if follows_id != known_id:
                self._run_first_id = first_id
                self._wants_snapshot = True
                gap = f"after depth id {known_id} came one that follows {follows_id}"
            self._last_id = last_id
        return Reading(
            stream=stream,
            exchange_ms=exchange_ms,
            gap=gap if known_id else "",  # the first update of all follows nothing
            is_duplicate=is_duplicate,
        )

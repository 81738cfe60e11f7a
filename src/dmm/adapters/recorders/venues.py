"""The venues a recorder knows, by name."""

from __future__ import annotations

from collections.abc import Sequence

from dmm.adapters.recorders.binance import MARKETS, BinanceVenue
from dmm.adapters.recorders.coinbase import CoinbaseVenue
from dmm.adapters.recorders.venue import STREAMS, Venue
from dmm.units.errors import UsageFault

VENUES = (*MARKETS, CoinbaseVenue.name)
SOCKET_SCHEMES = ("ws://", "wss://")
REST_SCHEMES = ("http://", "https://")


def venue_of(
    name: str,
    *,
    symbol: str,
    streams: Sequence[str] = STREAMS,
    socket_url: str = "",
    rest_url: str = "",
) -> Venue:
    """Return a venue for one symbol.

    Parameters
    ----------
    name : of `VENUES`
    symbol : as the venue writes it, in any case
    streams : of `STREAMS`, with ``depth``
    socket_url, rest_url : other servers than the venue's own; empty for its own

    Raises
    ------
    UsageFault
        If the venue or a stream is unknown, depth is left out, or the symbol or an address cannot
        be one.
    """
    if name not in VENUES:
        raise UsageFault(f"no venue {name!r}: known are {', '.join(VENUES)}")
    unknown = [stream for stream in streams if stream not in STREAMS]
    if unknown or len(set(streams)) < len(streams):
        raise UsageFault(f"--streams {','.join(streams)}: name each once, of {', '.join(STREAMS)}")
    if "depth" not in streams:
        raise UsageFault("a tape needs its book: add depth to --streams")
    for option, url, schemes in (
        ("--url", socket_url, SOCKET_SCHEMES),
        ("--rest-url", rest_url, REST_SCHEMES),
    ):
        if url and not url.startswith(schemes):
            raise UsageFault(f"{option} {url!r} must begin with {' or '.join(schemes)}")
    if name == CoinbaseVenue.name:
        return CoinbaseVenue(
            symbol=symbol, streams=streams, socket_url=socket_url, rest_url=rest_url
        )
    return BinanceVenue(
        MARKETS[name], symbol=symbol, streams=streams, socket_url=socket_url, rest_url=rest_url
    )

"""Which instrument a Binance recording is about, told by its content alone."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from dmm.adapters.feeds.binance_message import Message
from dmm.adapters.feeds.findings import Findings
from dmm.adapters.feeds.scale import OffGrid, decimals_of, power_of_ten_below, step_of
from dmm.market.instrument import Asset, ContractKind, Instrument

USDM = "binance-usdm"
COINM = "binance-coinm"
SPOT = "binance-spot"

QUOTES = ("USDT", "USDC", "FDUSD", "BUSD", "TUSD", "USD", "BTC", "ETH", "BNB", "EUR", "TRY")
"""Quote assets a symbol may end in, longer ones before their own endings."""

DECIMALS = {"USDT": 6, "USDC": 6, "FDUSD": 6, "BUSD": 6, "TUSD": 6, "USD": 6, "EUR": 6, "TRY": 6}
DECIMALS_ELSE = 8

CONTRACT_USD = {"BTC": Decimal(100)}
CONTRACT_USD_ELSE = Decimal(10)
"""Quote value of a coin-margined contract: 100 USD for bitcoin, 10 USD for every other coin."""

KNOWN_STEPS = {
    (USDM, "BTCUSDT"): ("0.1", "0.001"),
    (USDM, "ETHUSDT"): ("0.01", "0.001"),
    (COINM, "BTCUSD_PERP"): ("0.1", "1"),
    (COINM, "ETHUSD_PERP"): ("0.01", "1"),
    # Spot books still show old orders one digit finer than the lot of new ones.
    (SPOT, "BTCUSDT"): ("0.01", "0.000001"),
    (SPOT, "ETHUSDT"): ("0.01", "0.00001"),
}
"""Tick and lot that hold every price and size of these books; used when the snapshot agrees."""


def instrument_of_snapshot(
    snapshot: Message,
    *,
    venue: str,
    symbol: str,
    tick_size: Decimal | None,
    findings: Findings,
) -> Instrument:
    """Build the instrument from a snapshot of its book.

    Parameters
    ----------
    snapshot : with its prices and sizes as decimal text
    venue, symbol : as the recording names them
    tick_size : the caller's own, > 0; None to use the known or the common one
    findings : stands at the snapshot's file

    Raises
    ------
    TapeFault
        If the snapshot is no book, or the symbol's quote asset is unknown.
    """
    try:
        levels = [*snapshot["bids"], *snapshot["asks"]]
        return binance_instrument(
            prices=[price for price, _size in levels],
            sizes=[size for _price, size in levels],
            venue=venue,
            symbol=symbol,
            tick_size=tick_size,
        )
    except OffGrid as error:
        raise findings.fault(str(error)) from error
    except (KeyError, TypeError, ValueError) as error:
        raise findings.fault(f"the snapshot is no book ({error!r}): fetch it again") from error


def binance_instrument(
    *,
    prices: Sequence[str],
    sizes: Sequence[str],
    venue: str,
    symbol: str,
    tick_size: Decimal | None,
) -> Instrument:
    """Build the instrument from some of its prices and sizes.

    Parameters
    ----------
    prices, sizes : decimal text
    venue, symbol : as the recording names them; a venue not known here is a spot market
    tick_size : the caller's own, > 0; None to use the known or the common one

    Raises
    ------
    OffGrid
        If a number is none, all are zero, or the symbol's quote asset is unknown.
    """
    base, quote = split_symbol(symbol)
    known = KNOWN_STEPS.get((venue, symbol), (None, None))
    tick = tick_size or step_of(prices, known=known[0], what="price")
    lot = power_of_ten_below(step_of(sizes, known=known[1], what="size"))
    inverse = venue == COINM
    contract = CONTRACT_USD.get(base, CONTRACT_USD_ELSE) if inverse else Decimal(1)
    # Cash is booked in atoms without a rest, so a fine tick times a fine lot needs finer atoms.
    cash_decimals = 0 if inverse else decimals_of(tick * lot)
    cash, position = (base, quote) if inverse else (quote, base)
    return Instrument(
        symbol=symbol,
        venue=venue,
        kind=_KINDS.get(venue, ContractKind.SPOT),
        position=asset(position, decimals=decimals_of(lot * contract)),
        cash=asset(cash, decimals=cash_decimals),
        tick_size=tick,
        lot_size=lot,
        contract_size=contract,
    )


_KINDS = {USDM: ContractKind.LINEAR, COINM: ContractKind.INVERSE, SPOT: ContractKind.SPOT}


def split_symbol(symbol: str) -> tuple[str, str]:
    """Return base and quote asset of a symbol such as ``BTCUSDT``, ``BTC-USD``, ``BTCUSD_PERP``.

    Raises
    ------
    OffGrid
        If it does not end in a quote asset we know.
    """
    pair = symbol.upper().partition("_")[0].replace("-", "").replace("/", "")
    for quote in QUOTES:
        if pair.endswith(quote) and len(pair) > len(quote):
            return pair[: -len(quote)], quote
    raise OffGrid(f"symbol {symbol!r} ends in no quote asset known here: {', '.join(QUOTES)}")


def asset(symbol: str, *, decimals: int) -> Asset:
    """Return an asset with its usual decimals, or as many as its prices and lots need."""
    return Asset(symbol=symbol, decimals=max(DECIMALS.get(symbol, DECIMALS_ELSE), decimals))

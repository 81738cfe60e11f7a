"""Which instrument a Binance recording is about, told by its content alone."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from dmm.adapters.feeds.binance_message import Message
from dmm.adapters.feeds.findings import Findings
from dmm.adapters.feeds.scale import (
    OffGrid,
    common_step,
    decimals_of,
    is_multiple,
    power_of_ten_below,
)
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
        base, quote = split_symbol(symbol)
        levels = [*snapshot["bids"], *snapshot["asks"]]
        known = KNOWN_STEPS.get((venue, symbol), (None, None))
        tick = _step([price for price, _size in levels], known=known[0], what="price")
        lot = _step([size for _price, size in levels], known=known[1], what="size")
    except OffGrid as error:
        raise findings.fault(str(error)) from error
    except (KeyError, TypeError, ValueError) as error:
        raise findings.fault(f"the snapshot is no book ({error!r}): fetch it again") from error
    tick, lot = tick_size or tick, power_of_ten_below(lot)
    inverse = venue == COINM
    contract = CONTRACT_USD.get(base, CONTRACT_USD_ELSE) if inverse else Decimal(1)
    # Cash is booked in atoms without a rest, so a fine tick times a fine lot needs finer atoms.
    cash_decimals = 0 if inverse else decimals_of(tick * lot)
    cash, position = (base, quote) if inverse else (quote, base)
    return Instrument(
        symbol=symbol,
        venue=venue,
        kind=_KINDS[venue],
        position=_asset(position, decimals=decimals_of(lot * contract)),
        cash=_asset(cash, decimals=cash_decimals),
        tick_size=tick,
        lot_size=lot,
        contract_size=contract,
    )


_KINDS = {USDM: ContractKind.LINEAR, COINM: ContractKind.INVERSE, SPOT: ContractKind.SPOT}


def split_symbol(symbol: str) -> tuple[str, str]:
    """Return base and quote asset of a symbol such as ``BTCUSDT`` or ``BTCUSD_PERP``.

    Raises
    ------
    OffGrid
        If it does not end in a quote asset we know.
    """
    pair = symbol.partition("_")[0]
    for quote in QUOTES:
        if pair.endswith(quote) and len(pair) > len(quote):
            return pair[: -len(quote)], quote
    raise OffGrid(f"symbol {symbol!r} ends in no quote asset known here: {', '.join(QUOTES)}")


def _step(texts: Sequence[str], *, known: str | None, what: str) -> Decimal:
    common = common_step(texts, what=what)
    if common is None:
        raise OffGrid(f"the snapshot holds no {what}")
    if known is not None and is_multiple(common, Decimal(known)):
        return Decimal(known)
    return common


def _asset(symbol: str, *, decimals: int) -> Asset:
    return Asset(symbol=symbol, decimals=max(DECIMALS.get(symbol, DECIMALS_ELSE), decimals))

"""What a request lets leave, by what the contract pays once: the unit that caps are counted in.

A quote counts once, whether it settles by itself or in a batch, because its maker's nonce is used
once. A batch counts gross: every amount that the maker gives in it, in both directions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dmm.rfq.protocol import FirmQuote
from dmm.settlement.carrier import is_carrier, trades_of
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.errors import InvariantBroken, Permanent
from dmm.units.ids import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Outflow:
    """`amount` atoms of `asset` to `recipient`, once under `source`."""

    source: str
    asset: str
    amount: int
    recipient: str


def outflows(intent: Intent, *, canonical: Callable[[str], str] = str) -> tuple[Outflow, ...]:
    """Return what paying an intent lets leave.

    Parameters
    ----------
    canonical : the chain's one spelling of an address

    Raises
    ------
    Permanent
        If a batch carries what cannot be read, or one quote twice.
    """
    if not is_carrier(intent):
        is_quote = intent.kind is IntentKind.QUOTE
        own = Outflow(
            source=_quote_source(canonical(intent.scope), intent.ordinal)
            if is_quote
            else f"intent:{intent.intent_id.hex()}",
            asset=intent.asset,
            amount=intent.amount,
            recipient=canonical(intent.recipient),
        )
        return (own,)
    flows = tuple(_of_trade(trade, canonical) for trade in _trades_of(intent))
    if len({flow.source for flow in flows}) != len(flows):
        raise Permanent("the batch carries a quote twice")
    return flows


def quotes_of(carrier: Intent) -> tuple[FirmQuote, ...]:
    """Return the quotes that a batch settles; `Permanent` when one cannot be read."""
    return tuple(_quote_of(trade) for trade in _trades_of(carrier))


def _trades_of(carrier: Intent) -> list[dict[str, Json]]:
    try:
        return trades_of(carrier)
    except InvariantBroken as fault:
        raise Permanent(str(fault)) from fault


def _of_trade(trade: dict[str, Json], canonical: Callable[[str], str]) -> Outflow:
    quote, acceptance = _quote_of(trade), trade.get("acceptance")
    recipient = acceptance.get("recipient") if isinstance(acceptance, dict) else None
    if not isinstance(recipient, str):
        raise Permanent("a trade of the batch carries no readable acceptance")
    return Outflow(
        source=_quote_source(canonical(quote.maker), quote.nonce),
        asset=quote.maker_asset,
        amount=quote.maker_amount,
        recipient=canonical(recipient),
    )


def _quote_of(trade: dict[str, Json]) -> FirmQuote:
    body = trade.get("quote")
    if not isinstance(body, dict):
        raise Permanent("a trade of the batch carries no readable quote")
    try:
        return FirmQuote.from_json(body)
    except TypeError as error:
        raise Permanent(f"unreadable quote in the batch: {error}") from error


def _quote_source(maker: str, nonce: int) -> str:
    return f"quote:{maker}:{nonce}"

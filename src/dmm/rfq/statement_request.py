"""What a taker is sent to sign a net statement, and how it reads that back.

The taker gets what both sides signed already and the statement's deadline, nothing else: it makes
the statement from them itself. Amounts travel as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dmm.rfq.netting import carrier_intent
from dmm.rfq.protocol import PARTIAL, Acceptance, FirmQuote, RfqTrade
from dmm.settlement.carrier import trades_of
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.amount import Atoms
from dmm.units.errors import Permanent
from dmm.units.ids import Hash32, Json

TRADES_MAX = 256
"""Trades in one request; more than any chain settles at once."""

AMOUNTS = ("maker_amount", "taker_amount", PARTIAL)


def statement_request(carrier: Intent) -> dict[str, Json]:
    """Return what a carrier's taker is asked with.

    Raises
    ------
    InvariantBroken
        If the carrier carries no trades.
    """
    return {
        "chain": carrier.chain,
        "settle_by_s": carrier.deadline_s,
        "trades": [_sent(trade) for trade in trades_of(carrier)],
    }


def requested_statement(body: Mapping[str, Any]) -> Intent:
    """Return the carrier that a request is about, as its reader makes it.

    Its epoch is of no matter to the statement, and 0.

    Raises
    ------
    Permanent
        If the request cannot be read.
    """
    try:
        rows = list(body["trades"])
        if not 0 < len(rows) <= TRADES_MAX:
            raise Permanent(f"a statement is of 1 to {TRADES_MAX} trades, got {len(rows)}")
        trades = [_read(row) for row in rows]
        return carrier_intent(
            IntentKind.STATEMENT, trades, deadline_s=int(body["settle_by_s"]), inputs={}
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Permanent(f"unreadable request for a statement: {error!r}") from error


def _sent(trade: Mapping[str, Json]) -> dict[str, Json]:
    quote, acceptance = trade["quote"], trade["acceptance"]
    if not isinstance(quote, dict) or not isinstance(acceptance, dict):
        raise Permanent("a trade of the batch carries no readable quote and acceptance")
    texts: dict[str, Json] = {name: str(quote[name]) for name in AMOUNTS if name in quote}
    return {
        "quote": quote | texts,
        "maker_signature": trade["maker_signature"],
        "acceptance": acceptance | {"amount": str(acceptance["amount"])},
        "taker_signature": trade["taker_signature"],
    }


def _read(row: Mapping[str, Any]) -> RfqTrade:
    terms = dict(row["quote"])
    quote = FirmQuote.from_json(terms | {n: int(terms[n]) for n in AMOUNTS if n in terms})
    accepted = row["acceptance"]
    return RfqTrade(
        run_id="",
        epoch=0,
        quote=quote,
        maker_signature=_bytes(row["maker_signature"]),
        fair_half_ticks=0,
        issued_at_ns=0,
        acceptance=Acceptance(
            quote_id=Hash32(_bytes(accepted["quote_id"])),
            amount=Atoms(int(accepted["amount"])),
            recipient=str(accepted["recipient"]),
        ),
        taker_signature=_bytes(row["taker_signature"]),
    )


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))

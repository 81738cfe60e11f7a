"""Carriers: one transaction that settles several accepted quotes at once, and pays nothing itself.

Each quote keeps an intent of its own, with its reservation, its nonce as replay key, and its own
proof of death. A carrier is one more intent beside them: when its transaction lands, the keys of
its members are used, and each member ends as paid by its own key. While a carrier may still land,
its members open no slot; once it is proven that it never will, each settles by itself: gross
close-out. So a payment has one way at a time, and a failed net takes nobody along.
"""

from __future__ import annotations

from dmm.settlement.intent import Intent, IntentKind
from dmm.units.errors import InvariantBroken
from dmm.units.ids import Hash32, Json

CARRIERS = frozenset({IntentKind.NET, IntentKind.STATEMENT})
"""Kinds of intents that move nothing but what their members do."""

CARRIED_BY = "carrier"
"""Input of a member: its carrier's intent id in hex."""

TRADES = "trades"
"""Input of a carrier: the members' own inputs, in their order."""


def is_carrier(intent: Intent) -> bool:
    """Tell whether an intent settles others and pays nothing itself."""
    return intent.kind in CARRIERS


def carrier_of(intent: Intent) -> Hash32 | None:
    """Return the id of the carrier that goes first; None for an intent that settles alone.

    Raises
    ------
    InvariantBroken
        If the input that names it is no id.
    """
    named = intent.inputs.get(CARRIED_BY)
    if named is None:
        return None
    try:
        carrier_id = bytes.fromhex(named) if isinstance(named, str) else b""
    except ValueError:
        carrier_id = b""
    if len(carrier_id) != 32:
        raise InvariantBroken(
            f"intent {intent.intent_id.hex()} names no carrier that there can be: {named!r}"
        )
    return Hash32(carrier_id)


def trades_of(carrier: Intent) -> list[dict[str, Json]]:
    """Return a carrier's trades as its members carry them, without the carrier's id.

    Raises
    ------
    InvariantBroken
        If it carries none, or one is no object.
    """
    rows = carrier.inputs.get(TRADES)
    trades = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    if not trades or not isinstance(rows, list) or len(trades) != len(rows):
        raise InvariantBroken(
            f"{carrier.kind.value} intent {carrier.intent_id.hex()} carries no trades"
        )
    return trades

"""Net statements: both parties sign what a batch of accepted quotes comes to.

The call then carries two signatures and the net of each asset, and no quotes: a tenth of a net's
gas. A party that does not sign, or is not there, costs nothing but that: the batch is netted with
its quotes in the call, and what no carrier settles in time, settles quote by quote.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from dmm import observe
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.errors import Permanent, Retryable

SIGNATURES = ("maker_signature", "taker_signature")
"""Inputs of a statement besides its trades."""


class StatementParty(Protocol):
    """Maker or taker of a batch: signs what it comes to, by its own reckoning."""

    def sign_statement(self, carrier: Intent) -> bytes:
        """Return the signature of the statement that a carrier's trades and deadline make.

        Raises
        ------
        Permanent
            If the party refuses: a quote in it is not its own, or not as it was accepted.
        Retryable
            If it cannot be reached.
        """
        ...


StatementIsSigned = Callable[[Intent], bool]
"""Tells whether both parties signed a statement; the chain's own signature scheme."""


def countersigned(
    net: Intent, *, maker: StatementParty, taker: StatementParty, verify: StatementIsSigned
) -> Intent | None:
    """Return the statement in place of a net, signed by both; None when there is none.

    It has the net's trades, deadline and members. The maker signs last: a taker that asks and
    does not sign gets nothing of ours.

    Parameters
    ----------
    net : what would settle the batch otherwise
    """
    bare = replace(net, kind=IntentKind.STATEMENT)
    try:
        takers = taker.sign_statement(bare)
        makers = maker.sign_statement(bare)
    except (Permanent, Retryable) as fault:
        observe.intent_refused(intent_id=bare.intent_id.hex(), reason=str(fault))
        return None
    named = zip(SIGNATURES, (makers, takers), strict=True)
    signed = replace(bare, inputs={**bare.inputs, **{n: "0x" + sig.hex() for n, sig in named}})
    if not verify(signed):
        observe.intent_refused(
            intent_id=bare.intent_id.hex(), reason="a party signed another statement"
        )
        return None
    return signed

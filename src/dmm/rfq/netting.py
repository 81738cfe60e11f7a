"""Settlement of accepted quotes: one intent per quote, under the maker's nonce."""

from __future__ import annotations

from collections.abc import Sequence

from dmm.rfq.protocol import RfqTrade
from dmm.settlement.batch import reserve
from dmm.settlement.epoch import EpochClaim, EpochPlan, EpochRow, RowTable
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.errors import UsageFault

VAULT = "desk"
"""The ledger vault whose inventory firm quotes give."""


def plan_settlement(*, claim: EpochClaim, trades: Sequence[RfqTrade]) -> EpochPlan:
    """Return one intent per accepted quote that can still settle, with its reservation and row.

    A quote past its settle_by in the claim's chain time is left out: the contract refuses it.
    """
    live = [trade for trade in trades if trade.quote.settle_by_s >= claim.opened_chain_s]
    if not live:
        late = f"; {len(trades)} are past their settle_by" if trades else ""
        return EpochPlan(note=f"no accepted quotes to settle{late}")
    intents = tuple(quote_intent(trade) for trade in live)
    rows = tuple(
        EpochRow(
            table=RowTable.RFQ_SETTLEMENT,
            ordinal=ordinal,
            body={
                "quote_id": trade.quote.quote_id.hex(),
                "nonce": trade.quote.nonce,
                "maker": trade.quote.maker,
                "intent_id": intent.intent_id.hex(),
            },
        )
        for ordinal, (trade, intent) in enumerate(zip(live, intents, strict=True))
    )
    postings = tuple(reserve(intent, at_ns=claim.opened_at_ns) for intent in intents)
    return EpochPlan(rows=rows, intents=intents, postings=postings)


def quote_intent(trade: RfqTrade) -> Intent:
    """Return the intent that settles an accepted quote; its identity is the maker's nonce.

    Raises
    ------
    UsageFault
        If the quote was not accepted.
    """
    quote, acceptance = trade.quote, trade.acceptance
    if acceptance is None:
        raise UsageFault(f"quote {quote.quote_id.hex()} was never accepted")
    return Intent(
        kind=IntentKind.QUOTE,
        chain=quote.chain,
        contract="settlement",
        vault=VAULT,
        scope=quote.maker,
        epoch=trade.epoch,
        ordinal=quote.nonce,
        asset=quote.maker_asset,
        recipient=acceptance.recipient,
        amount=quote.maker_amount,
        deadline_s=quote.settle_by_s,
        inputs={
            "quote": quote.to_json(),
            "maker_signature": "0x" + trade.maker_signature.hex(),
            "acceptance": {
                "quote_id": acceptance.quote_id.hex(),
                "amount": acceptance.amount,
                "recipient": acceptance.recipient,
            },
            "taker_signature": "0x" + trade.taker_signature.hex(),
        },
    )

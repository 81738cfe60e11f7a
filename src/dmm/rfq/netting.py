"""Settlement of accepted quotes: an intent for each, and carriers that settle many at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from dmm.rfq.protocol import Acceptance, RfqTrade
from dmm.settlement.batch import reserve
from dmm.settlement.carrier import CARRIED_BY, TRADES
from dmm.settlement.epoch import EpochClaim, EpochPlan, EpochRow, RowTable
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.amount import Atoms
from dmm.units.chain import on_chain
from dmm.units.errors import UsageFault
from dmm.units.ids import Json

VAULT = "desk"
"""The ledger vault whose inventory firm quotes give; see `on_chain` for its name elsewhere."""

CONTRACT = "settlement"

NET_WINDOW_S_MAX = 3_600
"""How long a net may take: longer than a chain's finality lags, as the claim's time is final."""

NET_WINDOW_S_MIN = 300
"""A net with less time is not tried."""

KEY_SIGNATURE_BYTES = 65
"""Signatures of keys; contract accounts sign otherwise, and settle singly."""


Countersign: TypeAlias = Callable[[Intent], Intent | None]
"""Returns the statement that both parties signed in place of a net; None when there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Netting:
    """Which quotes may settle together.

    `quotes_max` is by chain the most that one transaction settles; a chain without an entry, or
    with one below 2, has no nets. At the deadline a net has, every quote still has as much time
    again to settle by itself.
    """

    quotes_max: Mapping[str, int]
    countersign: Countersign | None = None
    """Asks both parties for a statement in place of a net; None: quotes go into the call."""
    window_s_max: int = NET_WINDOW_S_MAX
    window_s_min: int = NET_WINDOW_S_MIN


NO_NETTING = Netting(quotes_max={})


def plan_settlement(
    *, claim: EpochClaim, trades: Sequence[RfqTrade], netting: Netting = NO_NETTING
) -> EpochPlan:
    """Return one intent per accepted quote that can still settle, with its reservation and row.

    Quotes of one taker that fit together are netted besides: their carrier goes first, and each
    settles by itself when it has not. A quote past its settle_by in the claim's chain time is left
    out: the contract refuses it.

    Parameters
    ----------
    netting : what may be netted; nothing unless told
    """
    live = [trade for trade in trades if trade.quote.settle_by_s >= claim.opened_chain_s]
    if not live:
        late = f"; {len(trades)} are past their settle_by" if trades else ""
        return EpochPlan(note=f"no accepted quotes to settle{late}")
    carriers = carriers_of(live, claim=claim, netting=netting)
    carrier_by_quote = {
        trade.quote.quote_id: carrier for carrier, batch in carriers for trade in batch
    }
    intents = tuple(
        quote_intent(trade, carrier=carrier_by_quote.get(trade.quote.quote_id)) for trade in live
    )
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
    # Carriers first: their members wait for them.
    planned = (*(carrier for carrier, _ in carriers), *intents)
    return EpochPlan(rows=rows, intents=planned, postings=postings)


def carriers_of(
    trades: Sequence[RfqTrade], *, claim: EpochClaim, netting: Netting
) -> list[tuple[Intent, list[RfqTrade]]]:
    """Return nets with their trades: as few as there can be, none of a single quote.

    From two quotes on a net is cheaper than fills; `dmm bench settle` shows by how much.
    """
    found = []
    for batch in _batches(trades, netting):
        left_s = min(trade.quote.settle_by_s for trade in batch) - claim.opened_chain_s
        window_s = min(netting.window_s_max, left_s // 2)
        if len(batch) > 1 and window_s >= netting.window_s_min:
            net = net_intent(batch, deadline_s=claim.opened_chain_s + window_s)
            statement = None if netting.countersign is None else netting.countersign(net)
            found.append((statement or net, batch))
    return found


def _batches(trades: Sequence[RfqTrade], netting: Netting) -> Iterator[list[RfqTrade]]:
    groups: dict[tuple[object, ...], list[RfqTrade]] = {}
    for trade in sorted(trades, key=lambda one: one.quote.nonce):
        if _is_nettable(trade) and netting.quotes_max.get(trade.quote.chain, 0) > 1:
            groups.setdefault(_belongs_to(trade), []).append(trade)
    for group in groups.values():
        size = netting.quotes_max[group[0].quote.chain]
        for start in range(0, len(group), size):
            yield group[start : start + size]


def _is_nettable(trade: RfqTrade) -> bool:
    signatures = (trade.maker_signature, trade.taker_signature)
    return all(len(signature) == KEY_SIGNATURE_BYTES for signature in signatures)


def _belongs_to(trade: RfqTrade) -> tuple[object, ...]:
    """Return what all quotes of one net have in common."""
    quote = trade.quote
    return (
        quote.chain,
        quote.contract,
        quote.maker,
        quote.signer,
        quote.taker,
        quote.fee_bps,
        quote.fee_recipient,
        accepted(trade).recipient,
        frozenset((quote.maker_asset, quote.taker_asset)),
    )


def net_intent(trades: Sequence[RfqTrade], *, deadline_s: int) -> Intent:
    """Return the carrier that nets accepted quotes in one call.

    Parameters
    ----------
    trades : of one net, at least one
    deadline_s : chain time, at or below every quote's settle_by
    """
    return carrier_intent(IntentKind.NET, trades, deadline_s=deadline_s, inputs={})


def carrier_intent(
    kind: IntentKind, trades: Sequence[RfqTrade], *, deadline_s: int, inputs: dict[str, Json]
) -> Intent:
    """Return a carrier of accepted quotes; its `amount` is what they give of its `asset`.

    Parameters
    ----------
    inputs : what the carrier needs besides its trades
    """
    first = min(trades, key=lambda trade: trade.quote.nonce)
    asset = first.quote.maker_asset
    rows: list[Json] = [trade_inputs(trade) for trade in trades]
    return Intent(
        kind=kind,
        chain=first.quote.chain,
        contract=CONTRACT,
        vault=on_chain(VAULT, first.quote.chain),
        scope=f"{first.quote.maker}>{first.quote.taker}",
        epoch=first.epoch,
        ordinal=first.quote.nonce,
        asset=asset,
        recipient=accepted(first).recipient,
        amount=Atoms(sum(given(trade) for trade in trades if trade.quote.maker_asset == asset)),
        deadline_s=deadline_s,
        inputs={TRADES: rows, **inputs},
    )


def quote_intent(trade: RfqTrade, *, carrier: Intent | None = None) -> Intent:
    """Return the intent that settles an accepted quote; its identity is the maker's nonce.

    Parameters
    ----------
    carrier : what goes first; the quote settles by itself once that is proven never to land

    Raises
    ------
    UsageFault
        If the quote was not accepted.
    """
    quote = trade.quote
    inputs = trade_inputs(trade)
    return Intent(
        kind=IntentKind.QUOTE,
        chain=quote.chain,
        contract=CONTRACT,
        vault=on_chain(VAULT, quote.chain),
        scope=quote.maker,
        epoch=trade.epoch,
        ordinal=quote.nonce,
        asset=quote.maker_asset,
        recipient=accepted(trade).recipient,
        amount=given(trade),
        deadline_s=quote.settle_by_s,
        inputs=inputs if carrier is None else inputs | {CARRIED_BY: carrier.intent_id.hex()},
    )


def trade_inputs(trade: RfqTrade) -> dict[str, Json]:
    """Return quote, acceptance and both signatures as an intent carries them."""
    acceptance = accepted(trade)
    return {
        "quote": trade.quote.to_json(),
        "maker_signature": "0x" + trade.maker_signature.hex(),
        "acceptance": {
            "quote_id": acceptance.quote_id.hex(),
            "amount": acceptance.amount,
            "recipient": acceptance.recipient,
        },
        "taker_signature": "0x" + trade.taker_signature.hex(),
    }


def given(trade: RfqTrade) -> Atoms:
    """Return what the maker gives for the part that was accepted, rounded down."""
    return trade.quote.given(accepted(trade).amount)


def accepted(trade: RfqTrade) -> Acceptance:
    """Return a trade's acceptance; `UsageFault` when there is none."""
    if trade.acceptance is None:
        raise UsageFault(f"quote {trade.quote.quote_id.hex()} was never accepted")
    return trade.acceptance

"""Pure translation of intents into contract calls, and of contract state into "was it paid"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from dmm.adapters.evm.batches import (
    SignedTrade,
    amounts_of,
    net_calldata,
    statement_calldata,
    statement_of,
)
from dmm.adapters.evm.codec import (
    ACCEPTANCE_TUPLE,
    QUOTE_TUPLE,
    SIGNATURE_BYTES,
    Book,
    account,
    calldata,
    quote_values,
)
from dmm.ports import Answer
from dmm.rfq.carried import (
    acceptance_of,
    accepted_quote,
    purchase_of,
    quote_in,
    require_no_inputs,
    require_same,
    signature_in,
)
from dmm.settlement.carrier import trades_of
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.errors import Permanent

PAY = "pay(bytes32,address,address,uint256,uint256)"
BUYBACK = f"buyback(bytes32,{QUOTE_TUPLE},bytes,uint256,uint256,bool)"
FILL = f"fill({QUOTE_TUPLE},bytes,{ACCEPTANCE_TUPLE},bytes)"
SETTLED = "settled(bytes32)"
USED_NONCES = "usedNonces(address,uint256)"
CANCELLED_NONCES = "cancelledNonces(address,uint256)"

CONTRACT_OF = {
    IntentKind.REWARD: "treasury",
    IntentKind.BUYBACK: "treasury",
    IntentKind.QUOTE: "settlement",
    IntentKind.NET: "settlement",
    IntentKind.STATEMENT: "settlement",
}
"""The contract each kind of intent calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call of a contract: its address and calldata."""

    to: str
    data: bytes


def call_of(intent: Intent, book: Book) -> Call:
    """Return the call that pays an intent; the same intent always gives the same bytes.

    Raises
    ------
    Permanent
        If the intent names another contract, or its inputs are not what its kind needs.
    """
    if intent.contract != CONTRACT_OF[intent.kind]:
        raise Permanent(f"a {intent.kind} intent calls no contract {intent.contract!r}")
    match intent.kind:
        case IntentKind.REWARD:
            data = _pay(intent, book)
        case IntentKind.BUYBACK:
            data = _buyback(intent, book)
        case IntentKind.QUOTE:
            data = _fill(intent, book)
        case IntentKind.NET:
            trades = signed_trades(intent)
            data = net_calldata(trades, book, settle_by_s=intent.deadline_s)
        case IntentKind.STATEMENT:
            data = _statement(intent, book)
        case never:
            assert_never(never)
    return Call(to=book.address(intent.contract), data=data)


def key_call(intent: Intent, book: Book) -> tuple[Call, ...]:
    """Return the views that tell whether an intent's replay key is used; see `key_answer`."""
    if intent.kind in (IntentKind.REWARD, IntentKind.BUYBACK):
        return (Call(to=book.address("treasury"), data=calldata(SETTLED, intent.intent_id)),)
    maker = account(maker_of(intent), what="the quote's maker")
    return tuple(
        Call(to=book.address("settlement"), data=calldata(view, maker, word))
        for word in _words(intent)
        for view in (USED_NONCES, CANCELLED_NONCES)
    )


def key_answer(intent: Intent, answers: tuple[int, ...]) -> Answer:
    """Tell from the views' words whether the intent was paid; a cancelled nonce never was.

    A carrier's keys are those of its members: FOUND when all are paid. One that is used or
    cancelled while others are not was settled otherwise, and the contract takes the carrier no
    more: REFUNDED.
    """
    if intent.kind in (IntentKind.REWARD, IntentKind.BUYBACK):
        return Answer.FOUND if answers[0] else Answer.ABSENT
    places = {word: place for place, word in enumerate(_words(intent))}
    used, paid = [], []
    for nonce in nonces_of(intent):
        place, bit = 2 * places[nonce >> 8], nonce & 255
        taken, cancelled = answers[place] >> bit & 1, answers[place + 1] >> bit & 1
        used.append(taken)
        paid.append(taken & ~cancelled)
    if all(paid):
        return Answer.FOUND
    if intent.kind is not IntentKind.QUOTE and any(used):
        return Answer.REFUNDED
    return Answer.ABSENT


def maker_of(intent: Intent) -> str:
    """Return the maker whose nonces an intent uses up."""
    if intent.kind is IntentKind.QUOTE:
        return intent.scope
    return quote_in(trades_of(intent)[0], intent).maker


def nonces_of(intent: Intent) -> tuple[int, ...]:
    """Return the maker's nonces that an intent uses up."""
    if intent.kind is IntentKind.QUOTE:
        return (intent.ordinal,)
    return tuple(quote_in(trade, intent).nonce for trade in trades_of(intent))


def _words(intent: Intent) -> list[int]:
    return sorted({nonce >> 8 for nonce in nonces_of(intent)})


def signed_trades(carrier: Intent) -> list[SignedTrade]:
    """Return what a carrier settles, as the contract takes it.

    Raises
    ------
    Permanent
        If identity and content do not tell of the same quotes, or a trade is unreadable.
    """
    trades = [
        SignedTrade(
            quote=quote_in(trade, carrier),
            acceptance=acceptance_of(trade.get("acceptance")),
            maker_signature=signature_in(trade, "maker_signature", length=SIGNATURE_BYTES),
            taker_signature=signature_in(trade, "taker_signature", length=SIGNATURE_BYTES),
        )
        for trade in trades_of(carrier)
    ]
    first = trades[0].quote
    require_same("parties", f"{first.maker}>{first.taker}", carrier.scope)
    require_same("lowest nonce", min(trade.quote.nonce for trade in trades), carrier.ordinal)
    require_same("recipient", trades[0].acceptance.recipient, carrier.recipient)
    given = sum(
        amounts_of(trade)[0] for trade in trades if trade.quote.maker_asset == carrier.asset
    )
    require_same("amount", given, carrier.amount)
    return trades


def _statement(intent: Intent, book: Book) -> bytes:
    statement = statement_of(signed_trades(intent), book, settle_by_s=intent.deadline_s)
    makers, takers = statement_signatures(intent)
    return statement_calldata(statement, maker_signature=makers, taker_signature=takers)


def statement_signatures(statement: Intent) -> tuple[bytes, bytes]:
    """Return the maker's and the taker's signature of a statement."""
    return (
        signature_in(statement.inputs, "maker_signature", length=SIGNATURE_BYTES),
        signature_in(statement.inputs, "taker_signature", length=SIGNATURE_BYTES),
    )


def _pay(intent: Intent, book: Book) -> bytes:
    require_no_inputs(intent)
    return calldata(
        PAY,
        intent.intent_id,
        book.token(intent.asset),
        account(intent.recipient, what="the reward's recipient"),
        intent.amount,
        intent.deadline_s,
    )


def _buyback(intent: Intent, book: Book) -> bytes:
    purchase = purchase_of(intent)
    quote = purchase.quote
    require_same("taker", account(quote.taker, what="quote.taker"), book.address("treasury"))
    return calldata(
        BUYBACK,
        intent.intent_id,
        quote_values(quote, book),
        signature_in(intent.inputs, "maker_signature", length=SIGNATURE_BYTES),
        intent.deadline_s,
        purchase.min_out,
        purchase.burn,
    )


def _fill(intent: Intent, book: Book) -> bytes:
    quote, acceptance = accepted_quote(intent)
    return calldata(
        FILL,
        quote_values(quote, book),
        signature_in(intent.inputs, "maker_signature", length=SIGNATURE_BYTES),
        (
            acceptance.quote_id,
            acceptance.amount,
            account(acceptance.recipient, what="acceptance.recipient"),
        ),
        signature_in(intent.inputs, "taker_signature", length=SIGNATURE_BYTES),
    )

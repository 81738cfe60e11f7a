"""Pure translation of intents into contract calls, and of contract state into "was it paid"."""

from __future__ import annotations

from collections.abc import Mapping
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
from dmm.rfq.protocol import Acceptance, FirmQuote
from dmm.settlement.carrier import trades_of
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.amount import Atoms
from dmm.units.errors import Permanent
from dmm.units.ids import Hash32, Json

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
    return _quote_in(trades_of(intent)[0], intent).maker


def nonces_of(intent: Intent) -> tuple[int, ...]:
    """Return the maker's nonces that an intent uses up."""
    if intent.kind is IntentKind.QUOTE:
        return (intent.ordinal,)
    return tuple(_quote_in(trade, intent).nonce for trade in trades_of(intent))


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
            quote=_quote_in(trade, carrier),
            acceptance=acceptance_of(trade.get("acceptance")),
            maker_signature=_signature(trade, "maker_signature"),
            taker_signature=_signature(trade, "taker_signature"),
        )
        for trade in trades_of(carrier)
    ]
    first = trades[0].quote
    _require_same("parties", f"{first.maker}>{first.taker}", carrier.scope)
    _require_same("lowest nonce", min(trade.quote.nonce for trade in trades), carrier.ordinal)
    _require_same("recipient", trades[0].acceptance.recipient, carrier.recipient)
    given = sum(
        amounts_of(trade)[0] for trade in trades if trade.quote.maker_asset == carrier.asset
    )
    _require_same("amount", given, carrier.amount)
    return trades


def _statement(intent: Intent, book: Book) -> bytes:
    statement = statement_of(signed_trades(intent), book, settle_by_s=intent.deadline_s)
    makers, takers = statement_signatures(intent)
    return statement_calldata(statement, maker_signature=makers, taker_signature=takers)


def statement_signatures(statement: Intent) -> tuple[bytes, bytes]:
    """Return the maker's and the taker's signature of a statement."""
    return (
        _signature(statement.inputs, "maker_signature"),
        _signature(statement.inputs, "taker_signature"),
    )


def _pay(intent: Intent, book: Book) -> bytes:
    if intent.inputs:
        raise Permanent(f"a reward carries no inputs, got {sorted(intent.inputs)}")
    return calldata(
        PAY,
        intent.intent_id,
        book.token(intent.asset),
        account(intent.recipient, what="the reward's recipient"),
        intent.amount,
        intent.deadline_s,
    )


def _buyback(intent: Intent, book: Book) -> bytes:
    quote = _quote_of(intent)
    _require_same("taker", account(quote.taker, what="quote.taker"), book.address("treasury"))
    _require_same("asset", quote.taker_asset, intent.asset)
    _require_same("amount", quote.taker_amount, intent.amount)
    min_out, burn = intent.inputs.get("min_out"), intent.inputs.get("burn")
    if not isinstance(min_out, int) or isinstance(min_out, bool) or min_out <= 0:
        raise Permanent(f"buyback.min_out must be an integer > 0, got {min_out!r}")
    if not isinstance(burn, bool):
        raise Permanent(f"buyback.burn must be true or false, got {burn!r}")
    return calldata(
        BUYBACK,
        intent.intent_id,
        quote_values(quote, book),
        _signature(intent.inputs, "maker_signature"),
        intent.deadline_s,
        min_out,
        burn,
    )


def _fill(intent: Intent, book: Book) -> bytes:
    quote, acceptance = _quote_of(intent), acceptance_of(intent.inputs.get("acceptance"))
    _require_same("maker", quote.maker, intent.scope)
    _require_same("nonce", quote.nonce, intent.ordinal)
    _require_same("asset", quote.maker_asset, intent.asset)
    _require_same("amount", quote.given(acceptance.amount), intent.amount)
    _require_same("deadline", quote.settle_by_s, intent.deadline_s)
    _require_same("quote_id", acceptance.quote_id, quote.quote_id)
    _require_same("recipient", acceptance.recipient, intent.recipient)
    return calldata(
        FILL,
        quote_values(quote, book),
        _signature(intent.inputs, "maker_signature"),
        (
            acceptance.quote_id,
            acceptance.amount,
            account(acceptance.recipient, what="acceptance.recipient"),
        ),
        _signature(intent.inputs, "taker_signature"),
    )


def _require_same(name: str, quoted: object, intended: object) -> None:
    if quoted != intended:
        raise Permanent(f"quote and intent differ in {name}: {quoted!r} is not {intended!r}")


def _quote_of(intent: Intent) -> FirmQuote:
    return _quote_in(intent.inputs, intent)


def _quote_in(inputs: Mapping[str, Json], intent: Intent) -> FirmQuote:
    body = inputs.get("quote")
    if not isinstance(body, dict):
        raise Permanent(f"a {intent.kind} intent carries its quote, got {body!r}")
    return FirmQuote.from_json(body)


def acceptance_of(body: Json) -> Acceptance:
    """Read an acceptance from an intent's inputs; `Permanent` names what is wrong."""
    names = {"quote_id", "amount", "recipient"}
    if not isinstance(body, dict) or set(body) != names:
        raise Permanent(f"an acceptance holds {sorted(names)}, got {body!r}")
    quote_id, amount, recipient = body["quote_id"], body["amount"], body["recipient"]
    if not isinstance(amount, int) or isinstance(amount, bool) or not isinstance(recipient, str):
        raise Permanent(f"an acceptance's amount and recipient are unreadable: {body!r}")
    return Acceptance(
        quote_id=Hash32(_bytes(quote_id, what="acceptance.quote_id", length=32)),
        amount=Atoms(amount),
        recipient=recipient,
    )


def _signature(inputs: Mapping[str, Json], name: str) -> bytes:
    return _bytes(inputs.get(name), what=name, length=SIGNATURE_BYTES)


def _bytes(value: Json, *, what: str, length: int) -> bytes:
    try:
        content = bytes.fromhex(value.removeprefix("0x")) if isinstance(value, str) else b""
    except ValueError:
        content = b""
    if len(content) != length:
        raise Permanent(f"{what} must be {length} bytes in hex, got {value!r}")
    return content

"""Pure translation of intents into contract calls, and of contract state into "was it paid"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from dmm.adapters.evm.codec import (
    ACCEPTANCE_TUPLE,
    QUOTE_TUPLE,
    SIGNATURE_BYTES,
    Book,
    account,
    calldata,
    quote_values,
)
from dmm.rfq.protocol import Acceptance, FirmQuote
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
        case never:
            assert_never(never)
    return Call(to=book.address(intent.contract), data=data)


def key_call(intent: Intent, book: Book) -> tuple[Call, ...]:
    """Return the views that tell whether an intent's replay key is used; see `key_is_used`."""
    if intent.kind is not IntentKind.QUOTE:
        return (Call(to=book.address("treasury"), data=calldata(SETTLED, intent.intent_id)),)
    maker = account(intent.scope, what="the quote intent's scope")
    word = intent.ordinal >> 8
    return tuple(
        Call(to=book.address("settlement"), data=calldata(view, maker, word))
        for view in (USED_NONCES, CANCELLED_NONCES)
    )


def key_is_used(intent: Intent, words: tuple[int, ...]) -> bool:
    """Tell from the views' words whether the intent was paid; a cancelled nonce never was."""
    if intent.kind is not IntentKind.QUOTE:
        return words[0] != 0
    used, cancelled = words
    return bool((used & ~cancelled) >> (intent.ordinal & 255) & 1)


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
    _require_same("amount", quote.maker_amount, intent.amount)
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
    body = intent.inputs.get("quote")
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

"""Pure translation of intents into messages, and of contract state into "was it paid"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytoniq_core import Cell

from dmm.adapters.ton.cells import buyback, pay
from dmm.adapters.ton.codec import (
    SIGNATURE_BYTES,
    Book,
    Signed,
    account,
    coins,
    taker_order,
    vault_quote,
)
from dmm.adapters.ton.wallet import envelope
from dmm.ports import Answer
from dmm.rfq.carried import (
    accepted_quote,
    purchase_of,
    require_no_inputs,
    require_same,
    signature_in,
)
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.errors import Permanent

CONTRACT_OF = {
    IntentKind.REWARD: "treasury",
    IntentKind.BUYBACK: "treasury",
    IntentKind.QUOTE: "settlement",
}
"""The contract each kind of intent calls; there are no nets of accepted quotes on TON."""

NONCE_STATES = {
    0: Answer.ABSENT,
    1: Answer.PENDING,
    2: Answer.FOUND,
    3: Answer.REFUNDED,
    4: Answer.ABSENT,
}
"""What the vault says of a nonce; a cancelled one was never settled."""

PAYMENT_STATES = {0: Answer.ABSENT, 1: Answer.PENDING, 2: Answer.FOUND, 3: Answer.REFUNDED}
BOUGHT, BURNING, BURNT = 4, 5, 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A message to a contract of ours."""

    to: int
    body: Cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Getter:
    """A get method whose answer tells an intent's key state."""

    to: str
    method: str
    argument: int


def call_of(intent: Intent, book: Book) -> Call:
    """Return the treasury's message that pays an intent; the same intent gives the same cell.

    Raises
    ------
    Permanent
        If it is a quote, names another contract, or its inputs are not what its kind needs.
    """
    _require_contract(intent)
    if intent.kind is IntentKind.QUOTE:
        raise Permanent("a quote is settled by its taker's own order, not by a call of ours")
    body = _pay(intent, book) if intent.kind is IntentKind.REWARD else _buyback(intent, book)
    return Call(to=book.account("treasury"), body=body)


def relay_of(intent: Intent, book: Book) -> tuple[str, bytes]:
    """Return (id, bytes) of the taker's signed order that settles an accepted quote.

    Raises
    ------
    Permanent
        If quote, acceptance and intent contradict one another.
    """
    _require_contract(intent)
    if intent.kind is not IntentKind.QUOTE:
        raise Permanent(f"a {intent.kind} intent is no quote")
    quote, acceptance = accepted_quote(intent)
    require_same("contract", quote.contract, book.address("settlement"))
    maker_signature = signature_in(intent.inputs, "maker_signature")
    signed = Signed.parse(signature_in(intent.inputs, "taker_signature"))
    require_same("maker_signature", signed.maker_signature, maker_signature)
    order = taker_order(
        acceptance,
        quote,
        maker_signature=maker_signature,
        query_id=signed.query_id,
        book=book,
    )
    return envelope(
        account=account(quote.taker, what="quote.taker"), order=order, signature=signed.signature
    )


def key_getter(intent: Intent, book: Book) -> Getter:
    """Return the getter that tells whether an intent's key is used; see `key_state`."""
    _require_contract(intent)
    if intent.kind is IntentKind.QUOTE:
        return Getter(to=book.address("settlement"), method="nonceState", argument=intent.ordinal)
    key = int.from_bytes(intent.intent_id, "big")
    return Getter(to=book.address("treasury"), method="payment", argument=key)


def key_state(intent: Intent, stack: Sequence[object]) -> Answer:
    """Return what the getter's answer says; UNKNOWN when it says what no build of ours does.

    A purchase counts once what it brought is burnt, where it was bought to be burnt: its last leg.
    """
    state = stack[0] if stack else None
    if not isinstance(state, int):
        return Answer.UNKNOWN
    if intent.kind is IntentKind.QUOTE:
        return NONCE_STATES.get(state, Answer.UNKNOWN)
    if state in (BOUGHT, BURNING, BURNT):
        is_last = state == (BURNT if intent.inputs.get("burn") is True else BOUGHT)
        return Answer.FOUND if is_last else Answer.PENDING
    return PAYMENT_STATES.get(state, Answer.UNKNOWN)


def _require_contract(intent: Intent) -> None:
    if intent.contract != CONTRACT_OF.get(intent.kind):
        raise Permanent(f"a {intent.kind} intent calls no contract {intent.contract!r}")


def _pay(intent: Intent, book: Book) -> Cell:
    require_no_inputs(intent)
    return pay(
        key=int.from_bytes(intent.intent_id, "big"),
        deadline_s=_deadline(intent),
        asset=book.wallet_of(book.account("treasury"), intent.asset),
        to=account(intent.recipient, what="the reward's recipient"),
        amount=coins(intent.amount, what="the reward's amount"),
    )


def _buyback(intent: Intent, book: Book) -> Cell:
    purchase, treasury = purchase_of(intent), book.account("treasury")
    quote = purchase.quote
    require_same("taker", quote.taker, book.address("treasury"))
    return buyback(
        key=int.from_bytes(intent.intent_id, "big"),
        deadline_s=_deadline(intent),
        maker=account(quote.maker, what="quote.maker"),
        amount=quote.taker_amount,
        pay_asset=book.wallet_of(treasury, quote.taker_asset),
        buy_asset=book.wallet_of(treasury, quote.maker_asset),
        min_output=coins(purchase.min_out, what="buyback.min_out"),
        burn=purchase.burn,
        quote=vault_quote(quote, book).cell(),
        signature=signature_in(intent.inputs, "maker_signature", length=SIGNATURE_BYTES),
    )


def _deadline(intent: Intent) -> int:
    if not 0 < intent.deadline_s < 2**32:
        raise Permanent(f"deadline_s {intent.deadline_s} does not fit 32 bits")
    return intent.deadline_s

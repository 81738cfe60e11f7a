"""What an intent carries of a firm quote: read from its inputs and held against its identity.

Every chain's adapter starts from here, so that a quote, its acceptance and the intent that settles
them cannot contradict one another on one chain and pass on another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dmm.rfq.protocol import Acceptance, FirmQuote
from dmm.settlement.intent import Intent
from dmm.units.amount import Atoms
from dmm.units.errors import Permanent
from dmm.units.ids import Hash32, Json

ID_BYTES = 32
_ACCEPTANCE = frozenset({"quote_id", "amount", "recipient"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """A buyback: the quote the treasury takes, the least it must bring in atoms, burnt or kept."""

    quote: FirmQuote
    min_out: int
    burn: bool


def require_same(name: str, quoted: object, intended: object) -> None:
    """Refuse a quote that says something else than its intent.

    Raises
    ------
    Permanent
        If the two differ.
    """
    if quoted != intended:
        raise Permanent(f"quote and intent differ in {name}: {quoted!r} is not {intended!r}")


def require_no_inputs(intent: Intent) -> None:
    """Refuse inputs where the intent's identity says all; `Permanent` names them."""
    if intent.inputs:
        raise Permanent(f"a {intent.kind} carries no inputs, got {sorted(intent.inputs)}")


def quote_in(inputs: Mapping[str, Json], intent: Intent) -> FirmQuote:
    """Return the quote among an intent's inputs, or one of its trades'; `Permanent` without one."""
    body = inputs.get("quote")
    if not isinstance(body, dict):
        raise Permanent(f"a {intent.kind} intent carries its quote, got {body!r}")
    return FirmQuote.from_json(body)


def accepted_quote(intent: Intent) -> tuple[FirmQuote, Acceptance]:
    """Return the quote an intent settles, and how it was accepted.

    Raises
    ------
    Permanent
        If one is unreadable, or they contradict one another or the intent.
    """
    quote = quote_in(intent.inputs, intent)
    acceptance = acceptance_of(intent.inputs.get("acceptance"))
    require_same("maker", quote.maker, intent.scope)
    require_same("nonce", quote.nonce, intent.ordinal)
    require_same("asset", quote.maker_asset, intent.asset)
    require_same("amount", quote.given(acceptance.amount), intent.amount)
    require_same("deadline", quote.settle_by_s, intent.deadline_s)
    require_same("quote_id", acceptance.quote_id, quote.quote_id)
    require_same("recipient", acceptance.recipient, intent.recipient)
    return quote, acceptance


def purchase_of(intent: Intent) -> Purchase:
    """Return what a buyback buys; who takes it is the caller's to hold against its treasury.

    Raises
    ------
    Permanent
        If it is unreadable, or contradicts the intent.
    """
    quote = quote_in(intent.inputs, intent)
    require_same("asset", quote.taker_asset, intent.asset)
    require_same("amount", quote.taker_amount, intent.amount)
    min_out, burn = intent.inputs.get("min_out"), intent.inputs.get("burn")
    if not isinstance(min_out, int) or isinstance(min_out, bool) or min_out <= 0:
        raise Permanent(f"buyback.min_out must be an integer > 0, got {min_out!r}")
    if not isinstance(burn, bool):
        raise Permanent(f"buyback.burn must be true or false, got {burn!r}")
    return Purchase(quote=quote, min_out=min_out, burn=burn)


def acceptance_of(body: Json) -> Acceptance:
    """Read an acceptance from an intent's inputs; `Permanent` names what is wrong."""
    if not isinstance(body, dict) or set(body) != _ACCEPTANCE:
        raise Permanent(f"an acceptance holds {sorted(_ACCEPTANCE)}, got {body!r}")
    quote_id, amount, recipient = body["quote_id"], body["amount"], body["recipient"]
    if not isinstance(amount, int) or isinstance(amount, bool) or not isinstance(recipient, str):
        raise Permanent(f"an acceptance's amount and recipient are unreadable: {body!r}")
    return Acceptance(
        quote_id=Hash32(_bytes(quote_id, what="acceptance.quote_id", length=ID_BYTES)),
        amount=Atoms(amount),
        recipient=recipient,
    )


def signature_in(inputs: Mapping[str, Json], name: str, *, length: int | None = None) -> bytes:
    """Return a signature among an intent's inputs.

    Parameters
    ----------
    name : ``maker_signature`` or ``taker_signature``
    length : bytes that the chain's signatures have; None when it is read further elsewhere

    Raises
    ------
    Permanent
        If it is missing, no hex text or of another length.
    """
    return _bytes(inputs.get(name), what=name, length=length)


def _bytes(value: Json, *, what: str, length: int | None) -> bytes:
    try:
        content = bytes.fromhex(value.removeprefix("0x")) if isinstance(value, str) else b""
    except ValueError:
        content = b""
    if not content or length not in {None, len(content)}:
        wanted = "bytes" if length is None else f"{length} bytes"
        raise Permanent(f"{what} must be {wanted} in hex, got {value!r}")
    return content

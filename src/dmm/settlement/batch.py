"""What an intent does to the ledger: reserve, pay, void, and its effect on the vault's balance."""

from __future__ import annotations

from typing import TypeAlias

from dmm.ledger.account import Account, AccountKind
from dmm.ledger.journal import Posting
from dmm.settlement.carrier import is_carrier
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.amount import Atoms
from dmm.units.errors import InvariantBroken
from dmm.units.time import Nanos

VaultAsset: TypeAlias = tuple[str, str]
"""A ledger vault and the symbol of an asset it holds."""


def account(vault: str, asset: str, kind: AccountKind) -> Account:
    """Return the vault's account of one kind."""
    return Account(vault=vault, asset=asset, kind=kind)


def _move(
    intent: Intent, event: str, *, debit: AccountKind, credit: AccountKind, at_ns: int
) -> Posting:
    return Posting(
        source_id=f"{intent.intent_id.hex()}:{event}",
        debit=account(intent.vault, intent.asset, debit),
        credit=account(intent.vault, intent.asset, credit),
        amount=intent.amount,
        posted_at_ns=Nanos(at_ns),
    )


def reserve(intent: Intent, *, at_ns: int) -> Posting:
    """Set the intent's amount aside, in the transaction that records the intent."""
    return _move(
        intent, "reserve", debit=AccountKind.AVAILABLE, credit=AccountKind.PENDING, at_ns=at_ns
    )


def void(intent: Intent, *, at_ns: int) -> tuple[Posting, ...]:
    """Give the reservation back, once the intent is proven dead; a carrier has none."""
    if is_carrier(intent):
        return ()
    return (
        _move(intent, "void", debit=AccountKind.PENDING, credit=AccountKind.AVAILABLE, at_ns=at_ns),
    )


def paid(intent: Intent, *, at_ns: int) -> tuple[Posting, ...]:
    """Book an intent that was paid on the finalized chain, with what the vault got for it.

    A carrier books nothing: its members do.
    """
    if is_carrier(intent):
        return ()
    out = _move(intent, "paid", debit=AccountKind.PENDING, credit=AccountKind.PAID, at_ns=at_ns)
    received = proceeds(intent)
    if received is None:
        return (out,)
    asset, amount = received
    back = Posting(
        source_id=f"{intent.intent_id.hex()}:received",
        debit=account(intent.vault, asset, AccountKind.OUTSIDE),
        credit=account(intent.vault, asset, AccountKind.AVAILABLE),
        amount=amount,
        posted_at_ns=Nanos(at_ns),
    )
    return (out, back)


def reversal(intent: Intent, *, order_sequence: int, at_ns: int) -> tuple[Posting, ...]:
    """Take back what `paid` booked, because the chain took the payment back below finality.

    The ledger stays append-only: each posting is the mirror of one that was made, and its source
    names that one and the executed order that allows it. What the vault paid is available again.

    Parameters
    ----------
    order_sequence : the executed order of governance, >= 1
    """
    return tuple(
        Posting(
            source_id=f"{posting.source_id}:reversed:{order_sequence}",
            debit=posting.credit,
            credit=(
                account(intent.vault, intent.asset, AccountKind.AVAILABLE)
                if posting.debit.kind is AccountKind.PENDING
                else posting.debit
            ),
            amount=posting.amount,
            posted_at_ns=Nanos(at_ns),
        )
        for posting in paid(intent, at_ns=at_ns)
    )


def proceeds(intent: Intent) -> tuple[str, Atoms] | None:
    """Return asset and amount that the vault keeps when the intent is paid, if any.

    A buyback keeps nothing: what it bought is burnt in the same transaction.

    Raises
    ------
    InvariantBroken
        If a quote intent does not carry its quote's terms.
    """
    if intent.kind is not IntentKind.QUOTE:
        return None
    quote, acceptance = intent.inputs.get("quote"), intent.inputs.get("acceptance")
    if isinstance(quote, dict):
        asset, amount = quote.get("taker_asset"), quote.get("taker_amount")
        if isinstance(acceptance, dict):
            # A taker may have taken a part.
            amount = acceptance.get("amount")
        if isinstance(asset, str) and isinstance(amount, int) and amount > 0:
            return asset, Atoms(amount)
    raise InvariantBroken(
        f"quote intent {intent.intent_id.hex()} carries no taker_asset and taker_amount"
    )


def effect(intent: Intent) -> dict[VaultAsset, int]:
    """Return what paying the intent changes in the vault's balances on chain, in atoms.

    Nothing for a carrier: what its transaction moves is what its members do.
    """
    if is_carrier(intent):
        return {}
    change: dict[VaultAsset, int] = {(intent.vault, intent.asset): -intent.amount}
    received = proceeds(intent)
    if received is not None:
        asset, amount = received
        change[(intent.vault, asset)] = change.get((intent.vault, asset), 0) + amount
    return {key: value for key, value in change.items() if value}

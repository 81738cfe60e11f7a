"""What a signer refuses before it looks at its key."""

from __future__ import annotations

from collections.abc import Callable

from dmm.adapters.signers.outflow import outflows, quotes_of
from dmm.adapters.signers.policy import SignerPolicy
from dmm.ports import SignRequest
from dmm.rfq.protocol import FirmQuote
from dmm.settlement.intent import Intent, IntentKind, Purpose
from dmm.units.errors import Permanent

SETTLEMENT_CONTRACTS = {
    IntentKind.REWARD: "treasury",
    IntentKind.BUYBACK: "treasury",
    IntentKind.QUOTE: "settlement",
    IntentKind.NET: "settlement",
    IntentKind.STATEMENT: "settlement",
}
"""The one contract each kind of intent may call; the function follows from the kind."""

CLOCK_SLACK_S = 15
"""How far the chain's clock, by which quotes expire, may run ahead of the signer's own."""

RESCUE_FACTOR = 2
"""How far above the policy's fee a burn may go: it must outbid what it replaces."""


def check_burn(request: SignRequest, policy: SignerPolicy, *, gas_max: int | None) -> None:
    """Refuse a burn that could do more than use a slot up.

    It moves nothing but its fee, at the most `gas_max` times `RESCUE_FACTOR` times the policy's
    fee, so it needs no cap of an asset and is signed while the kill switch holds.

    Parameters
    ----------
    gas_max : units of work an empty transaction may take on the chain; None where it has no burns

    Raises
    ------
    Permanent
        The text names the first violation and its limit.
    """
    if request.purpose is not Purpose.BURN:
        raise Permanent(f"a {request.purpose} request is no burn")
    if request.intent.chain != policy.chain:
        raise Permanent(f"chain {request.intent.chain!r} is not allowed, only {policy.chain!r}")
    if gas_max is None:
        raise Permanent(f"chain {policy.chain!r} has no burns: its slots end by themselves")
    if request.slot < 0 or request.bump < 0:
        raise Permanent(f"slot {request.slot} and bump {request.bump} must be >= 0")
    fee_max = RESCUE_FACTOR * policy.unit_fee_max
    if request.unit_fee_max > fee_max:
        raise Permanent(f"fee {request.unit_fee_max} a unit exceeds {fee_max}, a burn's most")
    if request.gas_max > gas_max:
        raise Permanent(f"gas {request.gas_max} exceeds {gas_max}, a burn's most")


def check_settlement(request: SignRequest, policy: SignerPolicy) -> None:
    """Refuse a settlement outside the allow-list and the caps of one signature.

    Raises
    ------
    Permanent
        The text names the first violation and its limit.
    """
    intent = request.intent
    wanted = SETTLEMENT_CONTRACTS.get(intent.kind)
    if intent.chain != policy.chain:
        raise Permanent(f"chain {intent.chain!r} is not allowed, only {policy.chain!r}")
    if intent.contract != wanted or wanted not in policy.contracts:
        raise Permanent(f"contract {intent.contract!r} is not allowed for a {intent.kind} intent")
    if request.slot < 0 or request.bump < 0:
        raise Permanent(f"slot {request.slot} and bump {request.bump} must be >= 0")
    if request.unit_fee_max > policy.unit_fee_max:
        raise Permanent(f"fee {request.unit_fee_max} a unit exceeds {policy.unit_fee_max}")
    if request.gas_max > policy.gas_max:
        raise Permanent(f"gas {request.gas_max} exceeds {policy.gas_max}")
    _check_outflow(intent, policy)


def check_quote(
    quote: FirmQuote,
    policy: SignerPolicy,
    *,
    signer: str,
    now_s: int,
    canonical: Callable[[str], str],
) -> None:
    """Refuse a quote outside the allow-list, the notional caps and the longest lifetimes.

    Parameters
    ----------
    signer : address of the key that would sign
    now_s : the signer's own clock, seconds since 1970 UTC
    canonical : the chain's one spelling of an address

    Raises
    ------
    Permanent
        The text names the first violation and its limit.
    """
    if quote.chain != policy.chain:
        raise Permanent(f"chain {quote.chain!r} is not allowed, only {policy.chain!r}")
    _check_parties(quote, policy, signer=signer, canonical=canonical)
    if quote.expiry_s > now_s + policy.ttl_s_max + CLOCK_SLACK_S:
        raise Permanent(f"the quote lives until {quote.expiry_s}, {policy.ttl_s_max} s are allowed")
    if quote.settle_by_s > now_s + policy.settle_s_max + CLOCK_SLACK_S:
        raise Permanent(
            f"the quote settles until {quote.settle_by_s}, {policy.settle_s_max} s are allowed"
        )
    _check_amount(quote.maker_asset, quote.maker_amount, policy)
    _check_amount(quote.taker_asset, quote.taker_amount, policy)
    if policy.numeraire is not None:
        policy.numeraire.check_each({quote.maker_asset: quote.maker_amount})
        policy.numeraire.check_give(
            gives=(quote.maker_asset, quote.maker_amount),
            takes=(quote.taker_asset, quote.taker_amount),
        )


def check_statement(
    statement: Intent,
    policy: SignerPolicy,
    *,
    signer: str,
    now_s: int,
    canonical: Callable[[str], str],
) -> None:
    """Refuse a net statement outside the allow-list, the notional caps and the longest lifetime.

    Every quote in it must be of this maker and this key; its gross amounts are capped like a
    settlement's. That the key signed each of them before is for the chain's own scheme to tell.

    Parameters
    ----------
    signer : address of the key that would sign
    now_s : the signer's own clock, seconds since 1970 UTC
    canonical : the chain's one spelling of an address

    Raises
    ------
    Permanent
        The text names the first violation and its limit.
    """
    if statement.chain != policy.chain:
        raise Permanent(f"chain {statement.chain!r} is not allowed, only {policy.chain!r}")
    if statement.kind is not IntentKind.STATEMENT:
        raise Permanent(f"a quote signer signs no {statement.kind} intent, only statements")
    if statement.contract != "settlement" or "settlement" not in policy.contracts:
        raise Permanent(f"contract {statement.contract!r} is not allowed for a statement")
    if statement.deadline_s > now_s + policy.settle_s_max + CLOCK_SLACK_S:
        raise Permanent(
            f"the statement settles until {statement.deadline_s}, {policy.settle_s_max} s are "
            "allowed"
        )
    for quote in quotes_of(statement):
        if quote.chain != policy.chain:
            raise Permanent(f"chain {quote.chain!r} is not allowed, only {policy.chain!r}")
        _check_parties(quote, policy, signer=signer, canonical=canonical)
    _check_outflow(statement, policy)


def _check_parties(
    quote: FirmQuote, policy: SignerPolicy, *, signer: str, canonical: Callable[[str], str]
) -> None:
    for name, got, wanted in (
        ("contract", quote.contract, policy.contracts.get("settlement", "")),
        ("maker", quote.maker, policy.maker),
        ("signer", quote.signer, signer),
    ):
        if canonical(got) != canonical(wanted):
            raise Permanent(f"{name} {got} is not allowed, only {wanted}")


def _check_outflow(intent: Intent, policy: SignerPolicy) -> None:
    """Refuse what one signature lets leave beyond the caps of one signature."""
    totals: dict[str, int] = {}
    for flow in outflows(intent):
        # One by one too: a negative amount must not make room for another.
        _check_amount(flow.asset, flow.amount, policy)
        totals[flow.asset] = totals.get(flow.asset, 0) + flow.amount
    for asset, total in totals.items():
        _check_amount(asset, total, policy)
    if policy.numeraire is not None:
        policy.numeraire.check_each(totals)


def _check_amount(asset: str, amount: int, policy: SignerPolicy) -> None:
    cap = policy.caps.get(asset)
    if cap is None:
        raise Permanent(f"asset {asset!r} has no cap: it is not allowed")
    if not 0 < amount <= cap.each_atoms:
        raise Permanent(f"{amount} atoms of {asset} are outside [1, {cap.each_atoms}]")

"""Buyback: a share of realised profit takes a maker's firm quote and burns what it bought.

Each epoch buys on one chain; `dmm.usecases.buyback_turns` says on which.
"""

from __future__ import annotations

from typing import assert_never

from dmm.ledger.account import AccountKind
from dmm.ports import BuybackQuoter, Chain, Clock, Store
from dmm.rfq.protocol import FirmQuote
from dmm.settlement.batch import account, reserve
from dmm.settlement.epoch import (
    EpochClaim,
    EpochPlan,
    EpochRow,
    Job,
    JobOutcome,
    RowTable,
)
from dmm.settlement.intent import Intent, IntentKind
from dmm.treasury.budget import Allowance, Cap, allow
from dmm.treasury.buyback import net_out, profit_share
from dmm.units.chain import address_key, on_chain
from dmm.units.errors import ServiceFault
from dmm.units.ids import content_id
from dmm.usecases.epoch import policy_in_force, run_job, scope_of, waiting

VAULT = "treasury"
"""The vault and the contract that pay; see `on_chain` for the vault's name in the ledger."""

BOUGHT_ASSET = "DCT"
PROGRAM = "buyback"

NONCE_BYTES = 6
"""Length of a buyback's nonce at the maker: derived from the epoch, so asking again is the same."""


def settle_buyback(
    *,
    store: Store,
    chain: Chain,
    clock: Clock,
    quoter: BuybackQuoter,
    run_id: str,
    epoch: int,
    cash_asset: str,
    intent_deadline_s: int,
    program: str = PROGRAM,
) -> JobOutcome:
    """Plan an epoch's buyback on one chain: one firm quote, taken with cash, bought tokens burnt.

    The quote is recorded with the plan in one transaction: a re-run returns that plan and asks
    nobody again.

    Parameters
    ----------
    cash_asset : symbol of the token the treasury pays with, the profit's own asset
    intent_deadline_s : seconds of chain time from the epoch's claim until it may not land
    program : buyback program, part of the epoch's scope

    Raises
    ------
    ServiceFault
        If the treasury is not deployed, or the maker's quote is not what was asked for.
    Retryable
        If the maker cannot be reached.
    """
    subject = on_chain(program, chain.name)
    vault = on_chain(VAULT, chain.name)
    summary = store.slice(run_id, epoch)
    if summary is None:
        return waiting(
            run_id=run_id,
            job=Job.BUYBACK_SETTLEMENT,
            subject=subject,
            epoch=epoch,
            note=f"epoch {epoch} has no closed slice yet",
        )

    def plan(claim: EpochClaim) -> EpochPlan:
        policy = policy_in_force(store).policy
        allowance = allow(
            wanted=profit_share(
                spread_captured=summary.spread_captured_atoms,
                fees=summary.fees_atoms,
                share_bps=policy.buyback_share_bps,
            ),
            policy_max=policy.buyback_budget_atoms_max,
            available=store.balance(account(vault, cash_asset, AccountKind.AVAILABLE)),
        )
        if allowance.amount == 0:
            return EpochPlan(note=_nothing_to_spend(allowance, no_cash_note(vault, cash_asset)))
        treasury = _address(store, chain)
        deadline_s = claim.opened_chain_s + intent_deadline_s
        answer = quoter.quote(
            chain=chain.name,
            taker=treasury,
            cash_asset=cash_asset,
            cash_amount=allowance.amount,
            bought_asset=BOUGHT_ASSET,
            deadline_s=deadline_s,
            nonce=buyback_nonce(run_id=run_id, program=program, epoch=epoch),
        )
        if answer is None:
            return EpochPlan(note="no buyback: the maker declined to quote")
        quote, signature = answer
        check_terms(
            quote,
            chain=chain.name,
            taker=treasury,
            cash_asset=cash_asset,
            cash_amount=allowance.amount,
            deadline_s=deadline_s,
        )
        return plan_buyback(
            claim=claim, program=program, quote=quote, signature=signature, deadline_s=deadline_s
        )

    return run_job(
        store=store,
        chain=chain,
        clock=clock,
        run_id=run_id,
        job=Job.BUYBACK_SETTLEMENT,
        subject=subject,
        epoch=epoch,
        plan=plan,
    )


def no_cash_note(vault: str, cash_asset: str) -> str:
    """Return the note of a plan that found no cash, by which a turn is passed on."""
    return f"no buyback: {vault} has no {cash_asset} available"


def buyback_nonce(*, run_id: str, program: str, epoch: int) -> int:
    """Return the nonce under which an epoch's buyback asks, the same at every repeat."""
    digest = content_id("dmm/buyback-nonce/v1", scope_of(run_id, program), epoch)
    return int.from_bytes(digest[:NONCE_BYTES], "big")


def check_terms(
    quote: FirmQuote, *, chain: str, taker: str, cash_asset: str, cash_amount: int, deadline_s: int
) -> None:
    """Refuse a quote that is not what the treasury asked for.

    Raises
    ------
    ServiceFault
        If any term differs; the text names the first.
    """
    terms: tuple[tuple[str, object, object], ...] = (
        ("chain", quote.chain, chain),
        ("taker", address_key(quote.taker), address_key(taker)),
        ("taker_asset", quote.taker_asset, cash_asset),
        ("maker_asset", quote.maker_asset, BOUGHT_ASSET),
        ("taker_amount", quote.taker_amount, cash_amount),
    )
    for name, got, asked in terms:
        if got != asked:
            raise ServiceFault(f"the maker's buyback quote has {name} {got!r}, asked for {asked!r}")
    if quote.expiry_s < deadline_s:
        raise ServiceFault(
            f"the maker's buyback quote expires at {quote.expiry_s}, needed until {deadline_s}"
        )


def plan_buyback(
    *, claim: EpochClaim, program: str, quote: FirmQuote, signature: bytes, deadline_s: int
) -> EpochPlan:
    """Return the plan that takes a quote: one intent, its reservation, one row."""
    intent = Intent(
        kind=IntentKind.BUYBACK,
        chain=quote.chain,
        contract="treasury",
        vault=on_chain(VAULT, quote.chain),
        scope=claim.scope,
        epoch=claim.epoch,
        ordinal=0,
        asset=quote.taker_asset,
        recipient=quote.maker,
        amount=quote.taker_amount,
        deadline_s=deadline_s,
        inputs={
            "quote": quote.to_json(),
            "maker_signature": "0x" + signature.hex(),
            "min_out": net_out(maker_amount=quote.maker_amount, fee_bps=quote.fee_bps),
            "burn": True,
        },
    )
    row = EpochRow(
        table=RowTable.BUYBACK,
        ordinal=0,
        body={
            "program": program,
            "asset_paid": quote.taker_asset,
            "amount_paid": quote.taker_amount,
            "asset_bought": quote.maker_asset,
            "amount_bought": quote.maker_amount,
            "maker": quote.maker,
            "quote_id": quote.quote_id.hex(),
            "intent_id": intent.intent_id.hex(),
        },
    )
    return EpochPlan(
        rows=(row,), intents=(intent,), postings=(reserve(intent, at_ns=claim.opened_at_ns),)
    )


def _nothing_to_spend(allowance: Allowance, no_cash: str) -> str:
    match allowance.cap:
        case Cap.POLICY:
            return "no buyback: the policy's budget is 0"
        case Cap.CASH:
            return no_cash
        case Cap.NOTHING:
            return "no buyback: the epoch realised no profit to share"
        case never:
            assert_never(never)


def _address(store: Store, chain: Chain) -> str:
    deployed = store.deployments(chain.name).get("treasury")
    if deployed is None:
        raise ServiceFault(f"no treasury is deployed on {chain.name}: deploy the contracts first")
    return deployed.address

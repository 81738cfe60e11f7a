"""RFQ: answer with a firm quote, take its acceptance, settle what was accepted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeAlias

from dmm.ledger.account import AccountKind
from dmm.market.instrument import Instrument, Side
from dmm.ports import Chain, Clock, QuoteSigner, Store
from dmm.rfq.netting import VAULT, Countersign, Netting, plan_settlement
from dmm.rfq.pricing import FirmAmounts, firm_amounts, firm_price
from dmm.rfq.protocol import Acceptance, FirmQuote, RfqTrade
from dmm.risk.gate import RefusalReason, Refused
from dmm.settlement.batch import account
from dmm.settlement.epoch import EpochClaim, EpochPlan, Job, JobOutcome, RowTable
from dmm.units.amount import Lots
from dmm.units.chain import on_chain
from dmm.units.errors import ServiceFault
from dmm.usecases.epoch import policy_in_force, run_job
from dmm.usecases.quoted import SETTLE_EPOCHS_BACK_MAX
from dmm.usecases.rfq_gate import judge_quote, open_quotes, worker_state

SUBJECT = "desk"
"""The desk's own side in the scope of an epoch's settlement."""

TTL_S_MAX = 60
"""Longest lifetime of a firm quote."""

VerifyAcceptance: TypeAlias = Callable[[FirmQuote, Acceptance, bytes], bool]
"""Tells whether the taker signed this acceptance of this quote."""


class DeclineReason(StrEnum):
    """Why we do not quote, or do not take an acceptance, in the order it is checked.

    Between `PRICE` and `INVENTORY` the gate judges the order behind the quote, by reasons of its
    own.
    """

    KILLED = "killed"
    RESTORED = "restored"
    NO_FAIR_VALUE = "no_fair_value"
    TTL = "ttl"
    PRICE = "price"
    INVENTORY = "inventory"
    UNKNOWN_QUOTE = "unknown_quote"
    TERMS = "terms"
    EXPIRED = "expired"
    SIGNATURE = "signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class Declined:
    """We do not quote, or do not take it; `detail` gives the values that the gate compared."""

    reason: DeclineReason | RefusalReason
    detail: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """A firm quote, recorded before it left."""

    trade: RfqTrade


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The taker's acceptance is recorded; the epoch's settlement takes it from here."""

    trade: RfqTrade


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteRequest:
    """What a taker asks: `side` is its own, `size` in lots, `ttl_s` how long we are to be firm."""

    taker: str
    side: Side
    size: Lots
    ttl_s: int


def answer(
    *,
    store: Store,
    chain: Chain,
    clock: Clock,
    signer: QuoteSigner,
    instrument: Instrument,
    run_id: str,
    epoch: int,
    request: QuoteRequest,
    settle_window_s: int,
) -> Quoted | Declined:
    """Answer a request with a firm quote, priced from the worker's last closed slice.

    Parameters
    ----------
    chain : where the quote is to settle: it gives that chain's inventory, by that chain's time
    epoch : the epoch that is to settle the quote
    settle_window_s : chain seconds between the end of acceptance and the end of settlement, >= 0

    Raises
    ------
    Retryable
        If chain or signer cannot be reached; a nonce may be spent, nothing is quoted.
    Permanent
        If the quote signer refuses the terms.
    """
    latch = store.latch()
    if latch is not None and latch.killed:
        return Declined(reason=DeclineReason.KILLED)
    if (adopting := store.adopt_only(chain.name)) is not None:
        # The journal may have forgotten which nonces it gave out, and what is promised.
        return Declined(reason=DeclineReason.RESTORED, detail=adopting.reason)
    policy = policy_in_force(store).policy
    worker = worker_state(store, run_id, policy)
    if worker is None:
        return Declined(reason=DeclineReason.NO_FAIR_VALUE)
    if not 0 < request.ttl_s <= TTL_S_MAX:
        return Declined(reason=DeclineReason.TTL)
    price = firm_price(worker.fair, taker_side=request.side, ttl_s=request.ttl_s)
    if price <= 0:
        return Declined(reason=DeclineReason.PRICE)
    snapshot = chain.snapshot()
    pending = open_quotes(
        store, run_id=run_id, epoch=epoch, chain=chain.name, at_s=snapshot.head_time_s
    )
    verdict = judge_quote(
        store,
        epoch=epoch,
        taker_side=request.side,
        size=request.size,
        price=price,
        policy=policy,
        worker=worker,
        quotes=pending,
        instrument=instrument,
    )
    if isinstance(verdict, Refused):
        return Declined(reason=verdict.reason, detail=verdict.detail)
    amounts = firm_amounts(instrument, taker_side=request.side, price=price, size=request.size)
    promised = sum(
        quote.maker_amount
        for quote in pending
        if quote.chain == chain.name and quote.maker_asset == amounts.maker_asset
    )
    vault = on_chain(VAULT, chain.name)
    available = store.balance(account(vault, amounts.maker_asset, AccountKind.AVAILABLE))
    if amounts.maker_amount > available - promised:
        return Declined(reason=DeclineReason.INVENTORY)
    expiry_s = snapshot.head_time_s + request.ttl_s
    quote = _terms(
        store=store,
        chain=chain,
        signer=signer,
        taker=request.taker,
        amounts=amounts,
        expiry_s=expiry_s,
        settle_by_s=expiry_s + settle_window_s,
    )
    trade = RfqTrade(
        run_id=run_id,
        epoch=epoch,
        quote=quote,
        maker_signature=signer.sign_quote(quote),
        fair_half_ticks=worker.fair.mid,
        issued_at_ns=clock.now_ns(),
    )
    store.record_quote(trade)
    return Quoted(trade=trade)


def accept(
    *,
    store: Store,
    chain: Chain,
    clock: Clock,
    run_id: str,
    epoch: int,
    acceptance: Acceptance,
    taker_signature: bytes,
    verify: VerifyAcceptance,
) -> Accepted | Declined:
    """Take a taker's acceptance of a quote, before its expiry by the chain's time.

    Parameters
    ----------
    epoch : the quote's epoch
    verify : tells whether the taker signed it; the chain's own signature scheme
    """
    trades = store.rfq_trades(run_id, epoch)
    trade = next((t for t in trades if t.quote.quote_id == acceptance.quote_id), None)
    if trade is None:
        return Declined(reason=DeclineReason.UNKNOWN_QUOTE)
    if trade.acceptance is not None:
        same = trade.acceptance == acceptance and trade.taker_signature == taker_signature
        return Accepted(trade=trade) if same else Declined(reason=DeclineReason.TERMS)
    if not trade.quote.takes(acceptance.amount) or not acceptance.recipient:
        return Declined(reason=DeclineReason.TERMS)
    latch = store.latch()
    if latch is not None and latch.killed:
        return Declined(reason=DeclineReason.KILLED)
    if chain.snapshot().head_time_s > trade.quote.expiry_s:
        return Declined(reason=DeclineReason.EXPIRED)
    if not verify(trade.quote, acceptance, taker_signature):
        return Declined(reason=DeclineReason.SIGNATURE)
    taken = replace(
        trade,
        acceptance=acceptance,
        taker_signature=taker_signature,
        accepted_at_ns=clock.now_ns(),
    )
    store.accept_quote(taken)
    return Accepted(trade=taken)


def settle_quotes(
    *,
    store: Store,
    chain: Chain,
    clock: Clock,
    run_id: str,
    epoch: int,
    subject: str = SUBJECT,
    countersign: Countersign | None = None,
) -> JobOutcome:
    """Plan the settlement of a chain's accepted quotes that no earlier epoch planned.

    Where one transaction can settle several quotes of a taker, a net goes first; what it does not
    settle in time, settles quote by quote.

    Parameters
    ----------
    subject : the desk's own side in the epoch's scope, as on the home chain
    countersign : asks both parties for a statement; None: nets carry their quotes in the call
    """

    def plan(claim: EpochClaim) -> EpochPlan:
        planned = {
            row.body["quote_id"] for row in store.epoch_rows(run_id, RowTable.RFQ_SETTLEMENT)
        }
        first = max(0, epoch - SETTLE_EPOCHS_BACK_MAX)
        trades = [
            trade
            for past in range(first, epoch + 1)
            for trade in store.rfq_trades(run_id, past)
            if trade.acceptance is not None
            and trade.quote.chain == chain.name
            and trade.quote.quote_id.hex() not in planned
        ]
        most = {chain.name: chain.slot_rules.nets_max}
        netting = Netting(quotes_max=most, countersign=countersign)
        return plan_settlement(claim=claim, trades=trades, netting=netting)

    return run_job(
        store=store,
        chain=chain,
        clock=clock,
        run_id=run_id,
        job=Job.PMM_SETTLEMENT,
        subject=on_chain(subject, chain.name),
        epoch=epoch,
        plan=plan,
    )


def _terms(
    *,
    store: Store,
    chain: Chain,
    signer: QuoteSigner,
    taker: str,
    amounts: FirmAmounts,
    expiry_s: int,
    settle_by_s: int,
) -> FirmQuote:
    settlement = store.deployments(chain.name).get("settlement")
    if settlement is None:
        raise ServiceFault(f"no settlement contract is deployed on {chain.name}: deploy it first")
    maker = signer.maker(chain.name)
    return FirmQuote(
        chain=chain.name,
        contract=settlement.address,
        maker=maker,
        signer=signer.signer(chain.name),
        taker=taker,
        maker_asset=amounts.maker_asset,
        taker_asset=amounts.taker_asset,
        maker_amount=amounts.maker_amount,
        taker_amount=amounts.taker_amount,
        fee_bps=0,
        fee_recipient=maker,
        expiry_s=expiry_s,
        settle_by_s=settle_by_s,
        # A restored journal gives nonces out anew; the signer's register remembers the old ones.
        nonce=store.next_quote_nonce(maker, at_least=signer.next_nonce(chain.name)),
    )

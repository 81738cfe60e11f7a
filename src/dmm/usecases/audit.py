"""Audit: every token of every vault at a finalized height, by the auditor's own connection."""

from __future__ import annotations

from dataclasses import dataclass

from dmm import observe
from dmm.ledger.account import AccountKind
from dmm.ledger.journal import Posting
from dmm.ports import Books, Chain, ChainLog, Clock, Deployment, Store
from dmm.settlement.batch import account
from dmm.settlement.chain_event import ChainEvent
from dmm.settlement.epoch import EpochClaim, EpochPlan, EpochRow, Job, JobOutcome, RowTable
from dmm.settlement.explain import Finding, paid_heights
from dmm.settlement.latch_bounds import LatchBounds, LatchCause
from dmm.settlement.reconcile import Leg, Line
from dmm.units.amount import Atoms
from dmm.units.errors import Retryable
from dmm.units.ids import Hash32
from dmm.units.time import NS_PER_S, Nanos
from dmm.usecases.epoch import run_job
from dmm.usecases.follow import (
    FUNDING,
    explainer,
    follow,
    told,
    vault_names,
)
from dmm.usecases.verdicts import lines_of, unlike_events, vault_legs

POLL_S = 0.2
"""Pause between two looks for the funding's block to be final."""

OPERATOR = "settlement_audit"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditResult:
    """One audit: `difference` is the sum over all lines, atoms of unlike assets, 0 is the goal.

    `paid` tells transaction and height of every intent the chain shows as paid. `unlike` counts
    events that the follower recorded otherwise than the auditor's node has them.
    """

    chain: str
    difference: int
    checked_at_block: int
    block_hash: str
    lines: tuple[Line, ...]
    findings: tuple[Finding, ...]
    events: tuple[ChainEvent, ...]
    paid: dict[Hash32, tuple[str, int]]
    unlike: int = 0

    @property
    def alarms(self) -> tuple[Finding, ...]:
        """Return what a person must look at."""
        return tuple(finding for finding in self.findings if finding.cause.is_alarm)

    @property
    def is_clean(self) -> bool:
        """Tell whether chain and ledger agree and nothing alarms."""
        return not (self.difference or self.alarms or self.unlike)


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """An audit together with what it read, for its export."""

    result: AuditResult
    books: Books
    deployed: dict[str, Deployment]


def audit_all(*, store: Store, log: ChainLog) -> AuditResult:
    """Reconcile every (vault, asset) at the finalized block; see `audit_books`."""
    return audit_books(store=store, log=log).result


def audit_books(*, store: Store, log: ChainLog) -> Audited:
    """Reconcile every (vault, asset) at the finalized block; writes nothing.

    Parameters
    ----------
    store : the journal; a role that may only read is enough
    log : the auditor's own connection

    Raises
    ------
    Retryable
        If the node cannot answer for that block.
    ServiceFault
        If no vaults or tokens are deployed on the chain.
    """
    at, _ = log.tips()
    deployed = store.deployments(log.name)
    vaults = vault_names(deployed)
    first = min(d.height for d in deployed.values())
    # The block first, then the books: what ended in between is booked ahead of it, never missing.
    books = store.books(log.name, sorted(vaults.values()))
    events = log.events(from_height=first, to_height=at.height)
    findings = explainer(store, log.name, deployed, events).explain(events)
    lines = lines_of(store, log, at, deployed, books, events, findings)
    unlike = unlike_events(store, log.name, books, at, events)
    difference = sum(line.difference for line in lines)
    observe.audited(chain=log.name, height=at.height, difference_atoms=difference)
    result = AuditResult(
        chain=log.name,
        difference=difference,
        checked_at_block=at.height,
        block_hash=at.block_hash,
        lines=lines,
        findings=tuple(findings),
        events=tuple(events),
        paid=paid_heights(findings),
        unlike=unlike,
    )
    return Audited(result=result, books=books, deployed=deployed)


def audit_settlement(
    *,
    store: Store,
    chain: Chain,
    log: ChainLog,
    follow_log: ChainLog,
    clock: Clock,
    run_id: str,
    epoch: int,
    bounds: LatchBounds | None = None,
) -> JobOutcome:
    """Follow the chain, then audit once an epoch: one row per (vault, asset); alarms latch.

    Parameters
    ----------
    chain, follow_log : the desk's connection
    log : the auditor's own
    bounds : what is too little to latch
    """

    def plan(_claim: EpochClaim) -> EpochPlan:
        follow(store=store, log=follow_log, clock=clock)
        result = audit_all(store=store, log=log)
        latch_losses(store=store, clock=clock, result=result, bounds=bounds or LatchBounds())
        return EpochPlan(rows=_rows(result))

    return run_job(
        store=store,
        chain=chain,
        clock=clock,
        run_id=run_id,
        job=Job.SETTLEMENT_AUDIT,
        subject=chain.name,
        epoch=epoch,
        plan=plan,
    )


def latch_losses(*, store: Store, clock: Clock, result: AuditResult, bounds: LatchBounds) -> bool:
    """Latch the kill switch for what left without a reason; return whether anything did.

    While the journal adopts only, after a restore, it cannot tell and does not latch.
    """
    if store.adopt_only(result.chain) is not None:
        return False
    reasons = [
        told(finding)
        for finding in result.alarms
        if bounds.latches(LatchCause(finding.cause.value), _missing(finding))
    ]
    reasons += [
        f"{-line.rebased} {line.asset} of {line.vault} went without a log"
        for line in result.lines
        if line.rebased < 0 and bounds.latches(LatchCause.REBASE, {line.asset: -line.rebased})
    ]
    if not reasons:
        return False
    reason = f"audit of {result.chain} at block {result.checked_at_block}: {'; '.join(reasons)}"
    store.kill(reason=reason, operator=OPERATOR, now_ns=clock.now_ns())
    observe.kill_switch(killed=True, reason=reason, operator=OPERATOR)
    return True


def record_funding(
    *, store: Store, log: ChainLog, clock: Clock, height: int, wait_s_max: float
) -> int:
    """Book what our vaults were funded with up to a height; return how many transfers were new.

    Once only: the height is recorded, and whatever comes later without an intent is suspense.

    Parameters
    ----------
    height : block of the last funding transaction; waited for to be final
    wait_s_max : seconds

    Raises
    ------
    Retryable
        If that block is not final in time; nothing was booked.
    """
    deployed = store.deployments(log.name)
    if FUNDING in deployed:
        return 0
    vaults = vault_names(deployed)
    until_ns = clock.now_ns() + int(wait_s_max * NS_PER_S)
    while (at := log.tips()[0]).height < height:
        if clock.now_ns() >= until_ns:
            raise Retryable(
                f"block {height} of {log.name} is not final after {wait_s_max} s, "
                f"the finalized one is {at.height}: see that blocks are made"
            )
        clock.sleep_s(POLL_S)
    first = min(d.height for d in deployed.values())
    legs = vault_legs(log.events(from_height=first, to_height=height), vaults)
    new = store.post([_funding_posting(log.name, leg, Nanos(at.time_s * NS_PER_S)) for leg in legs])
    store.record_deployments(
        [Deployment(chain=log.name, name=FUNDING, address=next(iter(vaults)), height=height)]
    )
    return new


def _funding_posting(chain: str, leg: Leg, at_ns: Nanos) -> Posting:
    available = account(leg.vault, leg.asset, AccountKind.AVAILABLE)
    outside = account(leg.vault, leg.asset, AccountKind.OUTSIDE)
    came = leg.change > 0
    return Posting(
        source_id=f"{chain}:{leg.tx_id}:{leg.log_index}:{leg.vault}",
        debit=outside if came else available,
        credit=available if came else outside,
        amount=Atoms(abs(leg.change)),
        posted_at_ns=at_ns,
    )


def _missing(finding: Finding) -> dict[str, int]:
    missing: dict[str, int] = {}
    for (_, asset), change in finding.changes.items():
        if change < 0:
            missing[asset] = missing.get(asset, 0) - change
    return missing


def _rows(result: AuditResult) -> tuple[EpochRow, ...]:
    return tuple(
        EpochRow(
            table=RowTable.RECON_RUN,
            ordinal=ordinal,
            body={
                "chain": result.chain,
                "vault": line.vault,
                "asset": line.asset,
                "height": result.checked_at_block,
                "block_hash": result.block_hash,
                "chain_atoms": line.chain_atoms,
                "ledger_atoms": line.ledger_atoms,
                "difference": line.difference,
                "unexplained": line.unexplained,
                "class": line.recon_class.value,
            },
        )
        for ordinal, line in enumerate(result.lines)
    )

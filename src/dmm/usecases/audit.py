"""Audit: every token of every vault at a finalized height, by the auditor's own connection."""

from __future__ import annotations

from dataclasses import dataclass

from dmm import observe
from dmm.ledger.account import AccountKind
from dmm.ledger.journal import Posting
from dmm.ports import Answer, Chain, Clock, Deployment, Snapshot, Store
from dmm.settlement.batch import VaultAsset, account, effect
from dmm.settlement.epoch import EpochClaim, EpochPlan, EpochRow, Job, JobOutcome, RowTable
from dmm.settlement.intent import Intent, IntentState
from dmm.settlement.reconcile import (
    Execution,
    Leg,
    Line,
    ReconClass,
    Residue,
    reconcile,
    residues,
)
from dmm.units.amount import Atoms
from dmm.units.errors import Retryable, ServiceFault
from dmm.units.ids import Hash32
from dmm.units.time import NS_PER_S, Nanos
from dmm.usecases.epoch import run_job

READS_MAX = 8
"""Times the journal is read again because a driver moved an intent meanwhile."""

POLL_S = 0.2
"""Pause between two looks for the funding's block to be final."""

NEVER_PAID = frozenset({IntentState.FAILED, IntentState.CANCELLED})
FUNDING = "funding"
OPERATOR = "settlement_audit"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditResult:
    """One audit: `difference` is the sum over all lines, atoms of unlike assets, 0 is the goal."""

    difference: int
    checked_at_block: int
    block_hash: str
    lines: tuple[Line, ...]
    residue: tuple[Residue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Journal:
    """One coherent read of what the ledger says and which intents it counts as paid."""

    final: dict[Hash32, tuple[str, int]]
    intents: tuple[tuple[Intent, IntentState], ...]
    booked: dict[str, Atoms]


def audit_all(*, store: Store, chain: Chain) -> AuditResult:
    """Reconcile every (vault, asset) at the finalized block; writes nothing.

    Parameters
    ----------
    chain : the auditor's own connection

    Raises
    ------
    Retryable
        If the node cannot answer for that block, or the journal will not stand still.
    ServiceFault
        If no vaults or tokens are deployed on the chain.
    """
    at = chain.snapshot()
    deployed = store.deployments(chain.name)
    vaults, assets = _vaults(deployed), _assets(deployed)
    journal = _read_journal(store, chain.name)
    paid_here, ahead, behind = _executions(chain, journal, at)
    legs = _legs(chain, vaults, deployed, to_height=at.finalized_height)
    funding = deployed.get(FUNDING)
    residue = residues(
        legs, executions=paid_here, funding_height=-1 if funding is None else funding.height
    )
    lines = tuple(
        reconcile(
            vault=vault,
            asset=asset,
            chain_atoms=chain.balance(holder=address, asset=asset, height=at.finalized_height),
            logged_atoms=sum(
                leg.change for leg in legs if (leg.vault, leg.asset) == (vault, asset)
            ),
            booked_atoms=_booked(journal, vault, asset),
            ahead=ahead.get((vault, asset), 0),
            behind=behind.get((vault, asset), 0),
            residue=[r for r in residue if (r.vault, r.asset) == (vault, asset)],
        )
        for address, vault in vaults.items()
        for asset in assets
    )
    difference = sum(line.difference for line in lines)
    observe.audited(chain=chain.name, height=at.finalized_height, difference_atoms=difference)
    return AuditResult(
        difference=difference,
        checked_at_block=at.finalized_height,
        block_hash=at.finalized_hash,
        lines=lines,
        residue=tuple(residue),
    )


def audit_settlement(
    *, store: Store, chain: Chain, clock: Clock, run_id: str, epoch: int
) -> JobOutcome:
    """Audit once an epoch: one row per (vault, asset), inflow into suspense, outflow latches.

    Parameters
    ----------
    chain : the auditor's own connection
    """

    def plan(claim: EpochClaim) -> EpochPlan:
        result = audit_all(store=store, chain=chain)
        _latch_outflow(store, clock, chain.name, result)
        return EpochPlan(
            rows=_rows(chain.name, result),
            postings=_suspense(chain.name, result, at_ns=claim.opened_at_ns),
        )

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


def record_funding(
    *, store: Store, chain: Chain, clock: Clock, height: int, wait_s_max: float
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
    deployed = store.deployments(chain.name)
    if FUNDING in deployed:
        return 0
    vaults = _vaults(deployed)
    until_ns = clock.now_ns() + int(wait_s_max * NS_PER_S)
    while (at := chain.snapshot()).finalized_height < height:
        if clock.now_ns() >= until_ns:
            raise Retryable(
                f"block {height} of {chain.name} is not final after {wait_s_max} s, "
                f"the finalized one is {at.finalized_height}: see that blocks are made"
            )
        clock.sleep_s(POLL_S)
    legs = _legs(chain, vaults, deployed, to_height=height)
    new = store.post(
        [_funding_posting(chain.name, leg, Nanos(at.finalized_time_s * NS_PER_S)) for leg in legs]
    )
    holder = next(iter(vaults))
    store.record_deployments(
        [Deployment(chain=chain.name, name=FUNDING, address=holder, height=height)]
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


def _vaults(deployed: dict[str, Deployment]) -> dict[str, str]:
    """Return ledger vaults by the lower-case address that holds their tokens."""
    vaults = {
        d.address.lower(): name.removeprefix("vault:")
        for name, d in deployed.items()
        if name.startswith("vault:")
    }
    names = [name for name in deployed if name.startswith("vault:")]
    if not vaults or len(vaults) != len(names):
        raise ServiceFault(f"vaults must be deployed, each at an address of its own: {names}")
    return vaults


def _assets(deployed: dict[str, Deployment]) -> list[str]:
    return sorted(name.removeprefix("token:") for name in deployed if name.startswith("token:"))


def _legs(
    chain: Chain, vaults: dict[str, str], deployed: dict[str, Deployment], *, to_height: int
) -> list[Leg]:
    """Return our vaults' transfer logs in the chain's order; a transfer between two is two legs."""
    first = min(d.height for d in deployed.values())
    legs: list[Leg] = []
    for log in chain.transfers(from_height=first, to_height=to_height):
        for address, sign in ((log.recipient.lower(), 1), (log.sender.lower(), -1)):
            if address in vaults and log.amount:
                legs.append(
                    Leg(
                        tx_id=log.tx_id,
                        log_index=log.log_index,
                        height=log.height,
                        vault=vaults[address],
                        asset=log.asset,
                        change=sign * log.amount,
                    )
                )
    return legs


def _read_journal(store: Store, chain: str) -> _Journal:
    """Read until no intent ended in between: then balances and endings belong together."""
    for _ in range(READS_MAX):
        before = store.final_transactions(chain)
        intents = tuple((i, state) for i, state in store.intents() if i.chain == chain)
        booked = store.balances()
        after = tuple((i, state) for i, state in store.intents() if i.chain == chain)
        if intents == after and len(before) == len(store.final_transactions(chain)):
            return _Journal(
                final={intent.intent_id: (tx, height) for intent, tx, height in before},
                intents=intents,
                booked=booked,
            )
    raise Retryable(f"intents of {chain} moved during {READS_MAX} reads: audit again")


def _executions(
    chain: Chain, journal: _Journal, at: Snapshot
) -> tuple[list[Execution], dict[VaultAsset, int], dict[VaultAsset, int]]:
    """Return what is executed at the block, what is booked ahead of it, and what not booked yet."""
    executed: list[Execution] = []
    ahead: dict[VaultAsset, int] = {}
    behind: dict[VaultAsset, int] = {}
    for intent, state in journal.intents:
        if state in NEVER_PAID:
            continue
        tx_id, height = journal.final.get(intent.intent_id, (None, None))
        is_booked = state is IntentState.FINAL
        here = height <= at.finalized_height if height is not None else _key_used(chain, intent, at)
        change = effect(intent)
        if here:
            executed.append(Execution(tx_id=tx_id, effect=change))
        if here != is_booked:
            side = ahead if is_booked else behind
            for key, atoms in change.items():
                side[key] = side.get(key, 0) + atoms
    return executed, ahead, behind


def _key_used(chain: Chain, intent: Intent, at: Snapshot) -> bool:
    answer = chain.key_state(intent, at=at)
    if answer is Answer.UNKNOWN:
        raise Retryable(f"the auditor's node cannot tell whether {intent.intent_id.hex()} is paid")
    return answer is Answer.FOUND


def _booked(journal: _Journal, vault: str, asset: str) -> int:
    kinds = (AccountKind.AVAILABLE, AccountKind.PENDING)
    return sum(journal.booked.get(account(vault, asset, k).account_id, Atoms(0)) for k in kinds)


def _latch_outflow(store: Store, clock: Clock, chain: str, result: AuditResult) -> None:
    gone = [line for line in result.lines if line.recon_class is ReconClass.OUTFLOW]
    if gone:
        what = ", ".join(f"{line.unexplained} {line.asset} of {line.vault}" for line in gone)
        reason = f"unexplained outflow on {chain} at block {result.checked_at_block}: {what}"
        store.kill(reason=reason, operator=OPERATOR, now_ns=clock.now_ns())
        observe.kill_switch(killed=True, reason=reason, operator=OPERATOR)


def _suspense(chain: str, result: AuditResult, *, at_ns: Nanos) -> tuple[Posting, ...]:
    """Return postings of inflow that nobody announced, each once by its transaction."""
    return tuple(
        Posting(
            source_id=f"{chain}:{r.tx_id}:{r.vault}/{r.asset}",
            debit=account(r.vault, r.asset, AccountKind.OUTSIDE),
            credit=account(r.vault, r.asset, AccountKind.SUSPENSE),
            amount=Atoms(r.change),
            posted_at_ns=at_ns,
        )
        for r in result.residue
        if r.change > 0
    )


def _rows(chain: str, result: AuditResult) -> tuple[EpochRow, ...]:
    return tuple(
        EpochRow(
            table=RowTable.RECON_RUN,
            ordinal=ordinal,
            body={
                "chain": chain,
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

"""Liquidity rewards: score an epoch from its journal, plan one payment per provider."""

from __future__ import annotations

from dmm.ledger.account import AccountKind
from dmm.ports import Chain, Clock, Store
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
from dmm.treasury.rewards import Standing, liquidity_score, share_table, split_budget
from dmm.units.amount import Atoms
from dmm.usecases.epoch import policy_in_force, run_job, waiting

VAULT = "treasury"
"""The ledger vault and the contract that pay."""

REWARD_ASSET = "DCT"


def distribute_rewards(
    *,
    store: Store,
    chain: Chain,
    clock: Clock,
    run_id: str,
    epoch: int,
    intent_deadline_s: int,
    program: str = "liquidity",
) -> JobOutcome:
    """Plan an epoch's rewards: one payment per provider, the sum is the budget exactly.

    Parameters
    ----------
    intent_deadline_s : seconds of chain time from the epoch's claim until payments may not land
    program : reward program, part of the epoch's scope

    Raises
    ------
    UsageFault
        If no policy is in force, or the run's ``lp_shares`` is no table of shares.
    """
    summary = store.slice(run_id, epoch)
    if summary is None:
        return waiting(
            run_id=run_id,
            job=Job.LIQUIDITY_REWARDS,
            subject=program,
            epoch=epoch,
            note=f"epoch {epoch} has no closed slice yet",
        )

    def plan(claim: EpochClaim) -> EpochPlan:
        standings = [
            Standing.from_decision(record.body) for record in store.decisions(run_id, epoch)
        ]
        score = liquidity_score(standings, ended_at_ns=summary.ended_at_ns)
        shares = share_table(store.run(run_id).spec.get("lp_shares"))
        budget = Atoms(policy_in_force(store).policy.reward_budget_atoms)
        return plan_rewards(
            claim=claim,
            chain=chain.name,
            program=program,
            scores={who: score * count for who, count in shares.items()},
            budget=budget,
            available=store.balance(account(VAULT, REWARD_ASSET, AccountKind.AVAILABLE)),
            deadline_s=claim.opened_chain_s + intent_deadline_s,
        )

    return run_job(
        store=store,
        chain=chain,
        clock=clock,
        run_id=run_id,
        job=Job.LIQUIDITY_REWARDS,
        subject=program,
        epoch=epoch,
        plan=plan,
    )


def plan_rewards(
    *,
    claim: EpochClaim,
    chain: str,
    program: str,
    scores: dict[str, int],
    budget: Atoms,
    available: int,
    deadline_s: int,
) -> EpochPlan:
    """Return the payments of an epoch, or a plan without rows that says why.

    A recipient's ordinal is its rank by address, so that it never depends on an amount.
    """
    if not scores:
        return EpochPlan(note="no liquidity providers: lp_shares is empty")
    amounts = split_budget(budget, scores)
    if not amounts:
        why = "the reward budget is 0" if budget == 0 else "no quote stood on both sides"
        return EpochPlan(note=f"no rewards: {why}")
    if available < budget:
        return EpochPlan(
            note=f"no rewards: {VAULT} has {available} atoms of {REWARD_ASSET}, needs {budget}"
        )
    rows: list[EpochRow] = []
    intents: list[Intent] = []
    for ordinal, (recipient, amount) in enumerate(amounts.items()):
        intent = Intent(
            kind=IntentKind.REWARD,
            chain=chain,
            contract="treasury",
            vault=VAULT,
            scope=claim.scope,
            epoch=claim.epoch,
            ordinal=ordinal,
            asset=REWARD_ASSET,
            recipient=recipient,
            amount=amount,
            deadline_s=deadline_s,
            inputs={},
        )
        intents.append(intent)
        rows.append(
            EpochRow(
                table=RowTable.REWARD,
                ordinal=ordinal,
                body={
                    "program": program,
                    "recipient": recipient,
                    "score": scores[recipient],
                    "amount": amount,
                    "intent_id": intent.intent_id.hex(),
                },
            )
        )
    return EpochPlan(
        rows=tuple(rows),
        intents=tuple(intents),
        postings=tuple(reserve(intent, at_ns=claim.opened_at_ns) for intent in intents),
    )

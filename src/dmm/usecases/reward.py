"""Liquidity rewards: score an epoch from its journal, plan one payment per provider.

Every provider is paid on the chain where its shares are. The budget is split once over all of them;
each chain then claims and plans its own part, so that a chain that is down holds up nobody else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

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
from dmm.treasury.rewards import Standing, liquidity_score, share_tables, split_budget
from dmm.units.amount import Atoms
from dmm.units.chain import on_chain
from dmm.usecases.epoch import run_job, waiting
from dmm.usecases.epoch_inputs import epoch_inputs

VAULT = "treasury"
"""The vault and the contract that pay; see `on_chain` for the vault's name in the ledger."""

REWARD_ASSET = "DCT"
PROGRAM = "liquidity"

Provider: TypeAlias = tuple[str, str]
"""A liquidity provider: the chain its shares are on, and its address there."""


def distribute_rewards(
    *,
    store: Store,
    chain: Chain,
    clock: Clock,
    run_id: str,
    epoch: int,
    intent_deadline_s: int,
    program: str = PROGRAM,
) -> JobOutcome:
    """Plan an epoch's rewards on one chain: one payment per provider that is there.

    The payments of all chains together are the budget of the epoch's policy exactly. That policy is
    the one the epoch was quoted with, so that chains planned at different times split one budget.

    Parameters
    ----------
    chain : pays the providers whose shares are on it, by deadlines in its own time
    intent_deadline_s : seconds of chain time from the epoch's claim until payments may not land
    program : reward program, part of the epoch's scope

    Raises
    ------
    UsageFault
        If no policy is in force, or the run's ``lp_shares`` are no tables of shares.
    """
    subject = on_chain(program, chain.name)
    summary = store.slice(run_id, epoch)
    if summary is None:
        return waiting(
            run_id=run_id,
            job=Job.LIQUIDITY_REWARDS,
            subject=subject,
            epoch=epoch,
            note=f"epoch {epoch} has no closed slice yet",
        )

    def plan(claim: EpochClaim) -> EpochPlan:
        standings = [
            Standing.from_decision(record.body) for record in store.decisions(run_id, epoch)
        ]
        score = liquidity_score(standings, ended_at_ns=summary.ended_at_ns)
        shares = share_tables(store.run(run_id).spec.get("lp_shares"))
        vault = on_chain(VAULT, chain.name)
        return plan_rewards(
            claim=claim,
            chain=chain.name,
            program=program,
            scores={
                (home, who): score * count
                for home, table in shares.items()
                for who, count in table.items()
            },
            budget=Atoms(epoch_inputs(store, run_id, epoch).policy.policy.reward_budget_atoms),
            available=store.balance(account(vault, REWARD_ASSET, AccountKind.AVAILABLE)),
            deadline_s=claim.opened_chain_s + intent_deadline_s,
        )

    return run_job(
        store=store,
        chain=chain,
        clock=clock,
        run_id=run_id,
        job=Job.LIQUIDITY_REWARDS,
        subject=subject,
        epoch=epoch,
        plan=plan,
    )


def plan_rewards(
    *,
    claim: EpochClaim,
    chain: str,
    program: str,
    scores: Mapping[Provider, int],
    budget: Atoms,
    available: int,
    deadline_s: int,
) -> EpochPlan:
    """Return the payments of an epoch on one chain, or a plan without rows that says why.

    A recipient's ordinal is its rank by address, so that it never depends on an amount.

    Parameters
    ----------
    scores : of the providers on every chain
    budget : of all chains together, atoms
    available : what the chain's own vault has, atoms
    """
    if not any(home == chain for home, _ in scores):
        return EpochPlan(note="no liquidity providers: lp_shares is empty")
    by_name = {on_chain(who, home): (home, who) for home, who in scores}
    split = split_budget(budget, {name: scores[by_name[name]] for name in by_name})
    amounts = {
        by_name[name][1]: amount for name, amount in split.items() if by_name[name][0] == chain
    }
    if not amounts:
        why = "the reward budget is 0" if budget == 0 else "no quote stood on both sides"
        return EpochPlan(note=f"no rewards: {why}")
    vault, needed = on_chain(VAULT, chain), sum(amounts.values())
    if available < needed:
        return EpochPlan(
            note=f"no rewards: {vault} has {available} atoms of {REWARD_ASSET}, needs {needed}"
        )
    rows: list[EpochRow] = []
    intents: list[Intent] = []
    for ordinal, (recipient, amount) in enumerate(amounts.items()):
        intent = Intent(
            kind=IntentKind.REWARD,
            chain=chain,
            contract="treasury",
            vault=vault,
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
                    "score": scores[chain, recipient],
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

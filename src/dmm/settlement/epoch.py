"""Epoch jobs: one claim per (job, scope, epoch), one plan, recorded once."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from dmm.ledger.journal import Posting
from dmm.settlement.intent import Intent
from dmm.units.ids import Hash32, Json, canonical_json, content_id
from dmm.units.time import Nanos


class Job(StrEnum):
    """The jobs of an epoch, by the name of their flow."""

    VOLATILITY_RECALIBRATION = "volatility_recalibration"
    ARRIVAL_FIT = "arrival_fit"
    HEDGE_BATCH = "hedge_batch"
    LIQUIDITY_REWARDS = "liquidity_rewards"
    BUYBACK_SETTLEMENT = "buyback_settlement"
    PMM_SETTLEMENT = "pmm_settlement"
    OUTBOX_DISPATCH = "outbox_dispatch"
    SETTLEMENT_AUDIT = "settlement_audit"
    GOVERNANCE_APPLY = "governance_apply"


class RowTable(StrEnum):
    """Tables an epoch job may leave rows in; the keys of a row's body are the table's columns."""

    ESTIMATE = "estimate"
    HEDGE_ORDER = "hedge_order"
    REWARD = "reward"
    BUYBACK = "buyback"
    RFQ_SETTLEMENT = "rfq_settlement"
    DISPATCH_RUN = "dispatch_run"
    RECON_RUN = "recon_run"


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochRow:
    """One row an epoch job leaves; `ordinal` counts from 0 within its table."""

    table: RowTable
    ordinal: int
    body: dict[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochClaim:
    """The claim on (job, scope, epoch). Plans take time from it, so that a re-run plans the same.

    `opened_chain_s` is the chain's time when the epoch was first claimed: deadlines derive from it.
    `plan_hash` is None until a plan was recorded.
    """

    run_id: str
    job: Job
    scope: str
    epoch: int
    opened_at_ns: Nanos
    opened_chain_s: int
    plan_hash: Hash32 | None
    note: str
    rows: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochPlan:
    """Everything an epoch job decided; recorded in one transaction or not at all.

    `note` says why there are no rows when there are none.
    """

    rows: tuple[EpochRow, ...] = ()
    intents: tuple[Intent, ...] = ()
    postings: tuple[Posting, ...] = ()
    note: str = ""

    @property
    def plan_hash(self) -> Hash32:
        """Return SHA-256 over rows, intents and postings: the same plan again is a no-op."""
        parts: list[bytes | str | int] = []
        for row in self.rows:
            parts += [row.table.value, row.ordinal, canonical_json(row.body)]
        for intent in self.intents:
            parts += [intent.intent_id, intent.content_hash]
        for posting in self.postings:
            parts += [posting.transfer_id, posting.amount]
        return content_id("dmm/plan/v1", *parts)


class JobStatus(StrEnum):
    """How an epoch job ended, short of a fault."""

    RECORDED = "recorded"
    ALREADY = "already"
    """The same plan was recorded before: nothing was done."""
    QUARANTINED = "quarantined"
    """Another plan was recorded before for the same epoch: a person must look."""
    WAITING = "waiting"
    """What the plan needs is not there yet: nothing was recorded, asking again is right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOutcome:
    """What an epoch job did; `rows` counts by table, `note` says why there are none.

    `chains` tells of a job with a part on each chain what became of each part: its status, or why
    it waits.
    """

    job: Job
    scope: str
    epoch: int
    status: JobStatus
    rows: dict[str, int]
    note: str
    chains: dict[str, str] = field(default_factory=dict)

"""The seams: what the use-cases need from the outside, and nothing about how it is done."""

from __future__ import annotations

from dmm.ports.books import (
    AttemptView,
    AuditStore,
    Books,
    ChainEventStore,
    Deployment,
    DeploymentStore,
    IntentView,
)
from dmm.ports.chain import (
    Answer,
    Chain,
    ChainLog,
    ExecutedOrder,
    Sight,
    SlotOffer,
    SlotRules,
    SlotState,
    Snapshot,
    Surveys,
    TxView,
)
from dmm.ports.control import Controls, ControlStore, HaltLatch, Latch, LiveControls, PolicyRecord
from dmm.ports.journal import Store, WorkerStore
from dmm.ports.money import AdoptOnly, IntentStore, LedgerStore, RestoreStore
from dmm.ports.retention import Archive, Archived, Pruning, RetentionStore
from dmm.ports.signing import BuybackQuoter, QuoteSigner, SignedTx, Signer, SignRequest
from dmm.ports.trading import LIVE, SHADOW, EpochStore, QuoteStore, RfqStore, Run, RunStore
from dmm.ports.world import Clock, Feed, GasMeter, PegSource, Scheduler, Venue

__all__ = [
    "LIVE",
    "SHADOW",
    "AdoptOnly",
    "Answer",
    "Archive",
    "Archived",
    "AttemptView",
    "AuditStore",
    "Books",
    "BuybackQuoter",
    "Chain",
    "ChainEventStore",
    "ChainLog",
    "Clock",
    "ControlStore",
    "Controls",
    "Deployment",
    "DeploymentStore",
    "EpochStore",
    "ExecutedOrder",
    "Feed",
    "GasMeter",
    "HaltLatch",
    "IntentStore",
    "IntentView",
    "Latch",
    "LedgerStore",
    "LiveControls",
    "PegSource",
    "PolicyRecord",
    "Pruning",
    "QuoteSigner",
    "QuoteStore",
    "RestoreStore",
    "RetentionStore",
    "RfqStore",
    "Run",
    "RunStore",
    "Scheduler",
    "Sight",
    "SignRequest",
    "SignedTx",
    "Signer",
    "SlotOffer",
    "SlotRules",
    "SlotState",
    "Snapshot",
    "Store",
    "Surveys",
    "TxView",
    "Venue",
    "WorkerStore",
]

"""The journal as one, and as the quoting worker sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from dmm.ledger.journal import Posting
from dmm.market.order import Fill
from dmm.ports.books import AuditStore, ChainEventStore, DeploymentStore
from dmm.ports.control import ControlStore, Latch
from dmm.ports.money import IntentStore, LedgerStore, RestoreStore
from dmm.ports.retention import RetentionStore
from dmm.ports.trading import EpochStore, QuoteStore, RfqStore, RunStore
from dmm.quoting.decision import DecisionRecord, SliceSummary


class WorkerStore(Protocol):
    """What the quoting worker needs of the journal; see `QuoteStore` and `ControlStore`.

    Appends may be taken over and written later: then they raise `JournalStalled` once too much
    waits, and `Retryable` from `latch` says that the switch has not been readable for too long.
    """

    def append_decisions(self, records: Sequence[DecisionRecord]) -> None:
        """Append links of the run's chain; the same link again is a no-op."""
        ...

    def append_fills(self, fills: Sequence[Fill], postings: Sequence[Posting]) -> int:
        """Book fills with their postings; return how many are known to be new."""
        ...

    def close_slice(self, summary: SliceSummary) -> None:
        """Record an epoch's slice; the same again is a no-op."""
        ...

    def latch(self) -> Latch | None:
        """Return the latest latch, or None when nothing was ever killed."""
        ...


class Store(
    RunStore,
    QuoteStore,
    EpochStore,
    IntentStore,
    RestoreStore,
    LedgerStore,
    ControlStore,
    DeploymentStore,
    RfqStore,
    ChainEventStore,
    AuditStore,
    RetentionStore,
    Protocol,
):
    """The whole journal; use-cases ask for the part they need."""

    def close(self) -> None:
        """Give connections back; again is a no-op."""
        ...

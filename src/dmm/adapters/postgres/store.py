"""The journal in Postgres: all parts of `ports.Store` over one session."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from dmm.adapters.postgres.attempts import Attempts
from dmm.adapters.postgres.books import AuditReads
from dmm.adapters.postgres.chain_events import ChainEvents
from dmm.adapters.postgres.control import Control
from dmm.adapters.postgres.decisions import Decisions
from dmm.adapters.postgres.deployments import Deployments
from dmm.adapters.postgres.endings import Endings
from dmm.adapters.postgres.epochs import Epochs
from dmm.adapters.postgres.estimates import Estimates
from dmm.adapters.postgres.fills import Fills
from dmm.adapters.postgres.intents import Intents
from dmm.adapters.postgres.ledger import Ledger
from dmm.adapters.postgres.restore import Restore
from dmm.adapters.postgres.retention import Retention
from dmm.adapters.postgres.rfq import Rfq
from dmm.adapters.postgres.runs import Runs
from dmm.adapters.postgres.searches import Searches
from dmm.adapters.postgres.session import Session
from dmm.adapters.postgres.slices import Slices


class PostgresStore(
    Runs,
    Decisions,
    Fills,
    Slices,
    Epochs,
    Estimates,
    Intents,
    Attempts,
    Endings,
    Ledger,
    Control,
    Deployments,
    Rfq,
    ChainEvents,
    AuditReads,
    Restore,
    Retention,
    Searches,
):
    """Implements `ports.Store`: every method is one transaction, safe to call from any thread.

    Besides what each method says, every one may raise `Retryable` while the database cannot be
    reached (the next call reconnects) and `ServiceFault` when its disk is full.

    Parameters
    ----------
    url : ``postgresql://…`` of a database that `migrate` brought to the head
    """

    def __init__(self, url: str) -> None:
        super().__init__(Session(url))

    def close(self) -> None:
        """Close the connection; again is a no-op."""
        self._session.close()

    def __enter__(self) -> Self:
        """Return the store."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self.close()

"""A shadow worker's journal: decisions and hypothetical fills, and no money.

Fills are written without postings, so that the ledger never hears of them, and a halt on a
hypothetical drawdown stays with the shadow. The kill switch is the desk's own: a killed desk has no
shadow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from dmm.ledger.journal import Posting
from dmm.market.order import Fill
from dmm.ports import HaltLatch, Latch, LiveControls, WorkerStore
from dmm.quoting.decision import DecisionRecord, SliceSummary
from dmm.units.time import Nanos


class LiveJournal(WorkerStore, LiveControls, Protocol):
    """What a live worker writes to and asks of."""


class ShadowJournal:
    """Implements `ports.WorkerStore` and `ports.LiveControls` over the live ones."""

    def __init__(self, journal: LiveJournal) -> None:
        self._journal = journal

    def append_decisions(self, records: Sequence[DecisionRecord]) -> None:
        """Append links of the shadow run's chain; errors are the journal's."""
        self._journal.append_decisions(records)

    def append_fills(self, fills: Sequence[Fill], postings: Sequence[Posting]) -> int:
        """Record fills without what they would have moved; errors are the journal's."""
        return self._journal.append_fills(fills, ())

    def close_slice(self, summary: SliceSummary) -> None:
        """Record an epoch's slice; errors are the journal's."""
        self._journal.close_slice(summary)

    def latch(self) -> Latch | None:
        """Return the desk's kill switch; errors are the journal's."""
        return self._journal.latch()

    def halt(self, *, run_id: str, reason: str, now_ns: Nanos) -> None:
        """Keep a halt to ourselves: the desk lost nothing."""

    def halted(self) -> HaltLatch | None:
        """Return none: the desk's halt is about its money, and our own holds until we end."""
        return None

    def clock_offset_ns(self) -> int | None:
        """Return the database's time less this host's, ns; None while it is not measured."""
        return self._journal.clock_offset_ns()

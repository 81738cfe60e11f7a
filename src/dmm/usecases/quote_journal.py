"""The worker's journal: a bounded batch of decisions and fills on their way to the store."""

from __future__ import annotations

import contextlib

from dmm import observe
from dmm.ledger.fills import fill_postings
from dmm.market.instrument import Instrument
from dmm.market.order import Fill
from dmm.ports import WorkerStore
from dmm.quoting.decision import Decision, DecisionRecord
from dmm.units.amount import Lots
from dmm.units.errors import JournalStalled
from dmm.units.ids import ZERO_HASH, Hash32, hash_link


class QuoteJournal:
    """Links decisions into the run's hash chain and books fills with their postings.

    A play from the start appends the same again, and the store takes that as nothing new.
    """

    def __init__(self, *, store: WorkerStore, instrument: Instrument, batch_max: int) -> None:
        """Open the journal of a run at its beginning.

        Parameters
        ----------
        store : takes what was decided and filled
        instrument : turns fills into postings
        batch_max : decisions and fills held back at the most, > 0
        """
        self._store = store
        self._instrument = instrument
        self._batch_max = batch_max
        self._head: Hash32 = ZERO_HASH
        self._records: list[DecisionRecord] = []
        self._fills: list[Fill] = []

    @property
    def head(self) -> Hash32:
        """Return the link of the last decision, zeros before the first."""
        return self._head

    def add_decision(self, decision: Decision) -> None:
        """Link a decision."""
        body = decision.canonical_bytes
        link = hash_link(self._head, body)
        self._records.append(
            DecisionRecord(
                run_id=decision.inputs.run_id,
                seq=decision.inputs.seq,
                epoch=decision.inputs.epoch,
                decided_at_ns=decision.inputs.decided_at_ns,
                body=body,
                previous_hash=self._head,
                link_hash=link,
            )
        )
        self._head = link
        self._flush_when_full()

    def add_fill(self, fill: Fill, *, inventory: Lots) -> None:
        """Add a fill; `inventory` in lots is the one after it."""
        self._fills.append(fill)
        observe.filled(
            fill_id=fill.fill_id.hex(),
            side=fill.side.value,
            symbol=fill.symbol,
            inventory_lots=inventory,
        )
        self._flush_when_full()

    def flush(self) -> None:
        """Hand everything held back to the store.

        Raises
        ------
        JournalStalled
            If the store takes nothing more for now; what it did not take is still held here.
        """
        if self._records:
            self._store.append_decisions(self._records)
            self._records = []
        if self._fills:
            postings = [
                leg for fill in self._fills for leg in fill_postings(fill, self._instrument)
            ]
            self._store.append_fills(self._fills, postings)
            self._fills = []

    def keeps_up(self) -> bool:
        """Tell whether there is room for another decision; hand over what is held back if need be.

        While this says no, only fills may come: as many as orders are open, so what is held here
        stays bounded.
        """
        if self._held < self._batch_max:
            return True
        self._flush_when_full()
        return self._held < self._batch_max

    @property
    def _held(self) -> int:
        return len(self._records) + len(self._fills)

    def _flush_when_full(self) -> None:
        if self._held >= self._batch_max:
            with contextlib.suppress(JournalStalled):
                self.flush()

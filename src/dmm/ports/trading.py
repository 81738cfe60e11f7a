"""The journal of trading: runs, decisions, fills, firm quotes and the jobs of epochs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from dmm.ledger.journal import Posting
from dmm.market.order import Fill
from dmm.quoting.decision import DecisionRecord, SliceSummary
from dmm.rfq.protocol import RfqTrade
from dmm.settlement.epoch import EpochClaim, EpochPlan, EpochRow, Job, JobStatus, RowTable
from dmm.units.ids import Hash32, Json
from dmm.units.time import Nanos

SHADOW = "shadow"
"""The kind of a run that only watched."""

LIVE = "up"
"""The kind of a run that quotes in real time; a shadow goes on from the estimates of such runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One session of the desk. `kind` is ``demo``, ``up`` or ``shadow``.

    `spec` says how to play it again. A shadow's fills are hypothetical: no job works on its run.
    """

    run_id: str
    kind: str
    symbol: str
    epochs: int
    spec: dict[str, Json]
    started_at_ns: Nanos
    finished_at_ns: Nanos | None = None


class RunStore(Protocol):
    """Sessions of the desk."""

    def open_run(self, run: Run) -> Run:
        """Record a run, or return the one already recorded under its id.

        Raises
        ------
        UsageFault
            If parts of that run were pruned: it cannot be played again.
        """
        ...

    def run(self, run_id: str) -> Run:
        """Return a run; `UsageFault` if there is none of that id."""
        ...

    def latest_run(self) -> Run | None:
        """Return the run started last, shadows apart: it is the one that jobs work on."""
        ...

    def runs(self, *, prefix: str = "", limit: int) -> list[Run]:
        """Return runs whose id begins with `prefix`, those started last first."""
        ...

    def finish_run(self, run_id: str, *, finished_at_ns: Nanos) -> None:
        """Mark a run as finished; again is a no-op."""
        ...


class QuoteStore(Protocol):
    """Decisions, fills and slices of the quoting worker.

    What was pruned is never an empty answer: reading it, or writing to its run, is a `UsageFault`
    that names its anchor.
    """

    def append_decisions(self, records: Sequence[DecisionRecord]) -> None:
        """Append links of the run's chain; the same link again is a no-op.

        Raises
        ------
        InvariantBroken
            If another link stands at a sequence number, or the chain would break.
        """
        ...

    def decisions(self, run_id: str, epoch: int | None = None) -> list[DecisionRecord]:
        """Return a run's decisions in order, of one epoch or of all."""
        ...

    def append_fills(self, fills: Sequence[Fill], postings: Sequence[Posting]) -> int:
        """Book fills with their postings in one transaction; return how many were new.

        A fill already booked with the same content is a no-op, together with its postings.

        Raises
        ------
        InvariantBroken
            If a fill id is known with other content.
        """
        ...

    def fills(self, run_id: str, epoch: int | None = None) -> list[Fill]:
        """Return a run's fills by ordinal, hedges included."""
        ...

    def fix_epoch_inputs(self, run_id: str, epoch: int, body: dict[str, Json]) -> dict[str, Json]:
        """Record what an epoch is quoted with, once; return what was recorded first.

        A resumed run plays an epoch again with the inputs it had the first time.
        """
        ...

    def epoch_inputs(self, run_id: str, epoch: int) -> dict[str, Json] | None:
        """Return what `fix_epoch_inputs` recorded, None for an epoch that never began."""
        ...

    def close_slice(self, summary: SliceSummary) -> None:
        """Record an epoch's slice; the same again is a no-op, another is `InvariantBroken`."""
        ...

    def slice(self, run_id: str, epoch: int) -> SliceSummary | None:
        """Return an epoch's slice, or None while it is open."""
        ...

    def last_slice(self, run_id: str) -> SliceSummary | None:
        """Return the run's latest closed slice."""
        ...

    def recent_slices(
        self, run_id: str, *, epoch: int, from_ns: Nanos, limit: int
    ) -> Iterator[SliceSummary]:
        """Yield closed slices of a run's market, a page at a time, the newest first.

        First the run's own, then those of earlier runs of the market; see
        `EpochStore.inherited_estimate`. What was pruned is left out.

        Parameters
        ----------
        epoch : the last of the run's own
        from_ns : slices that ended by then are left out
        limit : slices at the most, > 0
        """
        ...


class EpochStore(Protocol):
    """Claims and plans of epoch jobs: the database makes an epoch run once."""

    def open_epoch(
        self, *, run_id: str, job: Job, scope: str, epoch: int, now_ns: Nanos, chain_time_s: int
    ) -> EpochClaim:
        """Claim an epoch, or return the claim already there, unchanged."""
        ...

    def record_epoch(self, claim: EpochClaim, plan: EpochPlan) -> JobStatus:
        """Record a plan in one transaction: claim, rows, intents, postings.

        The same plan again is `ALREADY`; another plan is `QUARANTINED` and leaves everything as it
        is except the claim's quarantine mark. An intent id known with other content quarantines
        that intent and the claim.
        """
        ...

    def epoch_rows(self, run_id: str, table: RowTable, epoch: int | None = None) -> list[EpochRow]:
        """Return rows that jobs left, by epoch and ordinal."""
        ...

    def epoch_claims(self, run_id: str) -> list[EpochClaim]:
        """Return all claims of a run."""
        ...

    def estimate_before(self, run_id: str, kind: str, *, epoch: int) -> EpochRow | None:
        """Return a run's latest estimate of a kind from epochs before one, whatever its verdict."""
        ...

    def inherited_estimate(self, run_id: str, kind: str) -> EpochRow | None:
        """Return the latest estimate of a kind that runs begun earlier on the market have adopted.

        A market is symbol, venue and tick size, since estimates are in ticks; and runs of another
        kind are of another: what a recording said once is no measurement of today. A shadow's
        earlier runs are the live ones.
        """
        ...


class RfqStore(Protocol):
    """Firm quotes we issued."""

    def next_quote_nonce(self, maker: str, *, at_least: int = 0) -> int:
        """Allot the maker's next nonce, densely from 0; an allotted nonce is never given again.

        Parameters
        ----------
        at_least : skips to it where the journal has forgotten nonces that the signer knows of
        """
        ...

    def peek_quote_nonce(self, maker: str) -> int:
        """Return the first nonce that was not allotted to the maker; nothing is allotted."""
        ...

    def record_quote(self, trade: RfqTrade) -> None:
        """Record an issued quote before it leaves the house; the same again is a no-op."""
        ...

    def accept_quote(self, trade: RfqTrade) -> None:
        """Record the taker's acceptance; the same again is a no-op, another `InvariantBroken`."""
        ...

    def rfq_trades(self, run_id: str, epoch: int) -> list[RfqTrade]:
        """Return an epoch's quotes by nonce."""
        ...

    def rfq_issued(
        self, *, quote_ids: Sequence[Hash32], nonces: Sequence[tuple[str, int]] = ()
    ) -> list[RfqTrade]:
        """Return those quotes that we issued, by their ids or by (maker, nonce)."""
        ...

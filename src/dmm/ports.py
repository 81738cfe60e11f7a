"""The seams: what the use-cases need from the outside, and nothing about how it is done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from dmm.governance.policy import Policy
from dmm.ledger.account import Account
from dmm.ledger.anchor import Anchor, Extent, Partition, Row
from dmm.ledger.journal import Posting
from dmm.market.instrument import Instrument
from dmm.market.order import Fill, Order, OrderReport
from dmm.market.tape import FeedEvent, TapeReport
from dmm.market.view import MarketView
from dmm.quoting.decision import DecisionRecord, SliceSummary
from dmm.rfq.protocol import FirmQuote, RfqTrade
from dmm.risk.rate import RateWindow
from dmm.risk.reconcile import VenueReport
from dmm.settlement.chain_event import BlockRef, ChainEvent
from dmm.settlement.epoch import EpochClaim, EpochPlan, EpochRow, Job, JobStatus, RowTable
from dmm.settlement.intent import Attempt, Claimed, Intent, IntentState, Purpose, Slot
from dmm.settlement.lifecycle import LaneBounds
from dmm.units.amount import Atoms
from dmm.units.ids import Hash32, Json
from dmm.units.time import Nanos


class Clock(Protocol):
    """The only source of the present."""

    def now_ns(self) -> Nanos:
        """Return nanoseconds since 1970 UTC."""
        ...

    def sleep_s(self, seconds: float) -> None:
        """Wait; the only way the desk waits."""
        ...


class Feed(Protocol):
    """A stream of market events for one instrument."""

    @property
    def instrument(self) -> Instrument:
        """Return what the events are about."""
        ...

    @property
    def report(self) -> TapeReport:
        """Return what has been counted and found so far."""
        ...

    def events(self) -> Iterator[FeedEvent]:
        """Yield events in the order they were received.

        Raises
        ------
        TapeFault
            If the content is unusable; the text names file and line.
        """
        ...


class Venue(Protocol):
    """Where the quoting worker's orders rest.

    The worker calls `advance` with the time of each market event before it applies it, and
    `observe` after: a paper venue fills from the events, a live one hands over what its stream has
    brought.
    """

    @property
    def name(self) -> str:
        """Return the venue's name in fills."""
        ...

    def submit(self, order: Order) -> None:
        """Send an order; how it fared comes with later reports."""
        ...

    def cancel(self, client_id: str, *, now_ns: Nanos) -> None:
        """Send a cancel; the order may still fill until a report says it is gone."""
        ...

    def cancel_all(self, *, now_ns: Nanos) -> None:
        """Send cancels for everything that is open."""
        ...

    @property
    def rate_windows(self) -> tuple[RateWindow, ...]:
        """Return how much the venue lets us ask; empty: it does not count."""
        ...

    def statement(self, *, now_ns: Nanos, cursor: int) -> VenueReport:
        """Return what the venue knows of us, to be compared with our own books.

        Parameters
        ----------
        now_ns : when it is asked
        cursor : that of the last report whose fills were booked, 0 at first
        """
        ...

    def arm(self, *, until_ns: Nanos) -> None:
        """Move the dead man's switch: the venue cancels everything of ours at that time."""
        ...

    def advance(self, now_ns: Nanos, market: MarketView) -> Sequence[OrderReport]:
        """Return reports due by now, with the market as it was before the event of that time."""
        ...

    def observe(self, event: FeedEvent, market: MarketView) -> Sequence[OrderReport]:
        """Return reports that an event caused, with the market after it."""
        ...


# -- the journal ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One session of the desk. `kind` is ``demo`` or ``up``; `spec` says how to play it again."""

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
        """Return the run started last."""
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


class IntentStore(Protocol):
    """Intents, lanes, slots and attempts: the driver's journal.

    Every write after `claim_due` is conditional on the claim's fence and owner; a fenced write
    raises `Fenced` and changes nothing.
    """

    def claim_due(self, *, chain: str, owner: str, lease_s: int) -> Claimed | None:
        """Lease the open intent that is due longest, raising its fence; None when none is due.

        When no open one is due, an intent that has ended but whose live slot keeps later ones
        waiting, or that is in quarantine with a live slot.
        """
        ...

    def allocate_slot(
        self,
        claimed: Claimed,
        *,
        signer: str,
        finalized_slot: int,
        expires: int = 0,
        anchor: str = "",
        bounds: LaneBounds | None = None,
    ) -> int | None:
        """Claim the next slot of the signer's lane, never below the finalized one.

        None when a bound is reached: nothing was claimed, asking again later is right.

        Parameters
        ----------
        expires, anchor : what the slot's bytes will name; see `dmm.settlement.intent.Slot`
        bounds : what may be on its way at once; None for no bound
        """
        ...

    def store_attempt(self, claimed: Claimed, attempt: Attempt) -> None:
        """Store signed bytes before their first send; a READY intent becomes IN_FLIGHT.

        For an intent that has ended only bytes that burn its slot are taken.
        """
        ...

    def mark_broadcast(self, claimed: Claimed, tx_id: str) -> None:
        """Note that the bytes were handed to a node."""
        ...

    def mark_landed(self, claimed: Claimed, tx_id: str, *, height: int, block_hash: str) -> None:
        """Note inclusion at the head: CONFIRMED, reversible."""
        ...

    def mark_unlanded(self, claimed: Claimed) -> None:
        """Note that no attempt is included any more: back to IN_FLIGHT."""
        ...

    def finish_final(
        self, claimed: Claimed, *, tx_id: str | None, height: int, postings: Sequence[Posting]
    ) -> None:
        """End an intent as paid on the finalized chain and post; `tx_id` None when adopted."""
        ...

    def finish_failed(
        self, claimed: Claimed, *, height: int, proof: dict[str, Json], postings: Sequence[Posting]
    ) -> None:
        """End an intent as proven dead and void its reservation."""
        ...

    def retire_slot(self, claimed: Claimed, *, height: int, proof: dict[str, Json]) -> None:
        """Retire the live slot with its proof: back to READY, generation + 1.

        The slot of an intent that has ended, or is in quarantine, is retired and nothing else.
        """
        ...

    def quarantine(self, claimed: Claimed, *, reason: str) -> None:
        """Stop work on an intent until governance releases it."""
        ...

    def release_quarantine(
        self,
        intent_id: Hash32,
        *,
        order_sequence: int,
        proof: dict[str, Json],
        postings: Sequence[Posting] = (),
    ) -> IntentState:
        """Let an executed order end a quarantine; each order releases once.

        Without postings work goes on, as READY or, with signed bytes out, as IN_FLIGHT; with those
        that void its reservation the intent is FAILED. Returns the state it now has.

        Raises
        ------
        UsageFault
            If there is no such intent, it is in no quarantine, or the order was used before.
        """
        ...

    def live_slots(self, chain: str) -> list[tuple[Intent, IntentState, Slot]]:
        """Return every slot of a chain that is not retired, with the intent it belongs to."""
        ...

    def release(self, claimed: Claimed, *, due_in_s: float) -> None:
        """Give the lease back; the intent is due again after `due_in_s`."""
        ...

    def intents(self, run_id: str | None = None) -> list[tuple[Intent, IntentState]]:
        """Return intents with their state, of one run's epochs or of all."""
        ...

    def final_transactions(self, chain: str) -> list[tuple[Intent, str, int]]:
        """Return (intent, tx id, height) of every intent final on a chain."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptOnly:
    """After a restore: until `until_s`, in chain time, a chain is read and nothing is signed.

    `until_s` is the last deadline that bytes signed before the restore can carry: once a finalized
    block is later, whatever the journal has forgotten is either paid or dead.
    """

    chain: str
    until_s: int
    reason: str
    entered_at_ns: Nanos


class RestoreStore(Protocol):
    """Whether the journal may have forgotten what was signed."""

    def enter_adopt_only(
        self, *, chain: str, until_s: int, reason: str, now_ns: Nanos
    ) -> AdoptOnly:
        """Note a restore; while one holds, the later `until_s` of both holds on."""
        ...

    def adopt_only(self, chain: str) -> AdoptOnly | None:
        """Return what holds on a chain, or None when it may be signed for."""
        ...

    def leave_adopt_only(self, *, chain: str, proof: dict[str, Json], now_ns: Nanos) -> None:
        """Note that a chain was adopted, with the block that proves it; again is a no-op."""
        ...


class LedgerStore(Protocol):
    """Double-entry accounts."""

    def post(self, postings: Sequence[Posting]) -> int:
        """Post all or nothing; a source already posted with the same content is skipped.

        Content is both accounts and the amount, not the time. Returns the number newly posted.

        Raises
        ------
        InvariantBroken
            If a source is known with other content, or an account would be overdrawn.
        """
        ...

    def balance(self, account: Account) -> Atoms:
        """Return credits − debits; 0 for an account never used."""
        ...

    def balances(self, vault: str | None = None) -> dict[str, Atoms]:
        """Return balances by account id."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Latch:
    """The kill switch as last written: the worker, the driver and the signers re-read it."""

    kill_id: int
    killed: bool
    reason: str
    operator: str
    at_ns: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltLatch:
    """The halt as last written: a drawdown stopped new orders, and only a person's reset opens it.

    `halt_id` rises with each halt; `run_id` is the run whose drawdown it was, `reason` why it was
    halted or reset, `operator` who reset it, empty while it holds.
    """

    halt_id: int
    halted: bool
    run_id: str
    reason: str
    operator: str
    at_ns: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """Both latches and the database's own time, as of one instant."""

    kill: Latch | None
    halt: HaltLatch | None
    database_at_ns: Nanos


class ControlStore(Protocol):
    """Kill switch, halt latch, policy head, audit log.

    Whatever latches or releases also appends its record to the audit log, in the same transaction.
    """

    def latch(self) -> Latch | None:
        """Return the latest latch, or None when nothing was ever killed."""
        ...

    def kill(self, *, reason: str, operator: str, now_ns: Nanos) -> Latch:
        """Latch; when already killed, return the latch that holds."""
        ...

    def release_kill(
        self, *, kill_id: int, order_sequence: int, operator: str, now_ns: Nanos, tx_id: str = ""
    ) -> Latch:
        """Release a latch by an executed order; each order releases once.

        Parameters
        ----------
        tx_id : the order's transaction, for the audit log

        Raises
        ------
        UsageFault
            If that kill is not the one that holds, or the order was used before.
        """
        ...

    def halted(self) -> HaltLatch | None:
        """Return the latest halt or its reset, or None when nothing was ever halted."""
        ...

    def halt(self, *, run_id: str, reason: str, now_ns: Nanos) -> HaltLatch:
        """Latch a halt; when already halted, return the latch that holds."""
        ...

    def reset_halt(self, *, operator: str, reason: str, now_ns: Nanos) -> HaltLatch:
        """Release the halt that holds, on a person's word.

        Raises
        ------
        UsageFault
            If none holds.
        """
        ...

    def controls(self) -> Controls:
        """Return both latches and the database's time, read at once."""
        ...

    def policy_head(self) -> PolicyRecord | None:
        """Return the policy in force."""
        ...

    def append_policy(self, record: PolicyRecord) -> bool:
        """Append an executed policy; False when that sequence is already there with this hash.

        Raises
        ------
        InvariantBroken
            If the sequence exists with another hash, or does not extend the head.
        """
        ...

    def append_audit(
        self, *, actor: str, action: str, body: dict[str, Json], now_ns: Nanos
    ) -> None:
        """Append to the hash-chained audit log."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRecord:
    """A policy with the executed order that put it in force; sequence 0 is the genesis preset."""

    sequence: int
    policy: Policy
    previous_head: Hash32
    head: Hash32
    chain: str
    height: int
    tx_id: str
    adopted_at_ns: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A contract, token or vault of ours; names: settlement, treasury, governor, token:SYMBOL."""

    chain: str
    name: str
    address: str
    height: int
    decimals: int = 0


class DeploymentStore(Protocol):
    """Where our contracts are."""

    def record_deployments(self, deployments: Sequence[Deployment]) -> None:
        """Record addresses; the same again is a no-op, another address `InvariantBroken`."""
        ...

    def deployments(self, chain: str) -> dict[str, Deployment]:
        """Return what is deployed on a chain, by name."""
        ...


class RfqStore(Protocol):
    """Firm quotes we issued."""

    def next_quote_nonce(self, maker: str) -> int:
        """Allot the maker's next nonce, densely from 0; an allotted nonce is never given again."""
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
        """Return those quotes that we issued, by their ids or by (maker in any case, nonce)."""
        ...


class ChainEventStore(Protocol):
    """The chain as the follower read it: blocks and events are only added."""

    def final_head(self, chain: str) -> BlockRef | None:
        """Return the last block followed as final; None before the first."""
        ...

    def blocks_above(self, chain: str, height: int) -> list[BlockRef]:
        """Return known blocks above a height, reorganised ones included, by height."""
        ...

    def record_tip(self, blocks: Sequence[BlockRef], events: Sequence[ChainEvent]) -> int:
        """Add blocks that are not final yet, lowest first; return how many were new.

        Raises
        ------
        InvariantBroken
            If a block does not stand on a known one, or is known with other content.
        """
        ...

    def record_final(
        self, blocks: Sequence[BlockRef], events: Sequence[ChainEvent], postings: Sequence[Posting]
    ) -> int:
        """Add final blocks, lowest first, with their events and postings, in one transaction.

        Again is a no-op; returns how many events were not known before.

        Raises
        ------
        InvariantBroken
            If a height is final with another block, or an event is known with other content.
        """
        ...

    def final_events(self, chain: str, *, from_height: int, to_height: int) -> list[ChainEvent]:
        """Return events of final blocks in a range of heights, both included, in their order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptView:
    """An attempt as everybody may see it: all but the signed bytes."""

    tx_id: str
    intent_id: Hash32
    generation: int
    bump: int
    signer: str
    slot: int
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentView:
    """An intent with how it stands; `final_tx_id` is empty while unknown or when adopted."""

    intent: Intent
    state: IntentState
    generation: int
    final_tx_id: str
    closed_height: int | None
    proof: dict[str, Json] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """All that the audit of a chain rests on, read at one instant.

    `followed_height` is the height up to which events were posted, −1 for none.
    """

    intents: tuple[IntentView, ...]
    attempts: tuple[AttemptView, ...]
    postings: tuple[Posting, ...]
    followed_height: int


class AuditStore(Protocol):
    """What an auditor reads; it writes nothing."""

    def books(self, chain: str, vaults: Sequence[str]) -> Books:
        """Return a chain's intents and attempts, and the postings of vaults, as of one instant."""
        ...


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


class LiveControls(Protocol):
    """What the present asks of a live worker beside the kill switch; a play has none of it."""

    def halt(self, *, run_id: str, reason: str, now_ns: Nanos) -> None:
        """Latch a halt; it may be taken over and written after what was appended before."""
        ...

    def halted(self) -> HaltLatch | None:
        """Return the latest halt or its reset, or None when nothing was ever halted.

        Raises
        ------
        Retryable
            If it could not be read for too long.
        """
        ...

    def clock_offset_ns(self) -> int | None:
        """Return the database's time less this host's, ns; None while it is not measured."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruning:
    """On whose word a partition goes, and on what condition.

    `finished_before_ns`: its run must have finished earlier. `digest`, when given, is what its rows
    must have, for example that of the archive `archive` names.
    """

    finished_before_ns: Nanos
    now_ns: Nanos
    operator: str
    reason: str
    archive: str = ""
    digest: Hash32 | None = None


class RetentionStore(Protocol):
    """Partitions of the journal that grow with every refresh, and the anchors of pruned ones.

    The ledger, intents, estimates, epoch rows and the audit log are in none and never pruned. A run
    that lost a partition takes no decision, fill or slice any more, and what it lost is refused by
    the name of its anchor wherever it is asked for.
    """

    def prunable(self, *, finished_before_ns: Nanos, limit: int) -> list[Partition]:
        """Return partitions of runs that finished earlier, in the order in which they must go.

        The latest run keeps its own: jobs that name no run read it.
        """
        ...

    def partitions(self, run_id: str) -> list[Partition]:
        """Return what a run still has, by table and place."""
        ...

    def partition_rows(self, partition: Partition) -> Iterator[Row]:
        """Yield a partition's rows in order, a page at a time.

        Raises
        ------
        UsageFault
            If there is no such partition, or it was pruned.
        """
        ...

    def prune(self, partition: Partition, pruning: Pruning) -> Anchor | None:
        """Put an anchor in a partition's place, in one transaction; again returns that anchor.

        Returns None, and changes nothing, while others use the table: ask again.

        Raises
        ------
        UsageFault
            If there is no such partition, or its run is not finished, too young or the latest.
        InvariantBroken
            If the rows have another digest, break the chain or do not stand on the anchor before.
        """
        ...

    def anchors(self, run_id: str | None = None) -> list[Anchor]:
        """Return anchors of one run or of all, by run, table and place."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Archived:
    """A partition in an archive, as read back from it."""

    name: str
    partition: Partition
    extent: Extent


class Archive(Protocol):
    """Where rows go before their partition does."""

    def keep(self, partition: Partition, rows: Iterable[Row]) -> Archived:
        """Write a partition whole or not at all, and return what reading it back gives.

        Again with the same rows is a no-op.

        Raises
        ------
        InvariantBroken
            If it is there already with other rows, or what is read back is not what was written.
        ServiceFault
            If it cannot be written.
        """
        ...

    def read(self, name: str) -> Archived:
        """Read an archived partition, every row.

        Raises
        ------
        UsageFault
            If there is none of that name.
        Permanent
            If its content is unusable.
        """
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


# -- chains -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One coherent view of a chain; no decision mixes two.

    `witnesses` nodes have the finalized block; what is read at it counts as known only when as many
    of them agree as the chain's quorum asks for.
    """

    chain: str
    head_height: int
    head_time_s: int
    finalized_height: int
    finalized_hash: str
    finalized_time_s: int
    witnesses: int = 1


class Answer(StrEnum):
    """What a node may answer: three values, never two.

    A replay key has two more where a payment takes several messages: it is taken but not every leg
    is evidenced yet, or the contract has closed it by a refund and will never pay it.
    """

    FOUND = "found"
    ABSENT = "absent"
    UNKNOWN = "unknown"
    PENDING = "pending"
    REFUNDED = "refunded"


class SlotState(StrEnum):
    """Whether bytes signed for a slot can still land, at one finalized block."""

    OPEN = "open"
    SPENT = "spent"
    """Proven: on this chain they never will."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotRules:
    """What the slots of a chain are like; the driver knows nothing else about them.

    Parameters
    ----------
    replaces : two transactions in one slot exclude each other, so a fee may be raised in place
    burns : an unused slot holds later ones up, and can be used up by an empty transaction
    atomic : a transaction that succeeded has paid; without it only the replay key says so
    """

    replaces: bool
    burns: bool
    atomic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotOffer:
    """What a new slot would be; the fields are those of `dmm.settlement.intent.Slot`."""

    floor: int
    """Slots below it are used up at the finalized block."""
    expires: int = 0
    anchor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TxView:
    """A transaction as a node sees it; `finalized`: at or below the snapshot's final block."""

    answer: Answer
    succeeded: bool = False
    finalized: bool = False
    height: int | None = None
    block_hash: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignRequest:
    """What the settlement signer is asked to sign: structure, never bytes.

    A request to burn names the intent whose slot it is and moves nothing.
    """

    intent: Intent
    generation: int
    bump: int
    slot: int
    fee_wei_per_gas_max: int
    tip_wei_per_gas: int
    gas_max: int
    purpose: Purpose = Purpose.PAY
    expires: int = 0
    anchor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedTx:
    """Signed bytes and the id they will have on chain."""

    tx_id: str
    raw: bytes
    signer: str
    fee_atoms_max: Atoms


class Signer(Protocol):
    """The settlement signer, another process."""

    def address(self, chain: str, lane: str = "") -> str:
        """Return the address that sends on a chain for one class of intents.

        Classes with one address share its slots, those with several do not wait for each other.
        """
        ...

    def sign(self, request: SignRequest) -> SignedTx:
        """Rebuild the transaction from its intent and sign it, once per (key, slot, bump).

        Raises
        ------
        Retryable
            If the signer cannot be reached.
        Permanent
            If it refuses; the text says why.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenTransfer:
    """A transfer of a known token, as the chain's own log has it; addresses are lower case."""

    chain: str
    height: int
    block_hash: str
    tx_id: str
    log_index: int
    asset: str
    sender: str
    recipient: str
    amount: Atoms


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutedOrder:
    """An order of governance as executed on the finalized chain. `family` is policy or release."""

    chain: str
    contract: str
    sequence: int
    family: str
    previous_head: Hash32
    head: Hash32
    body: bytes
    expiry_s: int
    height: int
    tx_id: str


class QuoteSigner(Protocol):
    """The quote signer, another process with its own hot key and no settlement rights."""

    def maker(self, chain: str) -> str:
        """Return the maker's address: the owner of the inventory that quotes give."""
        ...

    def signer(self, chain: str) -> str:
        """Return the hot key's address that the maker delegated to."""
        ...

    def sign_quote(self, quote: FirmQuote) -> bytes:
        """Sign a firm quote; `Permanent` when it breaks a cap, `Retryable` when down."""
        ...


class BuybackQuoter(Protocol):
    """A counterparty that sells the treasury what it buys back, by firm quotes it signs itself."""

    def quote(
        self,
        *,
        chain: str,
        taker: str,
        cash_asset: str,
        cash_amount: Atoms,
        bought_asset: str,
        deadline_s: int,
        nonce: int,
    ) -> tuple[FirmQuote, bytes] | None:
        """Return a firm quote with the maker's signature, or None when it declines.

        Parameters
        ----------
        taker : the treasury's address; the quote is bound to it
        cash_amount : what the treasury pays, atoms of `cash_asset`, > 0
        deadline_s : chain time until which the quote must be fillable
        nonce : the same purchase asks under the same nonce

        Raises
        ------
        Retryable
            If the counterparty cannot be reached.
        """
        ...


class Chain(Protocol):
    """One chain through one or more nodes."""

    @property
    def name(self) -> str:
        """Return the chain's name in the journal, for example ``evm``."""
        ...

    @property
    def slot_rules(self) -> SlotRules:
        """Return what this chain's slots are like."""
        ...

    def snapshot(self) -> Snapshot:
        """Return head and finalized block; `Retryable` when too few nodes agree on them."""
        ...

    def transaction(self, tx_id: str, *, at: Snapshot) -> TxView:
        """Look a transaction up; UNKNOWN when nodes fail or contradict the snapshot."""
        ...

    def key_state(self, intent: Intent, *, at: Snapshot) -> Answer:
        """Tell whether the intent's replay key is used in our contract at the finalized block."""
        ...

    def slot_offer(self, signer: str, *, at: Snapshot) -> SlotOffer | None:
        """Return what a new slot of a signer would be; None when unknown."""
        ...

    def slot_state(self, slot: Slot, intent: Intent, *, at: Snapshot) -> SlotState:
        """Tell whether a slot's bytes can still land, by the finalized block alone."""
        ...

    def sign_request(
        self,
        intent: Intent,
        *,
        generation: int,
        bump: int,
        slot: int,
        purpose: Purpose = Purpose.PAY,
        expires: int = 0,
        anchor: str = "",
    ) -> SignRequest:
        """Build the structured request, with fees under the configured caps."""
        ...

    def send(self, raw: bytes) -> None:
        """Hand bytes to the nodes; "already known" is fine.

        Raises
        ------
        OutcomeUnknown
            If it cannot be told whether a node took them.
        Permanent
            If every node refused them as invalid.
        """
        ...

    def transfers(self, *, from_height: int, to_height: int) -> list[TokenTransfer]:
        """Return the transfers of our tokens in a range of heights, both included."""
        ...

    def balance(self, *, holder: str, asset: str, height: int) -> Atoms:
        """Return a holder's token balance at a height."""
        ...

    def executed_orders(self, *, from_sequence: int, at: Snapshot) -> list[ExecutedOrder]:
        """Return governance orders executed at or below the finalized block, in sequence."""
        ...


class ChainLog(Protocol):
    """A chain's own record: its blocks, and the events of our contracts and vaults."""

    @property
    def name(self) -> str:
        """Return the chain's name in the journal."""
        ...

    def tips(self) -> tuple[BlockRef, BlockRef]:
        """Return (finalized block, head); `Retryable` when nodes are silent or contradict."""
        ...

    def block(self, height: int) -> BlockRef:
        """Return the block at a height; `Retryable` when nodes are silent or contradict."""
        ...

    def events(self, *, from_height: int, to_height: int) -> list[ChainEvent]:
        """Return events in a range of heights, both included, in the chain's order.

        Raises
        ------
        Retryable
            If nodes are silent or contradict one another.
        """
        ...

    def balance(self, *, holder: str, asset: str, height: int) -> Atoms:
        """Return a holder's token balance at a height; `Retryable` when nodes forgot it."""
        ...


class Scheduler(Protocol):
    """The clock of the epoch jobs."""

    def emit(self, event: str, *, resource: str, payload: dict[str, Json]) -> None:
        """Emit an event that automations may react to: a hint, never authority."""
        ...

    def prune_runs(self, *, now_ns: Nanos, keep_days: int) -> int:
        """Delete finished runs that ended more than `keep_days` ago; return how many."""
        ...

"""The rest of the journal in memory: epochs, intents, deployments, quotes, with their laws."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field, replace

from chain_memory import MemoryChainEvents
from retention_memory import MemoryRetention

from dmm.ledger.journal import Posting
from dmm.ports import AdoptOnly, Deployment, PolicyRecord
from dmm.rfq.protocol import RfqTrade
from dmm.settlement.carrier import carrier_of
from dmm.settlement.epoch import EpochClaim, EpochPlan, EpochRow, Job, JobStatus, RowTable
from dmm.settlement.intent import (
    Attempt,
    AttemptState,
    Claimed,
    Intent,
    IntentKind,
    IntentState,
    Purpose,
    Slot,
)
from dmm.settlement.lifecycle import LEGAL, Fenced, LaneBounds
from dmm.units.errors import InvariantBroken, UsageFault
from dmm.units.ids import ZERO_HASH, Hash32, Json
from dmm.units.time import NS_PER_S, Nanos

GONE = frozenset({AttemptState.RETIRED, AttemptState.FINAL_REVERTED})


@dataclass(slots=True, kw_only=True)
class Entry:
    """An intent as the journal holds it."""

    intent: Intent
    run_id: str
    state: IntentState = IntentState.READY
    generation: int = 0
    fence: int = 0
    owner: str = ""
    lease_until_ns: int = 0
    due_ns: int = 0
    live_slot: Slot | None = None
    attempts: list[Attempt] = field(default_factory=list)
    final: tuple[str | None, int] | None = None
    proofs: list[dict[str, Json]] = field(default_factory=list)


class MemoryJournal(MemoryChainEvents, MemoryRetention):
    """A whole `Store`. Leases run by `now_ns`, which a simulation may turn."""

    def __init__(self, now_ns: Callable[[], int] = lambda: 0) -> None:
        super().__init__()
        self._now_ns = now_ns
        self._claims: dict[tuple[str, str, int], EpochClaim] = {}
        self.quarantined: set[tuple[str, str, int]] = set()
        self._rows: dict[tuple[str, str, int], tuple[EpochRow, ...]] = {}
        self.entries: dict[Hash32, Entry] = {}
        self._lanes: dict[tuple[str, str], int] = {}
        self._slots: dict[tuple[str, str, int], Hash32] = {}
        self._release_orders: set[int] = set()
        self._adopt_only: dict[str, AdoptOnly] = {}
        self._deployed: dict[tuple[str, str], Deployment] = {}
        self._nonces: dict[str, int] = {}
        self._trades: dict[Hash32, RfqTrade] = {}

    def close(self) -> None:
        """Do nothing."""

    def copy(self, now_ns: Callable[[], int]) -> MemoryJournal:
        """Return a backup of everything, with a clock of its own."""
        held, self._now_ns = self._now_ns, lambda: 0
        try:
            twin = deepcopy(self)
        finally:
            self._now_ns = held
        twin._now_ns = now_ns
        return twin

    # -- ledger and policy: content is not the time, sequences may have gaps

    def post(self, postings: Sequence[Posting]) -> int:
        return super().post([replace(p, posted_at_ns=Nanos(0)) for p in postings])

    def append_policy(self, record: PolicyRecord) -> bool:
        known = next((p for p in self._policies if p.sequence == record.sequence), None)
        if known is not None:
            if known.head != record.head:
                raise InvariantBroken(f"policy {record.sequence} is known with another hash")
            return False
        head = self._policies[-1] if self._policies else None
        fits = head is None or (
            record.sequence > head.sequence and record.previous_head == head.head
        )
        if not fits or (head is None and record.previous_head != ZERO_HASH):
            raise InvariantBroken(f"policy {record.sequence} does not extend the head")
        self._policies.append(record)
        return True

    # -- epochs

    def open_epoch(
        self, *, run_id: str, job: Job, scope: str, epoch: int, now_ns: Nanos, chain_time_s: int
    ) -> EpochClaim:
        claim = EpochClaim(
            run_id=run_id,
            job=job,
            scope=scope,
            epoch=epoch,
            opened_at_ns=now_ns,
            opened_chain_s=chain_time_s,
            plan_hash=None,
            note="",
            rows={},
        )
        return self._claims.setdefault((job, scope, epoch), claim)

    def record_epoch(self, claim: EpochClaim, plan: EpochPlan) -> JobStatus:
        key = (claim.job, claim.scope, claim.epoch)
        known = self._claims[key]
        if known.plan_hash is not None:
            if known.plan_hash == plan.plan_hash:
                return JobStatus.ALREADY
            self.quarantined.add(key)
            return JobStatus.QUARANTINED
        for intent in plan.intents:
            entry = self.entries.get(intent.intent_id)
            if entry is not None and entry.intent.content_hash != intent.content_hash:
                self._move(entry, IntentState.QUARANTINED)
                self.quarantined.add(key)
                return JobStatus.QUARANTINED
        self.post(plan.postings)
        for intent in plan.intents:
            self.entries.setdefault(intent.intent_id, Entry(intent=intent, run_id=claim.run_id))
        counts: dict[str, int] = {}
        for row in plan.rows:
            counts[row.table.value] = counts.get(row.table.value, 0) + 1
        self._rows[key] = plan.rows
        self._claims[key] = replace(known, plan_hash=plan.plan_hash, note=plan.note, rows=counts)
        return JobStatus.RECORDED

    def epoch_rows(self, run_id: str, table: RowTable, epoch: int | None = None) -> list[EpochRow]:
        found = [
            (key[2], row)
            for key, rows in self._rows.items()
            for row in rows
            if self._claims[key].run_id == run_id and row.table is table
            if epoch is None or key[2] == epoch
        ]
        return [row for _, row in sorted(found, key=lambda pair: (pair[0], pair[1].ordinal))]

    def epoch_claims(self, run_id: str) -> list[EpochClaim]:
        return [claim for claim in self._claims.values() if claim.run_id == run_id]

    def estimate_before(self, run_id: str, kind: str, *, epoch: int) -> EpochRow | None:
        found = [
            (key[2], row.ordinal, row)
            for key, rows in self._rows.items()
            for row in rows
            if row.table is RowTable.ESTIMATE and row.body["kind"] == kind
            if self._claims[key].run_id == run_id and key[2] < epoch
        ]
        return max(found, key=lambda entry: entry[:2])[2] if found else None

    def inherited_estimate(self, run_id: str, kind: str) -> EpochRow | None:
        for run in self.earlier_runs(run_id):
            row = self.estimate_before(run.run_id, kind, epoch=2**62)
            # What a run holds never goes back to version 0, so its latest row tells.
            if row is not None and int(str(row.body["version"])) > 0:
                return row
        return None

    # -- intents

    def claim_due(self, *, chain: str, owner: str, lease_s: int) -> Claimed | None:
        now_ns = self._now_ns()
        due = [
            entry
            for entry in self.entries.values()
            if entry.intent.chain == chain
            and entry.state.is_open
            and entry.lease_until_ns <= now_ns
            and entry.due_ns <= now_ns
        ] or [
            entry
            for entry in self.entries.values()
            if entry.intent.chain == chain
            and self._is_left_behind(entry)
            and entry.lease_until_ns <= now_ns
            and entry.due_ns <= now_ns
        ]
        if not due:
            return None
        entry = min(due, key=lambda e: e.due_ns)
        entry.fence += 1
        entry.owner = owner
        entry.lease_until_ns = now_ns + lease_s * NS_PER_S
        return Claimed(
            intent=entry.intent,
            state=entry.state,
            generation=entry.generation,
            fence=entry.fence,
            owner=owner,
            attempts=tuple(
                a for a in entry.attempts if a.state not in GONE and self._is_live(entry, a)
            ),
            slot=self._live_slot(entry),
        )

    def claim_batch(
        self, *, chain: str, owner: str, lease_s: int, limit: int, full: Collection[IntentKind] = ()
    ) -> list[Claimed]:
        claims: list[Claimed] = []
        for _ in range(limit):
            claimed = self.claim_due(chain=chain, owner=owner, lease_s=lease_s)
            if claimed is None or (claims and claimed.state.is_open != claims[0].state.is_open):
                if claimed is not None:
                    self._unclaim(claimed)
                break
            claims.append(claimed)
        waiting = [
            claimed
            for claimed in claims
            if claimed.state is IntentState.READY
            and claimed.slot is None
            and claimed.intent.kind in full
        ]
        for claimed in waiting:
            self._unclaim(claimed)
        return [claimed for claimed in claims if claimed not in waiting]

    def _unclaim(self, claimed: Claimed) -> None:
        entry = self.entries[claimed.intent.intent_id]
        entry.owner, entry.lease_until_ns = "", 0

    def _is_live(self, entry: Entry, attempt: Attempt) -> bool:
        live = entry.live_slot
        return live is not None and (live.signer, live.slot) == (attempt.signer, attempt.slot)

    def _live_slot(self, entry: Entry) -> Slot | None:
        live = entry.live_slot
        if live is None:
            return None
        later = self._lanes[entry.intent.chain, live.signer] > live.slot + 1
        return replace(live, blocks_others=later)

    def _is_left_behind(self, entry: Entry) -> bool:
        live = self._live_slot(entry)
        if live is None or entry.state.is_open:
            return False
        return live.blocks_others or entry.state is IntentState.QUARANTINED

    def live_slots(self, chain: str) -> list[tuple[Intent, IntentState, Slot]]:
        found = [
            (entry.intent, entry.state, live)
            for entry in self.entries.values()
            if entry.intent.chain == chain and (live := self._live_slot(entry)) is not None
        ]
        return sorted(found, key=lambda one: (one[2].signer, one[2].slot))

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
        entry = self._held(claimed)
        if entry.live_slot is not None:
            return entry.live_slot.slot
        if bounds is not None and not self._has_room(entry.intent, bounds):
            return None
        if bounds is not None and self._is_taken(claimed, signer, anchor, bounds):
            return None
        lane = (claimed.intent.chain, signer)
        slot = max(self._lanes.get(lane, 0), finalized_slot)
        self._lanes[lane] = slot + 1
        if (*lane, slot) in self._slots:
            raise InvariantBroken(f"slot {slot} of {lane} belongs to another intent")
        self._slots[(*lane, slot)] = claimed.intent.intent_id
        entry.live_slot = Slot(
            signer=signer, slot=slot, generation=entry.generation, expires=expires, anchor=anchor
        )
        return slot

    def _is_taken(self, claimed: Claimed, signer: str, anchor: str, bounds: LaneBounds) -> bool:
        return any(
            of.kind in bounds.sequenced
            and of.intent_id != claimed.intent.intent_id
            and state.is_open
            and (slot.signer, slot.anchor) == (signer, anchor)
            and self._may_have_bytes(self.entries[of.intent_id], claimed.owner)
            for of, state, slot in self.live_slots(claimed.intent.chain)
        )

    def _may_have_bytes(self, entry: Entry, owner: str) -> bool:
        is_leased = entry.owner != owner and entry.lease_until_ns > self._now_ns()
        return is_leased or any(self._is_live(entry, attempt) for attempt in entry.attempts)

    def _has_room(self, intent: Intent, bounds: LaneBounds) -> bool:
        may_land = [
            (of, state)
            for of, state, _ in self.live_slots(intent.chain)
            if of.kind is intent.kind and (state.is_open or state is IntentState.QUARANTINED)
        ]
        unlanded = {IntentState.READY, IntentState.IN_FLIGHT}
        in_flight = sum(state in unlanded for _, state in may_land)
        value = sum(of.amount for of, _ in may_land if of.asset == intent.asset)
        value_max = bounds.value_atoms_max.get(intent.asset)
        return in_flight < bounds.in_flight_max and (
            value_max is None or value + intent.amount <= value_max
        )

    def store_attempt(self, claimed: Claimed, attempt: Attempt) -> None:
        entry = self._held(claimed)
        if attempt.purpose is Purpose.PAY and not entry.state.is_open:
            raise InvariantBroken(f"intent of {attempt.tx_id} has ended: nothing more is sent")
        if not self._is_live(entry, attempt):
            raise InvariantBroken(f"attempt {attempt.tx_id} uses a slot that is not its intent's")
        if any(a.tx_id == attempt.tx_id for a in entry.attempts):
            raise InvariantBroken(f"attempt {attempt.tx_id} is stored already")
        entry.attempts.append(attempt)
        if entry.state is IntentState.READY:
            self._move(entry, IntentState.IN_FLIGHT)

    def mark_broadcast(self, claimed: Claimed, tx_id: str) -> None:
        entry = self._held(claimed)
        self._mark(entry, tx_id, state=AttemptState.BROADCAST)

    def mark_landed(self, claimed: Claimed, tx_id: str, *, height: int, block_hash: str) -> None:
        entry = self._held(claimed)
        self._mark(entry, tx_id, state=AttemptState.LANDED, height=height, block=block_hash)
        self._move(entry, IntentState.CONFIRMED)

    def mark_unlanded(self, claimed: Claimed) -> None:
        entry = self._held(claimed)
        for attempt in list(entry.attempts):
            if attempt.state is AttemptState.LANDED:
                self._mark(entry, attempt.tx_id, state=AttemptState.BROADCAST)
        self._move(entry, IntentState.IN_FLIGHT)

    def finish_final(
        self, claimed: Claimed, *, tx_id: str | None, height: int, postings: Sequence[Posting]
    ) -> None:
        entry = self._held(claimed)
        self.post(postings)
        if tx_id is not None:
            self._mark(entry, tx_id, state=AttemptState.FINAL_OK)
            entry.live_slot = None
        entry.final = (tx_id, height)
        entry.lease_until_ns = 0
        self._move(entry, IntentState.FINAL)

    def finish_failed(
        self, claimed: Claimed, *, height: int, proof: dict[str, Json], postings: Sequence[Posting]
    ) -> None:
        entry = self._held(claimed)
        self.post(postings)
        entry.proofs.append(proof | {"height": height})
        entry.lease_until_ns = 0
        self._move(entry, IntentState.FAILED)

    def retire_slot(self, claimed: Claimed, *, height: int, proof: dict[str, Json]) -> None:
        entry = self._held(claimed)
        if entry.live_slot is None:
            raise InvariantBroken("no slot is live")
        for attempt in list(entry.attempts):
            if not self._is_live(entry, attempt):
                continue
            landed = attempt.state is AttemptState.LANDED
            gone = AttemptState.FINAL_REVERTED if landed else AttemptState.RETIRED
            self._mark(entry, attempt.tx_id, state=gone)
        if entry.state is IntentState.CONFIRMED:
            self._move(entry, IntentState.IN_FLIGHT)
        entry.live_slot = None
        entry.generation += 1
        entry.proofs.append(proof | {"height": height})
        if entry.state is IntentState.IN_FLIGHT:
            self._move(entry, IntentState.READY)

    def quarantine(self, claimed: Claimed, *, reason: str) -> None:
        entry = self._held(claimed)
        entry.proofs.append({"reason": reason})
        entry.lease_until_ns = 0
        self._move(entry, IntentState.QUARANTINED)

    def release_quarantine(
        self,
        intent_id: Hash32,
        *,
        order_sequence: int,
        proof: dict[str, Json],
        postings: Sequence[Posting] = (),
    ) -> IntentState:
        entry = self.entries.get(intent_id)
        if entry is None or entry.state is not IntentState.QUARANTINED:
            raise UsageFault(f"intent {intent_id.hex()} is in no quarantine")
        if order_sequence in self._release_orders:
            raise UsageFault(f"order {order_sequence} was used before")
        signed = any(self._is_live(entry, a) for a in entry.attempts)
        new = IntentState.IN_FLIGHT if signed else IntentState.READY
        new = IntentState.FAILED if postings else new
        self.post(postings)
        self._release_orders.add(order_sequence)
        entry.proofs.append(proof)
        entry.fence += 1
        entry.owner, entry.lease_until_ns, entry.due_ns = "", 0, 0
        self._move(entry, new)
        return new

    # -- restores

    def enter_adopt_only(
        self, *, chain: str, until_s: int, reason: str, now_ns: Nanos
    ) -> AdoptOnly:
        held = self._adopt_only.get(chain)
        until_s = until_s if held is None else max(until_s, held.until_s)
        entered = AdoptOnly(chain=chain, until_s=until_s, reason=reason, entered_at_ns=now_ns)
        self._adopt_only[chain] = entered
        return entered

    def adopt_only(self, chain: str) -> AdoptOnly | None:
        return self._adopt_only.get(chain)

    def leave_adopt_only(self, *, chain: str, proof: dict[str, Json], now_ns: Nanos) -> None:
        del proof, now_ns
        self._adopt_only.pop(chain, None)

    def release(self, claimed: Claimed, *, due_in_s: float) -> None:
        entry = self._held(claimed)
        entry.due_ns = self._now_ns() + int(due_in_s * NS_PER_S)
        entry.lease_until_ns = 0

    def release_batch(self, given_back: Sequence[tuple[Claimed, float]]) -> int:
        held = 0
        for claimed, due_in_s in given_back:
            with suppress(Fenced):
                self.release(claimed, due_in_s=due_in_s)
                held += 1
        return held

    def open_count(self, chain: str) -> int:
        return sum(
            entry.intent.chain == chain and entry.state.is_open for entry in self.entries.values()
        )

    def intents(self, run_id: str | None = None) -> list[tuple[Intent, IntentState]]:
        return [
            (entry.intent, entry.state)
            for entry in self.entries.values()
            if run_id is None or entry.run_id == run_id
        ]

    def intent_state(self, intent_id: Hash32) -> IntentState | None:
        entry = self.entries.get(intent_id)
        return None if entry is None else entry.state

    def final_transactions(self, chain: str) -> list[tuple[Intent, str, int]]:
        found = []
        for entry in self.entries.values():
            if entry.intent.chain != chain or entry.final is None:
                continue
            carrier_id = carrier_of(entry.intent)
            carrier = None if carrier_id is None else self.entries.get(carrier_id)
            by_carrier = None if carrier is None or carrier.final is None else carrier.final[0]
            tx_id = entry.final[0] or by_carrier
            if tx_id is not None:
                found.append((entry.intent, tx_id, entry.final[1]))
        return found

    def _held(self, claimed: Claimed) -> Entry:
        entry = self.entries[claimed.intent.intent_id]
        if (entry.fence, entry.owner) != (claimed.fence, claimed.owner):
            raise Fenced(f"intent {claimed.intent.intent_id.hex()} has another holder")
        return entry

    def _move(self, entry: Entry, state: IntentState) -> None:
        if entry.state is not state:
            if (entry.state, state) not in LEGAL:
                raise InvariantBroken(f"{entry.state} to {state} is not legal")
            entry.state = state

    def _mark(
        self,
        entry: Entry,
        tx_id: str,
        *,
        state: AttemptState,
        height: int | None = None,
        block: str | None = None,
    ) -> None:
        entry.attempts = [
            replace(a, state=state, landed_height=height, landed_block=block)
            if a.tx_id == tx_id and a.state not in GONE
            else a
            for a in entry.attempts
        ]

    # -- deployments, quotes

    def record_deployments(self, deployments: Sequence[Deployment]) -> None:
        for deployment in deployments:
            known = self._deployed.setdefault((deployment.chain, deployment.name), deployment)
            if known != deployment:
                raise InvariantBroken(f"{deployment.name} is known with another address")

    def deployments(self, chain: str) -> dict[str, Deployment]:
        return {name: d for (on, name), d in self._deployed.items() if on == chain}

    def next_quote_nonce(self, maker: str, *, at_least: int = 0) -> int:
        nonce = max(self._nonces.get(maker, 0), at_least)
        self._nonces[maker] = nonce + 1
        return nonce

    def peek_quote_nonce(self, maker: str) -> int:
        return self._nonces.get(maker, 0)

    def record_quote(self, trade: RfqTrade) -> None:
        known = self._trades.setdefault(trade.quote.quote_id, trade)
        if known != trade:
            raise InvariantBroken("that quote is known with other content")

    def accept_quote(self, trade: RfqTrade) -> None:
        known = self._trades[trade.quote.quote_id]
        if known.acceptance is not None and known != trade:
            raise InvariantBroken("that quote was accepted otherwise")
        self._trades[trade.quote.quote_id] = trade

    def rfq_trades(self, run_id: str, epoch: int) -> list[RfqTrade]:
        found = [t for t in self._trades.values() if (t.run_id, t.epoch) == (run_id, epoch)]
        return sorted(found, key=lambda trade: trade.quote.nonce)

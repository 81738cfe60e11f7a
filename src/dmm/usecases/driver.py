"""The settlement driver, sans-io: the shipped code itself runs in the simulator.

One step looks at one leased intent through one snapshot of the chain and makes at most one move.
Bytes are stored before they are sent; after a timeout the same bytes are sent again; a new slot is
opened only over a proof that the old one can never land; UNKNOWN opens nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from dmm import observe
from dmm.ports import Answer, Chain, Signer, Snapshot, Store, TxView
from dmm.settlement.batch import paid, void
from dmm.settlement.intent import Attempt, AttemptState, Claimed, IntentState
from dmm.settlement.lifecycle import (
    BUMP_MAX,
    GENERATION_MAX,
    LANE_GRACE_S,
    SIGN_MARGIN_S,
    Death,
    judge_death,
)
from dmm.units.errors import InvariantBroken, OutcomeUnknown, Permanent, Retryable
from dmm.units.ids import Json
from dmm.units.time import NS_PER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often the driver looks at an intent."""

    poll_s: float = 0.2
    refused_s: float = 5.0
    """Pause after a refusal: the signer's caps renew with chain time."""
    looks_per_bump: int = 60
    """Every so many looks, bytes that no node has included are signed again with a higher fee."""


class Step(StrEnum):
    """What one step did."""

    WAITED = "waited"
    REFUSED = "refused"
    """The signer, or a node, will not take it as it is: nothing was sent."""
    SENT = "sent"
    LANDED = "landed"
    UNLANDED = "unlanded"
    RETIRED = "retired"
    FINAL = "final"
    FAILED = "failed"
    QUARANTINED = "quarantined"


ENDS = frozenset({Step.FINAL, Step.FAILED, Step.QUARANTINED})
"""Steps after which the journal holds no lease to give back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """The driver's ports and pace. Each step is a function of the journal and one snapshot."""

    store: Store
    chain: Chain
    signer: Signer
    pace: Pace

    def step(self, claimed: Claimed) -> Step:
        """Look at a leased intent once and make at most one move; the lease is given back.

        Raises
        ------
        Fenced
            If another worker holds the intent now; nothing was written.
        """
        try:
            at = self.chain.snapshot()
        except Retryable:
            return self._give_back(claimed, Step.WAITED)
        try:
            done = self._move(claimed, at)
        except (Retryable, OutcomeUnknown):
            done = Step.WAITED
        except Permanent as fault:
            observe.intent_refused(intent_id=claimed.intent.intent_id.hex(), reason=str(fault))
            done = Step.REFUSED
        except InvariantBroken as fault:
            # Doubt about one intent must not stop the others.
            done = self._quarantine(claimed, str(fault))
        return done if done in ENDS else self._give_back(claimed, done)

    def _give_back(self, claimed: Claimed, done: Step) -> Step:
        pause_s = self.pace.poll_s
        if done is Step.REFUSED:
            pause_s = self.pace.refused_s
        elif done in (Step.RETIRED, Step.UNLANDED):
            pause_s = 0.0
        self.store.release(claimed, due_in_s=pause_s)
        return done

    def _move(self, claimed: Claimed, at: Snapshot) -> Step:
        key = self.chain.key_state(claimed.intent, at=at)
        views = [(a, self.chain.transaction(a.tx_id, at=at)) for a in claimed.attempts]
        if key is Answer.UNKNOWN or any(view.answer is Answer.UNKNOWN for _, view in views):
            return Step.WAITED
        if self._is_paid(key, views):
            return self._finish_paid(claimed, views, at)
        if any(self._counts_as_final(view) and view.succeeded for _, view in views):
            # A paid intent whose key is unset: the node contradicts itself.
            return Step.WAITED
        if claimed.state is IntentState.READY:
            return self._from_ready(claimed, at)
        return self._track(claimed, views, at)

    def _is_paid(self, key: Answer, _views: Sequence[tuple[Attempt, TxView]]) -> bool:
        """Only the key in our contract at the finalized block says so; transactions may vanish."""
        return key is Answer.FOUND

    def _counts_as_final(self, view: TxView) -> bool:
        return view.answer is Answer.FOUND and view.finalized

    # -- ends -------------------------------------------------------------------------------

    def _finish_paid(
        self, claimed: Claimed, views: Sequence[tuple[Attempt, TxView]], at: Snapshot
    ) -> Step:
        """End as paid: by our transaction, or adopted when the key was used by another."""
        ours = [
            (attempt.tx_id, view.height)
            for attempt, view in views
            if self._counts_as_final(view) and view.succeeded
        ]
        tx_id, height = ours[0] if ours else (None, at.finalized_height)
        self.store.finish_final(
            claimed,
            tx_id=tx_id,
            height=at.finalized_height if height is None else height,
            postings=paid(claimed.intent, at_ns=at.finalized_time_s * NS_PER_S),
        )
        return self._moved(claimed, Step.FINAL, tx_id)

    def _finish_dead(self, claimed: Claimed, at: Snapshot) -> Step:
        """End as never paid; only called with the key unset at the finalized block."""
        self.store.finish_failed(
            claimed,
            height=at.finalized_height,
            proof=_proof(at, "the deadline passed with the replay key unset")
            | {"deadline_s": claimed.intent.deadline_s, "time_s": at.finalized_time_s},
            postings=void(claimed.intent, at_ns=at.finalized_time_s * NS_PER_S),
        )
        return self._moved(claimed, Step.FAILED)

    def _quarantine(self, claimed: Claimed, reason: str) -> Step:
        self.store.quarantine(claimed, reason=reason)
        return self._moved(claimed, Step.QUARANTINED)

    def _moved(self, claimed: Claimed, step: Step, tx_id: str | None = None) -> Step:
        observe.intent_moved(
            intent_id=claimed.intent.intent_id.hex(), state=step.value, tx_id=tx_id
        )
        return step

    def _death(self, claimed: Claimed, at: Snapshot) -> Death:
        return judge_death(
            deadline_s=claimed.intent.deadline_s, finalized_time_s=at.finalized_time_s
        )

    # -- no live slot -----------------------------------------------------------------------

    def _from_ready(self, claimed: Claimed, at: Snapshot) -> Step:
        match self._death(claimed, at):
            case Death.PROVEN:
                return self._finish_dead(claimed, at)
            case Death.STALE:
                return self._quarantine(claimed, "its deadline is too long ago to prove anything")
            case Death.NOT_YET:
                pass
        if at.head_time_s + SIGN_MARGIN_S > claimed.intent.deadline_s or self._is_killed():
            return Step.WAITED
        return self._open_slot(claimed, at)

    def _open_slot(self, claimed: Claimed, at: Snapshot) -> Step:
        address = self.signer.address(self.chain.name)
        finalized_slot = self.chain.next_slot(address, at=at)
        if finalized_slot is None:
            return Step.WAITED
        slot = self.store.allocate_slot(claimed, signer=address, finalized_slot=finalized_slot)
        return self._sign_store_send(claimed, slot=slot, bump=0)

    def _sign_store_send(self, claimed: Claimed, *, slot: int, bump: int) -> Step:
        attempt = self._signed(claimed, slot=slot, bump=bump)
        if attempt is None:
            return Step.WAITED
        self.store.store_attempt(claimed, attempt)
        return self._send(claimed, attempt)

    def _signed(self, claimed: Claimed, *, slot: int, bump: int) -> Attempt | None:
        request = self.chain.sign_request(
            claimed.intent, generation=claimed.generation, bump=bump, slot=slot
        )
        if self._is_killed():
            return None
        signed = self.signer.sign(request)
        return Attempt(
            tx_id=signed.tx_id,
            intent_id=claimed.intent.intent_id,
            generation=claimed.generation,
            bump=bump,
            chain=self.chain.name,
            signer=signed.signer,
            slot=slot,
            raw=signed.raw,
            fee_atoms_max=signed.fee_atoms_max,
            state=AttemptState.SIGNED,
        )

    def _send(self, claimed: Claimed, attempt: Attempt) -> Step:
        if self._is_killed():
            return Step.WAITED
        # A refusal by every node proves nothing: only the chain tells what becomes of the slot.
        self.chain.send(attempt.raw)
        self.store.mark_broadcast(claimed, attempt.tx_id)
        return Step.SENT

    def _is_killed(self) -> bool:
        latch = self.store.latch()
        return latch is not None and latch.killed

    # -- a live slot ------------------------------------------------------------------------

    def _track(
        self, claimed: Claimed, views: Sequence[tuple[Attempt, TxView]], at: Snapshot
    ) -> Step:
        """Follow signed bytes; the key is unset at the finalized block."""
        for _, view in views:
            if self._counts_as_final(view):
                return self._retire(claimed, at, "its transaction reverted at a finalized block")
        for attempt, view in views:
            if view.answer is Answer.FOUND:
                return self._landed(claimed, attempt, view)
        if claimed.state is IntentState.CONFIRMED:
            self.store.mark_unlanded(claimed)
            return Step.UNLANDED
        if not claimed.attempts:
            raise InvariantBroken(
                f"intent {claimed.intent.intent_id.hex()} is {claimed.state} without an attempt"
            )
        return self._not_found(claimed, claimed.attempts[-1], at)

    def _landed(self, claimed: Claimed, attempt: Attempt, view: TxView) -> Step:
        known = (attempt.landed_height, attempt.landed_block) == (view.height, view.block_hash)
        if claimed.state is IntentState.CONFIRMED and known:
            return Step.WAITED
        if view.height is None or view.block_hash is None:
            return Step.WAITED
        self.store.mark_landed(
            claimed, attempt.tx_id, height=view.height, block_hash=view.block_hash
        )
        return Step.LANDED

    def _not_found(self, claimed: Claimed, last: Attempt, at: Snapshot) -> Step:
        finalized_slot = self.chain.next_slot(last.signer, at=at)
        if finalized_slot is None:
            return Step.WAITED
        if finalized_slot > last.slot:
            return self._retire(claimed, at, "its nonce is used up at a finalized block")
        if at.finalized_time_s > claimed.intent.deadline_s + LANE_GRACE_S:
            return self._end_after_deadline(claimed, at)
        raises_fee = (
            claimed.fence % self.pace.looks_per_bump == 0
            and last.bump < BUMP_MAX
            and at.head_time_s + SIGN_MARGIN_S <= claimed.intent.deadline_s
        )
        if raises_fee and not self._is_killed():
            return self._sign_store_send(claimed, slot=last.slot, bump=last.bump + 1)
        # The same bytes again: a timeout never opens a second way to pay.
        return self._send(claimed, last)

    def _retire(self, claimed: Claimed, at: Snapshot, why: str) -> Step:
        """Give up a slot whose bytes can never land; the key is unset at the same snapshot."""
        if self._death(claimed, at) is not Death.NOT_YET:
            return self._end_after_deadline(claimed, at)
        if claimed.generation >= GENERATION_MAX:
            return self._quarantine(claimed, f"{GENERATION_MAX} slots are used up: {why}")
        self.store.retire_slot(claimed, height=at.finalized_height, proof=_proof(at, why))
        return Step.RETIRED

    def _end_after_deadline(self, claimed: Claimed, at: Snapshot) -> Step:
        if self._death(claimed, at) is Death.STALE:
            return self._quarantine(claimed, "its deadline is too long ago to prove anything")
        return self._finish_dead(claimed, at)


def _proof(at: Snapshot, why: str) -> dict[str, Json]:
    return {"why": why, "height": at.finalized_height, "block_hash": at.finalized_hash}

"""The settlement driver, sans-io: the shipped code itself runs in the simulator.

One step looks at one leased intent through one snapshot of the chain and makes at most one move.
Bytes are stored before they are sent; after a timeout the same bytes are sent again; a new slot is
opened only over a proof that the old one can never land; UNKNOWN opens nothing. What a chain is
like comes from its adapter as `SlotRules`; nothing here knows a chain by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dmm import observe
from dmm.ports import Answer, Sight, SlotState, Snapshot, Surveys, TxView
from dmm.settlement.batch import paid, void
from dmm.settlement.carrier import carrier_of, is_carrier
from dmm.settlement.intent import Attempt, Claimed, IntentKind, IntentState, Purpose, Slot
from dmm.settlement.lifecycle import GENERATION_MAX, Death, Fenced, judge_death
from dmm.units.errors import InvariantBroken, OutcomeUnknown, Permanent, Retryable
from dmm.units.ids import Json
from dmm.units.time import NS_PER_S
from dmm.usecases.lanes import Lanes, Mode, Pace, Step

__all__ = ["Driver", "Mode", "Pace", "Step"]

ENDS = frozenset({Step.FINAL, Step.FAILED, Step.QUARANTINED})
"""Steps after which the journal holds no lease to give back."""

Views = Sequence[tuple[Attempt, TxView]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver(Lanes):
    """Each step is a function of the journal and one snapshot."""

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
        done = self._looked(claimed, at)
        return done if done in ENDS else self._give_back(claimed, done)

    def steps(self, claims: Sequence[Claimed]) -> list[Step]:
        """Look at leased intents one after the other, all through one snapshot; see `step`.

        What a finalized block says stays true, so one snapshot may serve several decisions; each
        write names its own fence, so a lease that runs out meanwhile decides nothing. One that was
        taken over counts as `WAITED`. Leases are given back together.
        """
        if not claims:
            return []
        try:
            at = self.chain.snapshot()
            sights = self._survey(claims, at)
        except Retryable:
            self.store.release_batch([(claimed, self.pace.poll_s) for claimed in claims])
            return [Step.WAITED] * len(claims)
        steps: list[Step] = []
        given_back: list[tuple[Claimed, float]] = []
        full: set[IntentKind] = set()
        for claimed, sight in zip(claims, sights, strict=True):
            try:
                waits = claimed.intent.kind in full and _waits_for_room(claimed)
                done = Step.CROWDED if waits else self._looked(claimed, at, sight)
            except Fenced:
                steps.append(Step.WAITED)
                continue
            if done is Step.CROWDED:
                full.add(claimed.intent.kind)
            if done not in ENDS:
                given_back.append((claimed, self._pause_s(done)))
            steps.append(done)
        if given_back:
            self.store.release_batch(given_back)
        return steps

    def _survey(self, claims: Sequence[Claimed], at: Snapshot) -> Sequence[Sight | None]:
        """Ask about all intents at once where the chain can; None: each is asked about in turn."""
        if not isinstance(self.chain, Surveys):
            return [None] * len(claims)
        asked = [(c.intent, [a.tx_id for a in c.attempts]) for c in claims]
        return list(self.chain.survey(asked, at=at))

    def _looked(self, claimed: Claimed, at: Snapshot, sight: Sight | None = None) -> Step:
        try:
            return self._move(claimed, at, sight)
        except (Retryable, OutcomeUnknown):
            return Step.WAITED
        except Permanent as fault:
            return self._refused(claimed, fault)
        except InvariantBroken as fault:
            # Doubt about one intent must not stop the others.
            if claimed.state.is_open:
                return self._quarantine(claimed, str(fault))
            return self._refused(claimed, fault)

    def _refused(self, claimed: Claimed, fault: Exception) -> Step:
        observe.intent_refused(intent_id=claimed.intent.intent_id.hex(), reason=str(fault))
        return Step.REFUSED

    def _give_back(self, claimed: Claimed, done: Step) -> Step:
        self.store.release(claimed, due_in_s=self._pause_s(done))
        return done

    def _pause_s(self, done: Step) -> float:
        if done is Step.REFUSED:
            return self.pace.refused_s
        return 0.0 if done in (Step.RETIRED, Step.UNLANDED) else self.pace.poll_s

    def _move(self, claimed: Claimed, at: Snapshot, sight: Sight | None = None) -> Step:
        if not claimed.state.is_open:
            return self._clear_lane(claimed, at)
        if sight is None:
            key = self.chain.key_state(claimed.intent, at=at)
            views = [(a, self.chain.transaction(a.tx_id, at=at)) for a in claimed.attempts]
        else:
            key, views = sight.key, list(zip(claimed.attempts, sight.views, strict=True))
        if self._is_unknown(key, views):
            return Step.WAITED
        if self._is_paid(key, views):
            return self._finish_paid(claimed, views, at)
        if self._mode() is Mode.ADOPT_ONLY or key is Answer.PENDING:
            return Step.WAITED
        if key is Answer.REFUNDED and not self._is_carrying(claimed):
            return self._finish_dead(claimed, at, "the contract closed the key by a refund")
        if self.chain.slot_rules.atomic and self._ours(views) and not self._is_stale(claimed, at):
            # A paid intent whose key is unset: the nodes contradict themselves.
            return Step.WAITED
        return self._unpaid(claimed, views, at)

    def _unpaid(self, claimed: Claimed, views: Views, at: Snapshot) -> Step:
        """Move on with an intent whose key is unset at the finalized block."""
        match self._death(claimed, at):
            case Death.PROVEN:
                return self._finish_dead(claimed, at, "the deadline passed with the key unset")
            case Death.STALE if is_carrier(claimed.intent):
                return self._finish_dead(claimed, at, "its deadline passed: its members tell")
            case Death.STALE:
                return self._quarantine(claimed, "its deadline is too long ago to prove anything")
            case Death.NOT_YET:
                pass
        if claimed.state is IntentState.READY:
            return self._from_ready(claimed, at)
        return self._track(claimed, views, at)

    def _is_unknown(self, key: Answer, views: Views) -> bool:
        return key is Answer.UNKNOWN or any(view.answer is Answer.UNKNOWN for _, view in views)

    def _is_paid(self, key: Answer, _views: Views) -> bool:
        """Only the key in our contract at the finalized block says so; transactions may vanish."""
        return key is Answer.FOUND

    def _ours(self, views: Views) -> list[tuple[str, TxView]]:
        """Return our payments that succeeded at or below the finalized block."""
        return [
            (attempt.tx_id, view)
            for attempt, view in views
            if attempt.purpose is Purpose.PAY and _is_final(view) and view.succeeded
        ]

    def _is_carrying(self, claimed: Claimed) -> bool:
        """Tell whether a carrier's bytes are out: a member settled otherwise does not stop them."""
        return is_carrier(claimed.intent) and claimed.slot is not None

    def _is_carried(self, claimed: Claimed) -> bool:
        """Tell whether the intent's carrier may still land; then nothing else pays it."""
        carrier_id = carrier_of(claimed.intent)
        if carrier_id is None:
            return False
        state = self.store.intent_state(carrier_id)
        if state is None:
            raise InvariantBroken(
                f"intent {claimed.intent.intent_id.hex()} waits for carrier {carrier_id.hex()}, "
                "which the journal does not know"
            )
        return state not in (IntentState.FAILED, IntentState.CANCELLED)

    def _death(self, claimed: Claimed, at: Snapshot) -> Death:
        return judge_death(
            deadline_s=claimed.intent.deadline_s, finalized_time_s=at.finalized_time_s
        )

    def _is_stale(self, claimed: Claimed, at: Snapshot) -> bool:
        return self._death(claimed, at) is Death.STALE

    # -- ends -------------------------------------------------------------------------------

    def _finish_paid(self, claimed: Claimed, views: Views, at: Snapshot) -> Step:
        """End as paid: by our transaction, or adopted when the key was used by another."""
        ours = self._ours(views)
        tx_id, height = (ours[0][0], ours[0][1].height) if ours else (None, None)
        if not self.chain.slot_rules.atomic:
            # What paid came after our transaction; it had come by the block the key was read at.
            height = None
        self.store.finish_final(
            claimed,
            tx_id=tx_id,
            height=at.finalized_height if height is None else height,
            postings=paid(claimed.intent, at_ns=at.finalized_time_s * NS_PER_S),
        )
        return self._moved(claimed, Step.FINAL, tx_id)

    def _finish_dead(self, claimed: Claimed, at: Snapshot, why: str) -> Step:
        """End as never paid; only called with the key not used at the finalized block."""
        self.store.finish_failed(
            claimed,
            height=at.finalized_height,
            proof=_proof(at, why)
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

    def _clear_lane(self, claimed: Claimed, at: Snapshot) -> Step:
        """Free the lane of an intent's slot that outlived it; nothing is paid here."""
        slot = claimed.slot
        if slot is None:
            return Step.WAITED
        match self.chain.slot_state(slot, claimed.intent, at=at):
            case SlotState.SPENT:
                self.store.retire_slot(
                    claimed,
                    height=at.finalized_height,
                    proof=_proof(at, "its slot is used up at a finalized block"),
                )
                return Step.RETIRED
            case SlotState.OPEN if self._is_in_the_way(slot) or self._mode() is Mode.CANCEL_ONLY:
                return self._burn(claimed, slot)
            case _:
                return Step.WAITED

    # -- no bytes out -----------------------------------------------------------------------

    def _from_ready(self, claimed: Claimed, at: Snapshot) -> Step:
        if claimed.slot is not None:
            return self._use_slot(claimed, claimed.slot, at)
        if is_carrier(claimed.intent) and claimed.generation > 0:
            # One slot a carrier: what did not land under it settles gross, while there is time.
            return self._finish_dead(claimed, at, "its slot is retired with the keys unset")
        if self._is_too_late(claimed, at) or self._mode() is not Mode.LIVE:
            return Step.WAITED
        if self._is_carried(claimed):
            return Step.WAITED
        return self._open_slot(claimed, at)

    def _use_slot(self, claimed: Claimed, slot: Slot, at: Snapshot) -> Step:
        """Sign for a slot that was claimed and never signed for, or free it."""
        match self.chain.slot_state(slot, claimed.intent, at=at):
            case SlotState.UNKNOWN:
                return Step.WAITED
            case SlotState.SPENT if not self._bounds_of(claimed).sequenced:
                return self._retire(claimed, at, "its slot was used by another sender")
            case _:
                pass  # a number that went on: asked again, a refused payment costs no generation
        if self._mode() is Mode.CANCEL_ONLY:
            return self._burn(claimed, slot)
        if self._is_too_late(claimed, at):
            return self._burn(claimed, slot) if self._is_in_the_way(slot) else Step.WAITED
        return self._pay(claimed, slot, bump=0, at=at)

    # -- bytes out --------------------------------------------------------------------------

    def _track(self, claimed: Claimed, views: Views, at: Snapshot) -> Step:
        """Follow signed bytes; the key is unset at the finalized block."""
        if claimed.slot is None or not claimed.attempts:
            raise InvariantBroken(
                f"intent {claimed.intent.intent_id.hex()} is {claimed.state} without an attempt"
            )
        if self.chain.slot_rules.atomic and any(_is_final(view) for _, view in views):
            return self._retire(claimed, at, "its transaction paid nothing at a finalized block")
        for attempt, view in views:
            if view.answer is Answer.FOUND:
                return self._landed(claimed, attempt, view)
        if claimed.state is IntentState.CONFIRMED:
            self.store.mark_unlanded(claimed)
            return Step.UNLANDED
        return self._not_found(claimed, claimed.slot, at)

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

    def _not_found(self, claimed: Claimed, slot: Slot, at: Snapshot) -> Step:
        match self.chain.slot_state(slot, claimed.intent, at=at):
            case SlotState.UNKNOWN:
                return Step.WAITED
            case SlotState.SPENT:
                return self._retire(claimed, at, "its slot is used up at a finalized block")
            case SlotState.OPEN:
                pass
        last = claimed.attempts[-1]
        if last.purpose is Purpose.BURN or self._mode() is Mode.CANCEL_ONLY:
            return self._burn(claimed, slot)
        raised = self._raise_fee(claimed, slot, at)
        # The same bytes again: a timeout never opens a second way to pay.
        return self._send(claimed, last) if raised is None else raised

    def _retire(self, claimed: Claimed, at: Snapshot, why: str) -> Step:
        """Give up a slot whose bytes can never land; the key is unset at the same snapshot."""
        if claimed.generation >= GENERATION_MAX:
            return self._quarantine(claimed, f"{GENERATION_MAX} slots are used up: {why}")
        self.store.retire_slot(claimed, height=at.finalized_height, proof=_proof(at, why))
        return Step.RETIRED


def _waits_for_room(claimed: Claimed) -> bool:
    """Tell whether an intent would ask for a slot next."""
    return claimed.state is IntentState.READY and claimed.slot is None


def _is_final(view: TxView) -> bool:
    return view.answer is Answer.FOUND and view.finalized


def _proof(at: Snapshot, why: str) -> dict[str, Json]:
    return {
        "why": why,
        "height": at.finalized_height,
        "block_hash": at.finalized_hash,
        "witnesses": at.witnesses,
    }

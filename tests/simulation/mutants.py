"""Drivers, journals and chains with one rule taken out each; every one of them pays for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from journal_memory import Entry, MemoryJournal
from simulation.nodes import SimChain

from dmm.ports import Answer, SignRequest, SlotOffer, Snapshot, TxView
from dmm.settlement.carrier import is_carrier
from dmm.settlement.intent import Attempt, Claimed, Intent, Purpose, Slot
from dmm.settlement.lifecycle import BUMP_MAX, Death, LaneBounds
from dmm.units.errors import OutcomeUnknown
from dmm.usecases.driver import Driver
from dmm.usecases.lanes import Mode, Step

Views = Sequence[tuple[Attempt, TxView]]


class SendBeforeStore(Driver):
    def _store_and_send(self, claimed: Claimed, attempt: Attempt) -> Step:
        if not self._allows(attempt.purpose):
            return Step.WAITED
        self.chain.send(attempt.raw)
        self.store.store_attempt(claimed, attempt)
        return Step.SENT


class NewSlotOnTimeout(Driver):
    def _not_found(self, claimed: Claimed, slot: Slot, at: Snapshot) -> Step:
        return self._retire(claimed, at, "no node has seen it for a while")


class ErrorMeansNotSent(Driver):
    def _send(self, claimed: Claimed, attempt: Attempt) -> Step:
        if not self._allows(attempt.purpose):
            return Step.WAITED
        try:
            self.chain.send(attempt.raw)
        except OutcomeUnknown:
            self.store.retire_slot(claimed, height=0, proof={"why": "the node did not answer"})
            return Step.RETIRED
        return Step.SENT


class FinalAtHead(Driver):
    def _is_paid(self, key: Answer, views: Views) -> bool:
        seen = any(
            view.answer is Answer.FOUND and view.succeeded and attempt.purpose is Purpose.PAY
            for attempt, view in views
        )
        return seen or key is Answer.FOUND


class ExpiryAtHead(Driver):
    def _death(self, claimed: Claimed, at: Snapshot) -> Death:
        late = at.head_time_s > claimed.intent.deadline_s
        return Death.PROVEN if late else Death.NOT_YET


class DeathByTransport(Driver):
    def _not_found(self, claimed: Claimed, slot: Slot, at: Snapshot) -> Step:
        """Take bytes that no node knows for dead, before the deadline has passed."""
        return self._finish_dead(claimed, at, "no node knows it any more")


class TrustsSweptKeys(Driver):
    def _death(self, claimed: Claimed, at: Snapshot) -> Death:
        late = at.finalized_time_s > claimed.intent.deadline_s
        return Death.PROVEN if late else Death.NOT_YET


class TwoSnapshots(Driver):
    def _from_ready(self, claimed: Claimed, at: Snapshot) -> Step:
        return Driver._from_ready(self, claimed, self.chain.snapshot())


class UnknownIsAbsent(Driver):
    def _is_unknown(self, key: Answer, views: Views) -> bool:
        return False


class IgnoresTheKillSwitch(Driver):
    def _allows(self, purpose: Purpose) -> bool:
        return self.store.adopt_only(self.chain.name) is None


class SignsAfterARestore(Driver):
    def _mode(self) -> Mode:
        self.store.adopt_only(self.chain.name)
        latch = self.store.latch()
        return Mode.CANCEL_ONLY if latch is not None and latch.killed else Mode.LIVE


class PendingIsPaid(Driver):
    def _is_paid(self, key: Answer, views: Views) -> bool:
        return key in (Answer.FOUND, Answer.PENDING)


class BumpsWhereNothingReplaces(Driver):
    def _raise_fee(self, claimed: Claimed, slot: Slot, at: Snapshot) -> Step | None:
        last = claimed.attempts[-1]
        if last.bump < BUMP_MAX and not self._is_too_late(claimed, at):
            return self._pay(claimed, slot, bump=last.bump + 1)
        return None


class NeverBurns(Driver):
    def _burn(self, claimed: Claimed, slot: Slot) -> Step:
        return Step.WAITED


class SettlesBesideItsNet(Driver):
    def _is_carried(self, claimed: Claimed) -> bool:
        """Take a quote for free while its net is on its way."""
        return False


class GivesUpANetInFlight(Driver):
    def _not_found(self, claimed: Claimed, slot: Slot, at: Snapshot) -> Step:
        """Take a net that no node has seen for one that will never land."""
        if is_carrier(claimed.intent):
            return self._finish_dead(claimed, at, "no node knows it any more")
        return Driver._not_found(self, claimed, slot, at)


class ResignsLanded(Driver):
    """Takes a landed transaction that a fork took away for one that was never sent."""

    def _track(self, claimed: Claimed, views: Views, at: Snapshot) -> Step:
        found = any(view.answer is Answer.FOUND for _, view in views)
        if not found and any(a.landed_height is not None for a in claimed.attempts):
            return self._retire(claimed, at, "a fork took it away")
        return Driver._track(self, claimed, views, at)


# -- journals ---------------------------------------------------------------------------------


class LostUpdate(MemoryJournal):
    """Reads the lane and writes it back later: the write of another is lost."""

    def allocate_slot(self, claimed: Claimed, **terms: Any) -> int | None:
        lane = (claimed.intent.chain, str(terms["signer"]))
        read = self._lanes.get(lane, 0)
        if read:
            self._lanes[lane] = read - 1
            self._slots.pop((*lane, read - 1), None)
        return MemoryJournal.allocate_slot(self, claimed, **terms)


class NoFence(MemoryJournal):
    def _held(self, claimed: Claimed) -> Entry:
        return self.entries[claimed.intent.intent_id]


class NoBounds(MemoryJournal):
    def _has_room(self, intent: Intent, bounds: LaneBounds) -> bool:
        return True


class ForgetsTheFence(MemoryJournal):
    """Gives work out again under the fence of the worker before."""

    def claim_due(self, **terms: Any) -> Claimed | None:
        claimed = MemoryJournal.claim_due(self, **terms)
        if claimed is None or claimed.fence < 2:
            return claimed
        self.entries[claimed.intent.intent_id].fence -= 2
        return replace(claimed, fence=claimed.fence - 2)


class ChangesBytes(MemoryJournal):
    """Keeps other bytes than were signed."""

    def store_attempt(self, claimed: Claimed, attempt: Attempt) -> None:
        MemoryJournal.store_attempt(self, claimed, replace(attempt, raw=attempt.raw + b" "))


class PostsNothing(MemoryJournal):
    """Ends an intent without its postings."""

    def finish_final(self, claimed: Claimed, **terms: Any) -> None:
        MemoryJournal.finish_final(self, claimed, **(terms | {"postings": ()}))


class EndsTwice(MemoryJournal):
    """Lets a paid intent go on."""

    def release(self, claimed: Claimed, *, due_in_s: float) -> None:
        MemoryJournal.release(self, claimed, due_in_s=due_in_s)
        for entry in self.entries.values():
            if entry.final is not None:
                entry.state, entry.due_ns = entry.state.READY, 2**62


# -- chains -----------------------------------------------------------------------------------


class LaneFromHead(SimChain):
    def slot_offer(self, signer: str, *, at: Snapshot) -> SlotOffer | None:
        return self._agreed(at, lambda head, _f, _l: SlotOffer(floor=head.nonces.get(signer, 0)))


class KeyPerAttempt(SimChain):
    def replay_key(self, request: SignRequest) -> str:
        return f"{request.intent.intent_id.hex()}/{request.generation}"

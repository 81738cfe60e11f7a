"""How the driver gets at a send slot, signs for it, and frees a lane that waits for it.

Bytes are stored before they are sent. What may be signed and sent is asked again right before:
nothing that moves money while the kill switch holds, nothing at all while a restored journal has
not been adopted.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum

from dmm import observe
from dmm.ports import Chain, Signer, Snapshot, Store
from dmm.settlement.intent import Attempt, AttemptState, Claimed, Purpose, Slot
from dmm.settlement.lifecycle import BUMP_MAX, BURN_BUMP_MAX, SIGN_MARGIN_S, LaneBounds
from dmm.units.errors import Permanent


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
    CROWDED = "crowded"
    """As much is on its way as may be: the slot comes later."""
    REFUSED = "refused"
    """The signer, or a node, will not take it as it is: nothing was sent."""
    SENT = "sent"
    BURNT = "burnt"
    """Bytes that use the slot up, and pay nothing, were sent."""
    LANDED = "landed"
    UNLANDED = "unlanded"
    RETIRED = "retired"
    FINAL = "final"
    FAILED = "failed"
    QUARANTINED = "quarantined"


class Mode(Enum):
    """What may be signed and sent now."""

    LIVE = "live"
    CANCEL_ONLY = "cancel_only"
    """The kill switch holds: slots may be burnt, and nothing else."""
    ADOPT_ONLY = "adopt_only"
    """The journal was restored: the chain is read, nothing is signed or sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    """The driver's ports, pace and bounds, and what it does with slots."""

    store: Store
    chain: Chain
    signer: Signer
    pace: Pace
    bounds: LaneBounds = field(default_factory=LaneBounds)

    def _mode(self) -> Mode:
        if self.store.adopt_only(self.chain.name) is not None:
            return Mode.ADOPT_ONLY
        latch = self.store.latch()
        return Mode.CANCEL_ONLY if latch is not None and latch.killed else Mode.LIVE

    def _allows(self, purpose: Purpose) -> bool:
        mode = self._mode()
        return mode is Mode.LIVE or (mode is Mode.CANCEL_ONLY and purpose is Purpose.BURN)

    # -- paying -----------------------------------------------------------------------------

    def _open_slot(self, claimed: Claimed, at: Snapshot) -> Step:
        address = self.signer.address(self.chain.name, claimed.intent.kind.value)
        offer = self.chain.slot_offer(address, at=at)
        if offer is None:
            return Step.WAITED
        number = self.store.allocate_slot(
            claimed,
            signer=address,
            finalized_slot=offer.floor,
            expires=offer.expires,
            anchor=offer.anchor,
            bounds=self._bounds_of(claimed),
        )
        if number is None:
            return Step.CROWDED
        slot = Slot(
            signer=address,
            slot=number,
            generation=claimed.generation,
            expires=offer.expires,
            anchor=offer.anchor,
        )
        return self._pay(claimed, slot, bump=0, at=at)

    def _bounds_of(self, claimed: Claimed) -> LaneBounds:
        sequenced = self.chain.slot_rules.sequenced
        if claimed.intent.kind not in sequenced:
            return self.bounds
        return replace(self.bounds, sequenced=sequenced)

    def _pay(self, claimed: Claimed, slot: Slot, *, bump: int, at: Snapshot | None = None) -> Step:
        try:
            attempt = self._signed(claimed, slot, bump=bump, purpose=Purpose.PAY, at=at)
        except Permanent as fault:
            if not self._is_in_the_way(slot):
                raise
            # Others wait for this slot, and what the signer refuses it may refuse for long.
            observe.intent_refused(intent_id=claimed.intent.intent_id.hex(), reason=str(fault))
            return self._burn(claimed, slot)
        return Step.WAITED if attempt is None else self._store_and_send(claimed, attempt)

    def _raise_fee(self, claimed: Claimed, slot: Slot, at: Snapshot) -> Step | None:
        """Sign the same slot again for more; None when that is not due or not possible."""
        last = claimed.attempts[-1]
        if not self._is_bump_due(claimed) or not self.chain.slot_rules.replaces:
            return None
        if last.bump < BUMP_MAX and not self._is_too_late(claimed, at):
            return self._pay(claimed, slot, bump=last.bump + 1, at=at)
        # The fee is at its cap, or the payment would be refused: the rescue budget frees the lane.
        return self._burn(claimed, slot) if self._is_in_the_way(slot) else None

    def _is_bump_due(self, claimed: Claimed) -> bool:
        return claimed.fence % self.pace.looks_per_bump == 0

    def _is_too_late(self, claimed: Claimed, at: Snapshot) -> bool:
        return at.head_time_s + SIGN_MARGIN_S > claimed.intent.deadline_s

    def _is_in_the_way(self, slot: Slot) -> bool:
        return slot.blocks_others and self.chain.slot_rules.burns

    # -- burning ----------------------------------------------------------------------------

    def _burn(self, claimed: Claimed, slot: Slot) -> Step:
        """Use the slot up by an empty transaction; where slots expire by themselves, wait.

        Payment and burn exclude each other by the slot, so it does not matter which one lands.
        """
        if not self.chain.slot_rules.burns:
            return Step.WAITED
        burns = [a for a in claimed.attempts if a.purpose is Purpose.BURN]
        if burns and (burns[-1].bump >= BURN_BUMP_MAX or not self._is_bump_due(claimed)):
            return self._send(claimed, burns[-1])
        bump = claimed.attempts[-1].bump + 1 if claimed.attempts else 0
        attempt = self._signed(claimed, slot, bump=bump, purpose=Purpose.BURN)
        return Step.WAITED if attempt is None else self._store_and_send(claimed, attempt)

    # -- signing and sending ----------------------------------------------------------------

    def _signed(
        self,
        claimed: Claimed,
        slot: Slot,
        *,
        bump: int,
        purpose: Purpose,
        at: Snapshot | None = None,
    ) -> Attempt | None:
        request = self.chain.sign_request(
            claimed.intent,
            generation=slot.generation,
            bump=bump,
            slot=slot.slot,
            purpose=purpose,
            expires=slot.expires,
            anchor=slot.anchor,
        )
        if not self._allows(purpose):
            return None
        if at is not None:
            # The signer counts a day's caps by the time of the chain it pays on.
            request = replace(request, chain_time_s=at.head_time_s)
        signed = self.signer.sign(request)
        return Attempt(
            tx_id=signed.tx_id,
            intent_id=claimed.intent.intent_id,
            generation=slot.generation,
            bump=bump,
            chain=self.chain.name,
            signer=signed.signer,
            slot=slot.slot,
            raw=signed.raw,
            fee_atoms_max=signed.fee_atoms_max,
            state=AttemptState.SIGNED,
            purpose=purpose,
        )

    def _store_and_send(self, claimed: Claimed, attempt: Attempt) -> Step:
        self.store.store_attempt(claimed, attempt)
        return self._send(claimed, attempt)

    def _send(self, claimed: Claimed, attempt: Attempt) -> Step:
        if not self._allows(attempt.purpose):
            return Step.WAITED
        # A refusal by every node proves nothing: only the chain tells what becomes of the slot.
        self.chain.send(attempt.raw)
        self.store.mark_broadcast(claimed, attempt.tx_id)
        return Step.SENT if attempt.purpose is Purpose.PAY else Step.BURNT

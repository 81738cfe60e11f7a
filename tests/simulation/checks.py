"""What must hold at every moment, by number; told by somebody who knows the whole chain."""

from __future__ import annotations

from collections import Counter
from typing import Any

from simulation.chain_model import ChainModel, Tx
from simulation.nodes import member_keys

from dmm.ledger.account import AccountKind
from dmm.ports import SignRequest
from dmm.settlement.batch import account
from dmm.settlement.carrier import carrier_of, is_carrier
from dmm.settlement.intent import Attempt, AttemptState, Claimed, Intent, IntentState, Purpose
from dmm.settlement.lifecycle import LaneBounds
from dmm.units.ids import Hash32

FUNDING = 1_000
DECIDES = frozenset(
    {"allocate_slot", "store_attempt", "retire_slot", "finish_final", "finish_failed"}
)
"""Writes that rest on what the chain said."""

WRITES = DECIDES | {"mark_broadcast", "mark_landed", "mark_unlanded", "quarantine", "release"}
ENDS = ("finish_final", "finish_failed")


class Violation(AssertionError):
    """An invariant broke."""

    def __init__(self, invariant: int, what: str) -> None:
        super().__init__(f"invariant {invariant}: {what}")
        self.invariant = invariant


class Checks:
    """The invariants of the driver. The world below holds journal, chain and signer."""

    model: ChainModel
    journal: Any
    bounds: LaneBounds
    plans: dict[Hash32, Intent]
    bytes_of: dict[bytes, Tx]
    quorum: int

    def __init__(self) -> None:
        self.checked: Counter[int] = Counter()
        """How often each invariant was looked at where it could have broken."""
        self.raw_of: dict[str, bytes] = {}
        self.ended: dict[Hash32, IntentState] = {}
        self.forget()

    def forget(self) -> None:
        """Start anew what a restored journal cannot know."""
        self.slot_owner: dict[tuple[str, int], Hash32] = {}
        self.marks: dict[Hash32, tuple[int, int]] = {}
        self.ended = {}

    # -- around every call of the journal -----------------------------------------------------

    def before(self, name: str, chain: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if name not in WRITES:
            return
        claimed: Claimed = args[0]
        self._check_basis(name, chain)
        match name:
            case "retire_slot":
                self._check_retired(claimed)
            case "finish_final":
                self._check_final(claimed)
            case "finish_failed":
                self._check_failed(claimed)
            case "store_attempt":
                self._check_attempt(args[1])

    def _check_basis(self, name: str, chain: Any) -> None:
        if name in DECIDES or name.startswith("mark_"):
            self.checked[28] += 1
            self.checked[29] += 1
            if len(chain.used) > 1:
                raise Violation(28, f"{name} was decided from {len(chain.used)} snapshots")
            if chain.unknown:
                raise Violation(29, f"{name} was decided while an answer was unknown")
        if name in ENDS:
            self.checked[38] += 1
        if name in ENDS and chain.key_witnesses < 2:
            raise Violation(38, f"{name} rests on {chain.key_witnesses} node")

    def after(
        self, name: str, chain: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any
    ) -> None:
        if name in ("latch", "adopt_only"):
            held = result is not None and (name == "adopt_only" or result.killed)
            chain.seen = getattr(chain, "seen", {}) | {name: held}
        if name in WRITES:
            self._check_fence(name, args[0])
        if name == "allocate_slot" and result is not None:
            self._check_slot(args[0], kwargs["signer"], result)

    def _check_retired(self, claimed: Claimed) -> None:
        slot = claimed.slot
        if slot is None:
            return
        for tx in self.bytes_of.values():
            if (tx.signer, tx.slot, tx.pays) != (slot.signer, slot.slot, True):
                continue
            self.checked[14] += 1
            signed = any(a.tx_id == tx.tx_id for a in claimed.attempts)
            if signed and self.model.can_land(tx):
                raise Violation(14, f"{tx.tx_id} can still land, its slot was retired")

    def _check_final(self, claimed: Claimed) -> None:
        self.checked[12] += 1
        if not self._is_paid(claimed.intent):
            raise Violation(12, f"{claimed.intent.ordinal} ends FINAL, unpaid where it is final")

    def _is_paid(self, intent: Intent) -> bool:
        """Tell whether it is paid where that is final; of a carrier, everything it settles."""
        keys = member_keys(intent) or (intent.intent_id.hex(),)
        return all(key in self.model.head.final.paid for key in keys)

    def _check_failed(self, claimed: Claimed) -> None:
        self.checked[35] += 1
        final, key = self.model.head.final, claimed.intent.intent_id.hex()
        if final.time_s <= claimed.intent.deadline_s and final.keys.get(key) != "refunded":
            if not is_carrier(claimed.intent):
                raise Violation(35, f"{claimed.intent.ordinal} ends FAILED before its deadline")
            self._check_given_up(claimed.intent.intent_id, "a carrier ends FAILED")

    def _check_given_up(self, carrier_id: Hash32, what: str) -> None:
        """Refuse what rests on a carrier's end while its bytes may still settle its members."""
        self.checked[41] += 1
        for tx in self.bytes_of.values():
            if tx.key != carrier_id.hex() or not tx.pays:
                continue
            in_time = self.model.head.final.time_s <= tx.deadline_s
            if in_time and self.model.can_land(tx):
                raise Violation(41, f"{what} while {tx.tx_id} can still land")

    def _check_attempt(self, attempt: Attempt) -> None:
        self.checked[5] += 1
        if self.raw_of.setdefault(attempt.tx_id, attempt.raw) != attempt.raw:
            raise Violation(5, f"the bytes of {attempt.tx_id} were changed")

    def _check_fence(self, name: str, claimed: Claimed) -> None:
        entry = self.journal.entries[claimed.intent.intent_id]
        self.checked[11] += 1
        if (entry.fence, entry.owner) != (claimed.fence, claimed.owner):
            raise Violation(11, f"{name} by {claimed.owner}, who lost the fence")

    def _check_slot(self, claimed: Claimed, signer: str, slot: int) -> None:
        intent_id = claimed.intent.intent_id
        self.checked[6] += 1
        if self.slot_owner.setdefault((signer, slot), intent_id) != intent_id:
            raise Violation(6, f"slot {slot} of {signer} belongs to two intents")
        if self.model.kind == "evm":
            for below in range(self.model.head.final.nonces.get(signer, 0), slot):
                self.checked[7] += 1
                if self.journal._slots.get(("evm", signer, below)) is None:
                    raise Violation(7, f"slot {below} of {signer} belongs to nobody")

    # -- before the signer and the nodes ------------------------------------------------------

    def _check_latches(self, chain: Any, *, pays: bool, what: str) -> None:
        seen = getattr(chain, "seen", {})
        self.checked[34] += 1
        if seen.get("adopt_only", True):
            raise Violation(34, f"{what} while a restored journal is not adopted")
        self.checked[22] += 1
        if pays and seen.get("latch", True):
            raise Violation(22, f"{what} without a look at the kill switch")
        chain.seen = {}

    def about_to_sign(self, chain: Any, request: SignRequest) -> None:
        pays = request.purpose is Purpose.PAY
        self._check_latches(chain, pays=pays, what="a signature is asked for")
        if chain.unknown:
            raise Violation(29, "a signature is asked for while an answer was unknown")
        carrier_id = carrier_of(request.intent)
        if pays and carrier_id is not None:
            self._check_given_up(carrier_id, "a member is signed for")

    def about_to_send(self, chain: Any, tx: Tx, raw: bytes) -> None:
        self._check_latches(chain, pays=tx.pays, what="bytes are sent")
        attempts = [a for e in self.journal.entries.values() for a in e.attempts]
        stored = [a for a in attempts if a.tx_id == tx.tx_id]
        self.checked[4] += 1
        if not stored:
            raise Violation(4, f"{tx.tx_id} was sent before it was stored")
        if stored[0].raw != raw:
            raise Violation(5, f"the bytes of {tx.tx_id} were changed")
        self.checked[36] += 1
        if tx.key != stored[0].intent_id.hex():
            raise Violation(36, f"{tx.tx_id} carries a key that is not its intent's")

    # -- at any moment ------------------------------------------------------------------------

    def check_now(self) -> None:
        for key, times in self.model.head.paid.items():
            self.checked[1] += 1
            if times > 1:
                raise Violation(1, f"{key[:12]} was paid {times} times")
        for entry in self.journal.entries.values():
            self._check_entry(entry)
        value: dict[str, int] = {}
        for intent, state, _ in self.journal.live_slots("evm"):
            if state.is_open or state is IntentState.QUARANTINED:
                value[intent.kind] = value.get(intent.kind, 0) + intent.amount
        bound = self.bounds.value_atoms_max.get("DCT")
        self.checked[43] += 1
        if bound is not None and max(value.values(), default=0) > bound:
            raise Violation(43, f"{value} atoms are on their way, {bound} are allowed")

    def _check_entry(self, entry: Any) -> None:
        intent_id, key = entry.intent.intent_id, entry.intent.intent_id.hex()
        fence, generation = self.marks.get(intent_id, (0, 0))
        self.checked[10] += 1
        if entry.fence < fence or entry.generation < generation:
            raise Violation(10, f"fence or generation of {entry.intent.ordinal} went back")
        self.marks[intent_id] = (entry.fence, entry.generation)
        self.checked[2] += 1
        if sum(a.state is AttemptState.FINAL_OK for a in entry.attempts) > 1:
            raise Violation(2, "two attempts are FINAL_OK")
        before = self.ended.get(intent_id)
        self.checked[9] += before is not None
        if before is not None and entry.state is not before:
            raise Violation(9, f"{entry.intent.ordinal} went from {before} to {entry.state}")
        if entry.state in (IntentState.FINAL, IntentState.FAILED):
            self.ended[intent_id] = entry.state
        if entry.state is IntentState.FINAL and not self._is_paid(entry.intent):
            raise Violation(12, f"{entry.intent.ordinal} is FINAL but not paid where it is final")
        self.checked[13] += entry.state is IntentState.FAILED
        if entry.state is IntentState.FAILED and key in self.model.head.paid:
            raise Violation(13, f"{entry.intent.ordinal} is FAILED but was paid")

    def held(self) -> dict[AccountKind, int]:
        kinds = (AccountKind.AVAILABLE, AccountKind.PENDING, AccountKind.PAID)
        return {kind: self.journal.balance(account("treasury", "DCT", kind)) for kind in kinds}

    def check_end(self) -> None:
        for tx in list(self.bytes_of.values()):
            if tx.tx_id in self.model.known:
                self.model.accept(tx)
        for _ in range(6 + self.model.finality):
            self.model.mine()
            self.check_now()
        self.checked[15] += 1
        still = [i.ordinal for i, state in self.journal.intents() if state.is_open]
        if still:
            raise Violation(15, f"intents {still} never ended")
        self.checked[17] += 1
        self.checked[20] += 1
        held = self.held()
        if sum(held.values()) != FUNDING:
            raise Violation(17, f"available + pending + paid is {sum(held.values())}")
        amounts = {intent_id.hex(): intent.amount for intent_id, intent in self.plans.items()}
        doubt = {i.intent_id.hex() for i, s in self.journal.intents() if not _is_certain(s)}
        spent = sum(
            amounts.get(key, 0) * times
            for key, times in self.model.head.paid.items()
            if key not in doubt
        )
        if held[AccountKind.PAID] != spent:
            raise Violation(20, f"the ledger has paid {held[AccountKind.PAID]}, the chain {spent}")


def _is_certain(state: IntentState) -> bool:
    return state is not IntentState.QUARANTINED

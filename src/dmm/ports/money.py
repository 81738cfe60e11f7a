"""The journal of money: intents and their attempts, the ledger, what a restore left open."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from dmm.ledger.account import Account
from dmm.ledger.journal import Posting
from dmm.settlement.intent import Attempt, Claimed, Intent, IntentKind, IntentState, Slot
from dmm.settlement.lifecycle import LaneBounds
from dmm.units.amount import Atoms
from dmm.units.ids import Hash32, Json
from dmm.units.time import Nanos


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

    def claim_batch(
        self, *, chain: str, owner: str, lease_s: int, limit: int, full: Collection[IntentKind] = ()
    ) -> list[Claimed]:
        """Lease up to `limit` intents that are due longest, as `claim_due` does one.

        Parameters
        ----------
        full : kinds of which those that hold no slot yet are left out
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

        None when a bound is reached, or another open intent of a kind in `bounds.sequenced` has the
        anchor, by stored bytes or under another worker's lease: nothing was claimed, asking again
        later is right.

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

    def release_batch(self, given_back: Sequence[tuple[Claimed, float]]) -> int:
        """Give leases back, each due again after so many seconds; return how many still held.

        A claim that no longer holds changes nothing and stops no other.
        """
        ...

    def open_count(self, chain: str) -> int:
        """Return how many intents of a chain have not ended."""
        ...

    def intents(self, run_id: str | None = None) -> list[tuple[Intent, IntentState]]:
        """Return intents with their state, of one run's epochs or of all."""
        ...

    def intent_state(self, intent_id: Hash32) -> IntentState | None:
        """Return an intent's state now; None when the journal does not know it."""
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

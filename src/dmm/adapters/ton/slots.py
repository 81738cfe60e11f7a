"""What a send slot is under each of the two wallets that may carry our messages.

Under highload v3 it is a query id: no message waits for another. Under wallet v5 it is the wallet's
next number, which the slot's anchor names, so that at most one open payment has it. Neither wallet
knows what became of what it sent; only the key in our contracts says whether something was paid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from dmm.adapters.ton.codec import account
from dmm.adapters.ton.wallet import TIMEOUT_S, Wallet
from dmm.ports import SlotOffer, SlotRules, SlotState, Snapshot
from dmm.settlement.intent import Intent, IntentKind, Slot

OWN_MESSAGES = frozenset({IntentKind.REWARD, IntentKind.BUYBACK})
"""What our own wallet sends; an accepted quote is its taker's message, which we only hand in."""

VALID_S = 21_600
"""How long after its offer a message of wallet v5 is taken. Eight of them, as many slots as a
payment may use up, last longer than the day that a payment has."""

Seqno = Callable[[str, Snapshot], int | None]
"""A wallet's next number as of a snapshot's block; None when too few servers say so alike."""


class Slots(Protocol):
    """The slots of one wallet."""

    @property
    def rules(self) -> SlotRules:
        """Return what the driver must know of them."""
        ...

    def offer(self, signer: str, *, at: Snapshot) -> SlotOffer | None:
        """Return what a new slot would be; None when unknown."""
        ...

    def state(self, slot: Slot, intent: Intent, *, at: Snapshot) -> SlotState:
        """Tell whether a slot's bytes can still land or, once landed, still pay."""
        ...


class QueryIds:
    """Slots of a highload wallet: numbers that follow the chain's time, each used once."""

    rules = SlotRules(replaces=False, burns=False, atomic=False)

    def offer(self, signer: str, *, at: Snapshot) -> SlotOffer | None:
        """Return that any query id from now on will do, and until when it would be taken."""
        account(signer, what="signer")
        now_s = at.finalized_time_s
        return SlotOffer(floor=now_s, expires=now_s + TIMEOUT_S)

    def state(self, slot: Slot, intent: Intent, *, at: Snapshot) -> SlotState:
        """Tell whether a message can still pay: never before the intent's deadline has passed.

        The wallet may have taken it, and what it sent may still be under way; past the deadline our
        contract refuses it, whoever sends it.
        """
        del slot
        return _until_deadline(intent, at=at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """Slots of a wallet v5: its numbers, one open payment each.

    Bytes never land any more once the wallet's number has passed theirs without them, or once
    their time is over; both are read at a masterchain block. The driver asks only about bytes that
    no transaction of the wallet up to that same block holds.
    """

    seqno: Seqno

    @property
    def rules(self) -> SlotRules:
        """Return the rules of numbers: an unused one is given out again, so nothing is burnt."""
        return SlotRules(replaces=False, burns=False, atomic=False, sequenced=OWN_MESSAGES)

    def offer(self, signer: str, *, at: Snapshot) -> SlotOffer | None:
        """Return the wallet's next number, and until when a message would be taken.

        None also for a wallet that does not exist yet: it is made by its first message.
        """
        account(signer, what="signer")
        number = self.seqno(signer, at)
        if number is None:
            return None
        now_s = at.finalized_time_s
        return SlotOffer(floor=now_s, expires=now_s + VALID_S, anchor=str(number))

    def state(self, slot: Slot, intent: Intent, *, at: Snapshot) -> SlotState:
        """Tell whether the wallet can still take bytes of this number that it has not taken."""
        if intent.kind not in OWN_MESSAGES:
            return _until_deadline(intent, at=at)
        if at.finalized_time_s >= valid_until_s(expires=slot.expires, deadline_s=intent.deadline_s):
            return SlotState.SPENT
        number = self.seqno(slot.signer, at)
        if number is None:
            return SlotState.UNKNOWN
        return SlotState.SPENT if number > int(slot.anchor) else SlotState.OPEN


def slots_of(wallet: Wallet, *, seqno: Seqno) -> Slots:
    """Return the slots of the wallet that the signer's key stands behind."""
    return QueryIds() if wallet is Wallet.HIGHLOAD_V3 else Numbers(seqno=seqno)


def valid_until_s(*, expires: int, deadline_s: int) -> int:
    """Return the chain time from which on wallet v5 refuses a message.

    The contract pays at the deadline itself; a second later it would refuse what the wallet sends.
    """
    return min(expires, deadline_s + 1)


def _until_deadline(intent: Intent, *, at: Snapshot) -> SlotState:
    return SlotState.SPENT if at.finalized_time_s > intent.deadline_s else SlotState.OPEN

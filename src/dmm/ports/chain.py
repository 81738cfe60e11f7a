"""A chain as the driver and the audit see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from dmm.ports.signing import SignRequest
from dmm.settlement.chain_event import BlockRef, ChainEvent
from dmm.settlement.intent import Intent, IntentKind, Purpose, Slot
from dmm.units.amount import Atoms
from dmm.units.ids import Hash32


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
    nets_max : accepted quotes of one taker that one transaction may settle; below 2 there are no
        nets on this chain
    sequenced : kinds of intents whose slots are the signer's own next number, named by the anchor:
        bytes of one number exclude each other, so only one open intent of a signer may have it
    """

    replaces: bool
    burns: bool
    atomic: bool
    nets_max: int = 0
    sequenced: frozenset[IntentKind] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotOffer:
    """What a new slot would be; the fields are those of `dmm.settlement.intent.Slot`."""

    floor: int
    """No slot below it may be given out: those are used up at the finalized block, or, where slots
    are mere numbers, may have been given out by a journal that was lost. There they begin at the
    finalized time, one a second, so a journal from a backup repeats none of the lost one's."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What is known of an intent at one snapshot: its key, and its transactions as asked for."""

    key: Answer
    views: tuple[TxView, ...]


@runtime_checkable
class Surveys(Protocol):
    """What a chain may offer besides: the answers to many questions in one way there and back."""

    def survey(
        self, asked: Sequence[tuple[Intent, Sequence[str]]], *, at: Snapshot
    ) -> list[Sight | None]:
        """Return, for each intent with its tx ids, what `key_state` and `transaction` would.

        None for an intent whose questions cannot be put: asked alone it will say why.
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

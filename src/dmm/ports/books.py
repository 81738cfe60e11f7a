"""The chain as it was followed, and what an audit of it reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from dmm.ledger.journal import Posting
from dmm.settlement.chain_event import BlockRef, ChainEvent
from dmm.settlement.intent import Intent, IntentState
from dmm.units.ids import Hash32, Json


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

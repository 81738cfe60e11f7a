"""Intents, lanes, slots and attempts as rows; see `tables`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Column, DateTime, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from dmm.adapters.postgres.columns import (
    amount_column,
    bytes_column,
    flag_column,
    int_column,
    json_column,
    references,
    text_column,
)


class LegalTransitionRow(SQLModel, table=True):
    """A move an intent may make."""

    __tablename__ = "legal_transition"
    old_state: str = text_column(key=True)
    new_state: str = text_column(key=True)


class IntentRow(SQLModel, table=True):
    """An act on chain with its state and lease."""

    __tablename__ = "intent"
    __table_args__ = (
        references("run", "run_id"),
        references("intent", "supersedes", to=("intent_id",)),
        UniqueConstraint("kind", "chain", "vault", "scope", "epoch", "ordinal"),
        Index(
            "intent_due",
            "chain",
            "due_at",
            "recorded_no",
            postgresql_where=text("state IN ('READY', 'IN_FLIGHT', 'CONFIRMED')"),
        ),
        Index("intent_run", "run_id", "recorded_no"),
    )
    intent_id: bytes = bytes_column(key=True)
    recorded_no: int = int_column(unique=True)
    run_id: str = text_column()
    content_hash: bytes = bytes_column()
    kind: str = text_column()
    chain: str = text_column()
    contract: str = text_column()
    vault: str = text_column()
    scope: str = text_column()
    epoch: int = int_column()
    ordinal: int = int_column()
    asset: str = text_column()
    recipient: str = text_column()
    amount: int = amount_column()
    deadline_s: int = int_column()
    inputs: dict[str, Any] = json_column()
    supersedes: bytes | None = bytes_column(nullable=True)
    state: str = text_column()
    generation: int = int_column()
    fence: int = int_column()
    lease_owner: str | None = text_column(nullable=True)
    lease_until: datetime | None = Field(sa_column=Column(DateTime(timezone=True)))
    due_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    final_tx_id: str | None = text_column(nullable=True)
    closed_height: int | None = int_column(nullable=True)
    proof: dict[str, Any] | None = json_column(nullable=True)
    quarantine_reason: str | None = text_column(nullable=True)


class LaneRow(SQLModel, table=True):
    """A signer's run of send slots on a chain."""

    __tablename__ = "lane"
    chain: str = text_column(key=True)
    signer: str = text_column(key=True)
    next_slot: int = int_column()


class SlotClaimRow(SQLModel, table=True):
    """A send slot and the one intent it belongs to."""

    __tablename__ = "slot_claim"
    __table_args__ = (
        references("lane", "chain", "signer"),
        references("intent", "intent_id"),
        UniqueConstraint("intent_id", "generation"),
        UniqueConstraint("chain", "signer", "slot", "intent_id", "generation"),
        Index(
            "slot_claim_live",
            "intent_id",
            unique=True,
            postgresql_where=text("retired_height IS NULL"),
        ),
    )
    chain: str = text_column(key=True)
    signer: str = text_column(key=True)
    slot: int = int_column(key=True)
    intent_id: bytes = bytes_column()
    generation: int = int_column()
    retired_height: int | None = int_column(nullable=True)
    proof: dict[str, Any] | None = json_column(nullable=True)
    expires: int = int_column()
    anchor: str = text_column()


class AttemptRow(SQLModel, table=True):
    """A signed transaction."""

    __tablename__ = "attempt"
    __table_args__ = (
        references("intent", "intent_id"),
        references("slot_claim", "chain", "signer", "slot", "intent_id", "generation"),
        UniqueConstraint("intent_id", "generation", "bump"),
        Index(
            "attempt_final", "intent_id", unique=True, postgresql_where=text("state = 'FINAL_OK'")
        ),
    )
    chain: str = text_column(key=True)
    tx_id: str = text_column(key=True)
    stored_no: int = int_column(unique=True)
    intent_id: bytes = bytes_column()
    generation: int = int_column()
    bump: int = int_column()
    signer: str = text_column()
    slot: int = int_column()
    raw: bytes = bytes_column()
    fee_atoms_max: int = amount_column()
    state: str = text_column()
    broadcasts: int = int_column()
    landed_height: int | None = int_column(nullable=True)
    landed_block: str | None = text_column(nullable=True)
    purpose: str = text_column()


class QuarantineReleaseRow(SQLModel, table=True):
    """An executed order that ended a quarantine."""

    __tablename__ = "quarantine_release"
    __table_args__ = (
        references("intent", "intent_id"),
        Index("quarantine_release_intent", "intent_id"),
    )
    order_sequence: int = int_column(key=True)
    intent_id: bytes = bytes_column()
    new_state: str = text_column()
    proof: dict[str, Any] = json_column()


class AdoptOnlyRow(SQLModel, table=True):
    """A restore's beginning or end on a chain."""

    __tablename__ = "adopt_only"
    chain: str = text_column(key=True)
    event_no: int = int_column(key=True)
    entered: bool = flag_column()
    until_s: int = int_column()
    reason: str = text_column()
    at_ns: int = int_column()
    proof: dict[str, Any] | None = json_column(nullable=True)

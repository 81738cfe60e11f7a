"""Runs, ledger and control as rows; see `tables`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import SQLModel

from dmm.adapters.postgres.columns import (
    amount_column,
    bytes_column,
    flag_column,
    int_column,
    json_column,
    references,
    text_column,
)


class RunRow(SQLModel, table=True):
    """A session of the desk."""

    __tablename__ = "run"
    __table_args__ = (Index("run_started", "started_at_ns"),)
    run_id: str = text_column(key=True)
    kind: str = text_column()
    symbol: str = text_column()
    epochs: int = int_column()
    spec: dict[str, Any] = json_column()
    started_at_ns: int = int_column()
    finished_at_ns: int | None = int_column(nullable=True)


class DecisionRow(SQLModel, table=True):
    """A link of a run's chain of decisions."""

    __tablename__ = "decision"
    __table_args__ = (
        references("run", "run_id"),
        Index("decision_epoch", "run_id", "epoch", "seq"),
    )
    run_id: str = text_column(key=True)
    seq: int = int_column(key=True)
    epoch: int = int_column()
    decided_at_ns: int = int_column()
    body: bytes = bytes_column()
    previous_hash: bytes = bytes_column()
    link_hash: bytes = bytes_column()


class FillRow(SQLModel, table=True):
    """An execution of one of our orders."""

    __tablename__ = "fill"
    __table_args__ = (
        references("run", "run_id"),
        UniqueConstraint("run_id", "venue", "ordinal"),
        Index("fill_epoch", "run_id", "epoch", "ordinal"),
    )
    fill_id: bytes = bytes_column(key=True)
    run_id: str = text_column(key=True)
    epoch: int = int_column()
    ordinal: int = int_column()
    venue: str = text_column()
    symbol: str = text_column()
    client_id: str = text_column()
    side: str = text_column()
    price: int = int_column()
    size: int = int_column()
    mid: int = int_column()
    fee_atoms: int = amount_column()
    filled_at_ns: int = int_column()
    is_hedge: bool = flag_column()


class EpochInputRow(SQLModel, table=True):
    """What an epoch is quoted with."""

    __tablename__ = "epoch_input"
    __table_args__ = (references("run", "run_id"),)
    run_id: str = text_column(key=True)
    epoch: int = int_column(key=True)
    body: dict[str, Any] = json_column()


class MarketSliceRow(SQLModel, table=True):
    """An epoch of the tape as the worker closed it; arrays are little-endian int64."""

    __tablename__ = "market_slice"
    __table_args__ = (references("run", "run_id"),)
    run_id: str = text_column(key=True)
    epoch: int = int_column(key=True)
    started_at_ns: int = int_column()
    ended_at_ns: int = int_column()
    events: int = int_column()
    decisions: int = int_column()
    quotes: int = int_column()
    fills: int = int_column()
    position_lots: int = int_column()
    mid_half_ticks: int = int_column()
    spread_captured_atoms: int = amount_column()
    fees_atoms: int = amount_column()
    bids: list[list[int]] = json_column()
    asks: list[list[int]] = json_column()
    grid_mid_half_ticks: bytes = bytes_column()
    trade_at_ns: bytes = bytes_column()
    trade_depth_half_ticks: bytes = bytes_column()
    trade_size_lots: bytes = bytes_column()
    trade_is_buy: bytes = bytes_column()


class JournalPartitionRow(SQLModel, table=True):
    """A partition of decisions, fills or slices that was ever made."""

    __tablename__ = "journal_partition"
    __table_args__ = (
        references("run", "run_id"),
        UniqueConstraint("run_id", "table_name", "first_place"),
        UniqueConstraint("partition", "run_id", "table_name"),
    )
    partition: str = text_column(key=True)
    run_id: str = text_column()
    table_name: str = text_column()
    first_place: int = int_column()
    end_place: int | None = int_column(nullable=True)


class JournalAnchorRow(SQLModel, table=True):
    """What stands for a pruned partition."""

    __tablename__ = "journal_anchor"
    __table_args__ = (
        references("journal_partition", "partition", "run_id", "table_name"),
        Index("journal_anchor_run", "run_id", "table_name", "first_place"),
    )
    partition: str = text_column(key=True)
    run_id: str = text_column()
    table_name: str = text_column()
    first_place: int = int_column()
    last_place: int = int_column()
    first_epoch: int = int_column()
    last_epoch: int = int_column()
    row_count: int = int_column()
    first_previous_hash: bytes | None = bytes_column(nullable=True)
    last_link_hash: bytes | None = bytes_column(nullable=True)
    digest: bytes = bytes_column()
    archive: str = text_column()
    operator: str = text_column()
    reason: str = text_column()
    pruned_at_ns: int = int_column()


class AccountRow(SQLModel, table=True):
    """An account with its totals."""

    __tablename__ = "account"
    __table_args__ = (UniqueConstraint("vault", "asset", "kind"),)
    account_id: str = text_column(key=True)
    vault: str = text_column()
    asset: str = text_column()
    kind: str = text_column()
    may_overdraw: bool = flag_column()
    debits: int = amount_column()
    credits: int = amount_column()


class TransferRow(SQLModel, table=True):
    """A posting."""

    __tablename__ = "transfer"
    __table_args__ = (
        references("account", "debit", to=("account_id",)),
        references("account", "credit", to=("account_id",)),
        Index("transfer_debit", "debit"),
        Index("transfer_credit", "credit"),
    )
    transfer_id: bytes = bytes_column(key=True)
    posted_no: int = int_column(unique=True)
    source_id: str = text_column(unique=True)
    debit: str = text_column()
    credit: str = text_column()
    amount: int = amount_column()
    posted_at_ns: int = int_column()


class KillSwitchRow(SQLModel, table=True):
    """A kill, or its release."""

    __tablename__ = "kill_switch"
    __table_args__ = (UniqueConstraint("kill_id", "killed"),)
    event_no: int = int_column(key=True)
    kill_id: int = int_column()
    killed: bool = flag_column()
    reason: str = text_column()
    operator: str = text_column()
    at_ns: int = int_column()
    order_sequence: int | None = int_column(nullable=True, unique=True)


class HaltLatchRow(SQLModel, table=True):
    """A halt, or its reset."""

    __tablename__ = "halt_latch"
    __table_args__ = (references("run", "run_id"),)
    event_no: int = int_column(key=True)
    halt_id: int = int_column()
    halted: bool = flag_column()
    run_id: str = text_column()
    reason: str = text_column()
    operator: str = text_column()
    at_ns: int = int_column()


class PolicyRow(SQLModel, table=True):
    """A policy that was put in force."""

    __tablename__ = "policy"
    sequence: int = int_column(key=True)
    body: bytes = bytes_column()
    previous_head: bytes = bytes_column()
    head: bytes = bytes_column(unique=True)
    chain: str = text_column()
    height: int = int_column()
    tx_id: str = text_column()
    adopted_at_ns: int = int_column()


class AuditLogRow(SQLModel, table=True):
    """A link of the audit log."""

    __tablename__ = "audit_log"
    seq: int = int_column(key=True)
    at_ns: int = int_column()
    actor: str = text_column()
    action: str = text_column()
    body: dict[str, Any] = json_column()
    record: bytes = bytes_column()
    previous_hash: bytes = bytes_column()
    link_hash: bytes = bytes_column()


class DeploymentRow(SQLModel, table=True):
    """A contract or token of ours."""

    __tablename__ = "deployment"
    chain: str = text_column(key=True)
    name: str = text_column(key=True)
    address: str = text_column()
    height: int = int_column()
    decimals: int = int_column()


class QuoteNonceRow(SQLModel, table=True):
    """A maker's next nonce."""

    __tablename__ = "quote_nonce"
    maker: str = text_column(key=True)
    next_nonce: int = int_column()


class RfqQuoteRow(SQLModel, table=True):
    """A firm quote we issued, and its acceptance."""

    __tablename__ = "rfq_quote"
    __table_args__ = (
        references("run", "run_id"),
        UniqueConstraint("maker", "nonce"),
        Index("rfq_quote_epoch", "run_id", "epoch", "nonce"),
    )
    quote_id: bytes = bytes_column(key=True)
    run_id: str = text_column()
    epoch: int = int_column()
    maker: str = text_column()
    nonce: int = int_column()
    quote: dict[str, Any] = json_column()
    maker_signature: bytes = bytes_column()
    fair_half_ticks: int = int_column()
    issued_at_ns: int = int_column()
    accepted_amount: int | None = amount_column(nullable=True)
    accepted_recipient: str | None = text_column(nullable=True)
    taker_signature: bytes = bytes_column()
    accepted_at_ns: int | None = int_column(nullable=True)

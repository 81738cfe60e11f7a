"""The chain as followed, as rows; see `tables`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import SQLModel

from dmm.adapters.postgres.columns import (
    flag_column,
    int_column,
    json_column,
    references,
    text_column,
)


class ChainBlockRow(SQLModel, table=True):
    """A block the follower read."""

    __tablename__ = "chain_block"
    __table_args__ = (
        UniqueConstraint("chain", "block_hash", "height"),
        Index("chain_block_height", "chain", "height"),
    )
    chain: str = text_column(key=True)
    block_hash: str = text_column(key=True)
    height: int = int_column()
    parent_hash: str = text_column()
    time_s: int = int_column()
    linked: bool = flag_column()


class ChainEventRow(SQLModel, table=True):
    """A log of our contracts, or a transfer of our vaults."""

    __tablename__ = "chain_event"
    __table_args__ = (references("chain_block", "chain", "block_hash"),)
    chain: str = text_column(key=True)
    block_hash: str = text_column(key=True)
    log_index: int = int_column(key=True)
    tx_id: str = text_column()
    source: str = text_column()
    name: str = text_column()
    args: dict[str, Any] = json_column()


class FinalBlockRow(SQLModel, table=True):
    """A block that counts for good."""

    __tablename__ = "final_block"
    __table_args__ = (
        UniqueConstraint("chain", "block_hash"),
        references("chain_block", "chain", "block_hash", "height"),
    )
    chain: str = text_column(key=True)
    height: int = int_column(key=True)
    block_hash: str = text_column()

"""Claims of epoch jobs and the tables their rows go to; see `tables`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Index
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


def _of_claim(table: str) -> tuple[Any, ...]:
    """Return what ties a table's rows to their claim."""
    return (
        references("run", "run_id"),
        references("epoch_claim", "job", "scope", "epoch"),
        Index(f"{table}_run", "run_id", "epoch", "ordinal"),
    )


class EpochClaimRow(SQLModel, table=True):
    """The claim on an epoch of a job's scope."""

    __tablename__ = "epoch_claim"
    __table_args__ = (references("run", "run_id"), Index("epoch_claim_run", "run_id"))
    job: str = text_column(key=True)
    scope: str = text_column(key=True)
    epoch: int = int_column(key=True)
    run_id: str = text_column()
    opened_at_ns: int = int_column()
    opened_chain_s: int = int_column()
    plan_hash: bytes | None = bytes_column(nullable=True)
    quarantined: bool = flag_column()
    note: str = text_column()
    row_counts: dict[str, int] = json_column()


class EstimateRow(SQLModel, table=True):
    """A calibrated estimate."""

    __tablename__ = "estimate"
    __table_args__ = _of_claim("estimate")
    job: str = text_column(key=True)
    scope: str = text_column(key=True)
    epoch: int = int_column(key=True)
    ordinal: int = int_column(key=True)
    run_id: str = text_column()
    symbol: str = text_column()
    kind: str = text_column()
    version: int = int_column()
    values: dict[str, Any] = json_column()
    evidence: dict[str, Any] = json_column()
    verdict: str = text_column()
    previous_hash: str = text_column()
    link_hash: str = text_column()


class HedgeOrderRow(SQLModel, table=True):
    """An order of the hedging job."""

    __tablename__ = "hedge_order"
    __table_args__ = _of_claim("hedge_order")
    job: str = text_column(key=True)
    scope: str = text_column(key=True)
    epoch: int = int_column(key=True)
    ordinal: int = int_column(key=True)
    run_id: str = text_column()
    venue: str = text_column()
    side: str = text_column()
    price: int = int_column()
    size: int = int_column()
    filled: int = int_column()
    fee_atoms: int = amount_column()
    reason: str = text_column()
    fill_id: str | None = text_column(nullable=True)


class RewardRow(SQLModel, table=True):
    """A liquidity provider's reward."""

    __tablename__ = "reward"
    __table_args__ = _of_claim("reward")
    job: str = text_column(key=True)
    scope: str = text_column(key=True)
    epoch: int = int_column(key=True)
    ordinal: int = int_column(key=True)
    run_id: str = text_column()
    program: str = text_column()
    recipient: str = text_column()
    score: int = amount_column()
    amount: int = amount_column()
    intent_id: str = text_column()


class BuybackRow(SQLModel, table=True):
    """A buyback."""

    __tablename__ = "buyback"
    __table_args__ = _of_claim("buyback")
    job: str = text_column(key=True)
    scope: str = text_column(key=True)
    epoch: int = int_column(key=True)
    ordinal: int = int_column(key=True)
    run_id: str = text_column()
    program: str = text_column()
    asset_paid: str = text_column()
    amount_paid: int = amount_column()
    asset_bought: str = text_column()
    amount_bought: int = amount_column()
    maker: str = text_column()
    quote_id: str = text_column()
    intent_id: str = text_column()


class RfqSettlementRow(SQLModel, table=True):
    """A firm quote handed to settlement."""

    __tablename__ = "rfq_settlement"
    __table_args__ = _of_claim("rfq_settlement")
    job: str = text_column(key=True)
    scope: str = text_column(key=True)
    epoch: int = int_column(key=True)
    ordinal: int = int_column(key=True)
    run_id: str = text_column()
    quote_id: str = text_column()
    nonce: int = int_column()
    maker: str = text_column()
    intent_id: str = text_column()


class DispatchRunRow(SQLModel, table=True):
    """What a sweep of the outbox did."""

    __tablename__ = "dispatch_run"
    __table_args__ = _of_claim("dispatch_run")
    job: str = text_column(key=True)
    scope: str = text_column(key=True)
    epoch: int = int_column(key=True)
    ordinal: int = int_column(key=True)
    run_id: str = text_column()
    chain: str = text_column()
    sent: int = int_column()
    final: int = int_column()
    failed: int = int_column()
    still_open: int = int_column()


class ReconRunRow(SQLModel, table=True):
    """A comparison of chain and ledger."""

    __tablename__ = "recon_run"
    __table_args__ = _of_claim("recon_run")
    job: str = text_column(key=True)
    scope: str = text_column(key=True)
    epoch: int = int_column(key=True)
    ordinal: int = int_column(key=True)
    run_id: str = text_column()
    chain: str = text_column()
    vault: str = text_column()
    asset: str = text_column()
    height: int = int_column()
    block_hash: str = text_column()
    chain_atoms: int = amount_column()
    ledger_atoms: int = amount_column()
    difference: int = amount_column()
    unexplained: int = amount_column()
    class_: str = text_column(name="class")

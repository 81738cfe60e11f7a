"""The closed map from epoch rows to columns: no name in a statement ever comes from a row."""

from __future__ import annotations

from typing import Any

from psycopg.types.json import Jsonb

from dmm.settlement.epoch import EpochRow, RowTable
from dmm.units.errors import InvariantBroken

COLUMNS: dict[RowTable, tuple[str, ...]] = {
    RowTable.ESTIMATE: (
        "symbol",
        "kind",
        "version",
        "values",
        "evidence",
        "verdict",
        "previous_hash",
        "link_hash",
    ),
    RowTable.HEDGE_ORDER: (
        "venue",
        "side",
        "price",
        "size",
        "filled",
        "fee_atoms",
        "reason",
        "fill_id",
    ),
    RowTable.REWARD: ("program", "recipient", "score", "amount", "intent_id"),
    RowTable.BUYBACK: (
        "program",
        "asset_paid",
        "amount_paid",
        "asset_bought",
        "amount_bought",
        "maker",
        "quote_id",
        "intent_id",
    ),
    RowTable.RFQ_SETTLEMENT: ("quote_id", "nonce", "maker", "intent_id"),
    RowTable.DISPATCH_RUN: ("chain", "sent", "final", "failed", "still_open"),
    RowTable.RECON_RUN: (
        "chain",
        "vault",
        "asset",
        "height",
        "block_hash",
        "chain_atoms",
        "ledger_atoms",
        "difference",
        "unexplained",
        "class",
    ),
}
"""What a row's body holds, exactly, besides run, job, scope, epoch and ordinal."""


def row_values(row: EpochRow) -> list[Any]:
    """Return a row's values in the order of its table's columns.

    Raises
    ------
    InvariantBroken
        If the body lacks a column or holds another key.
    """
    columns = COLUMNS[row.table]
    odd = sorted(set(columns) ^ set(row.body))
    if odd:
        raise InvariantBroken(
            f"{row.table.value} row {row.ordinal}: its body and the table differ in {odd}"
        )
    values = [row.body[name] for name in columns]
    return [Jsonb(value) if isinstance(value, dict | list) else value for value in values]

"""Epochs of the tape: what they are quoted with, and what the worker closed them with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from psycopg.types.json import Jsonb

from dmm.adapters.postgres.partitions import open_partitions, refuse_pruned_part
from dmm.adapters.postgres.runs import (
    EARLIER_RUNS,
    Part,
    lock_for_append,
    lock_run,
    market_of,
)
from dmm.adapters.postgres.session import Cursor
from dmm.ledger.anchor import JournalTable
from dmm.market.tape import Level
from dmm.quoting.decision import MarketSlice, SliceSummary
from dmm.units.amount import Lots, Ticks
from dmm.units.errors import InvariantBroken
from dmm.units.ids import Json
from dmm.units.time import Nanos

PAGE_SLICES = 32
"""Slices read at a time: some megabytes at the most."""

RUNS_MAX = 256
"""Earlier runs whose slices are looked for; a desk that restarts more often in a week is broken."""

_STORED = "<i8"
"""Arrays are stored as little-endian int64, whatever the machine."""

_NO_EPOCH = 2**62
"""Above every epoch: all slices of a run."""

_SELECT = """SELECT run_id, epoch, started_at_ns, ended_at_ns, events, decisions, quotes, fills,
position_lots, mid_half_ticks, spread_captured_atoms, fees_atoms, bids, asks, grid_mid_half_ticks,
trade_at_ns, trade_depth_half_ticks, trade_size_lots, trade_is_buy FROM market_slice """


class Slices(Part):
    """Implements inputs and slices of `ports.QuoteStore`."""

    def fix_epoch_inputs(self, run_id: str, epoch: int, body: dict[str, Json]) -> dict[str, Json]:
        """Record what an epoch is quoted with, once; return what was recorded first."""
        return self._session.transact(lambda cursor: _fix_inputs(cursor, run_id, epoch, body))

    def epoch_inputs(self, run_id: str, epoch: int) -> dict[str, Json] | None:
        """Return what `fix_epoch_inputs` recorded, None for an epoch that never began."""
        return self._session.transact(lambda cursor: _inputs(cursor, run_id, epoch))

    def close_slice(self, summary: SliceSummary) -> None:
        """Record an epoch's slice; the same again is a no-op, another `InvariantBroken`.

        Raises
        ------
        UsageFault
            If there is no such run, or parts of it were pruned.
        """
        self._session.transact(lambda cursor: _close(cursor, summary))

    def slice(self, run_id: str, epoch: int) -> SliceSummary | None:
        """Return an epoch's slice, or None while it is open; `UsageFault` if it was pruned."""
        row = self._session.transact(lambda cursor: _kept_row(cursor, run_id, epoch))
        return None if row is None else _from_row(row)

    def last_slice(self, run_id: str) -> SliceSummary | None:
        """Return the run's latest closed slice; `UsageFault` if it was pruned."""
        row = self._session.transact(lambda cursor: _last_row(cursor, run_id))
        return None if row is None else _from_row(row)

    def recent_slices(
        self, run_id: str, *, epoch: int, from_ns: Nanos, limit: int
    ) -> Iterator[SliceSummary]:
        """Yield closed slices of a run's market, the newest first, as `ports.QuoteStore` says.

        Each page is a transaction of its own: closed slices do not change.
        """
        earlier = self._session.transact(lambda cursor: _earlier_runs(cursor, run_id))
        left = limit
        for name, last in ((run_id, epoch), *((name, _NO_EPOCH) for name in earlier)):
            before = last + 1
            while left > 0:
                wanted = min(left, PAGE_SLICES)
                rows = self._session.transact(
                    lambda cursor, name=name, before=before, wanted=wanted: _page(  # type: ignore[misc]
                        cursor, name, before, from_ns, wanted
                    )
                )
                yield from map(_from_row, rows)
                left -= len(rows)
                if len(rows) < wanted:
                    break
                before = rows[-1][1]


def _earlier_runs(cursor: Cursor, run_id: str) -> list[str]:
    cursor.execute(
        EARLIER_RUNS + " ORDER BY r.started_at_ns DESC, r.run_id DESC LIMIT %(runs)s",
        {**market_of(run_id), "runs": RUNS_MAX},
    )
    return [name for name, _ in cursor]


def _page(
    cursor: Cursor, run_id: str, before: int, from_ns: Nanos, limit: int
) -> list[tuple[Any, ...]]:
    cursor.execute(
        _SELECT
        + """WHERE run_id = %s AND epoch < %s AND ended_at_ns > %s
             ORDER BY epoch DESC LIMIT %s""",
        [run_id, before, from_ns, limit],
    )
    return cursor.fetchall()


def _fix_inputs(cursor: Cursor, run_id: str, epoch: int, body: dict[str, Json]) -> dict[str, Json]:
    lock_run(cursor, run_id)
    cursor.execute(
        """INSERT INTO epoch_input (run_id, epoch, body) VALUES (%s, %s, %s)
           ON CONFLICT (run_id, epoch) DO NOTHING""",
        [run_id, epoch, Jsonb(body)],
    )
    fixed = _inputs(cursor, run_id, epoch)
    if fixed is None:
        raise InvariantBroken(f"inputs of epoch {epoch} of run {run_id} were taken away")
    return fixed


def _inputs(cursor: Cursor, run_id: str, epoch: int) -> dict[str, Json] | None:
    cursor.execute("SELECT body FROM epoch_input WHERE run_id = %s AND epoch = %s", [run_id, epoch])
    row = cursor.fetchone()
    return None if row is None else cast("dict[str, Json]", row[0])


def _close(cursor: Cursor, summary: SliceSummary) -> None:
    lock_for_append(cursor, summary.run_id)
    row = _to_row(summary)
    stored = _row(cursor, summary.run_id, summary.epoch)
    if stored is not None:
        if stored != row:
            raise InvariantBroken(
                f"epoch {summary.epoch} of run {summary.run_id} was closed with other content; "
                "a replay of the same tape must end the same"
            )
        return
    open_partitions(
        cursor,
        JournalTable.MARKET_SLICE,
        summary.run_id,
        first_place=summary.epoch,
        last_place=summary.epoch,
    )
    cursor.execute(
        """INSERT INTO market_slice (run_id, epoch, started_at_ns, ended_at_ns, events, decisions,
             quotes, fills, position_lots, mid_half_ticks, spread_captured_atoms, fees_atoms, bids,
             asks, grid_mid_half_ticks, trade_at_ns, trade_depth_half_ticks, trade_size_lots,
             trade_is_buy)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        [Jsonb(value) if isinstance(value, list) else value for value in row],
    )


def _kept_row(cursor: Cursor, run_id: str, epoch: int) -> tuple[Any, ...] | None:
    row = _row(cursor, run_id, epoch)
    if row is None:
        refuse_pruned_part(cursor, JournalTable.MARKET_SLICE, run_id, epoch=epoch)
    return row


def _row(cursor: Cursor, run_id: str, epoch: int) -> tuple[Any, ...] | None:
    cursor.execute(_SELECT + "WHERE run_id = %s AND epoch = %s", [run_id, epoch])
    return cursor.fetchone()


def _last_row(cursor: Cursor, run_id: str) -> tuple[Any, ...] | None:
    cursor.execute(_SELECT + "WHERE run_id = %s ORDER BY epoch DESC LIMIT 1", [run_id])
    row = cursor.fetchone()
    if row is None:
        refuse_pruned_part(cursor, JournalTable.MARKET_SLICE, run_id)
    return row


def _to_row(summary: SliceSummary) -> tuple[Any, ...]:
    market = summary.market
    return (
        summary.run_id,
        summary.epoch,
        summary.started_at_ns,
        summary.ended_at_ns,
        summary.events,
        summary.decisions,
        summary.quotes,
        summary.fills,
        summary.position,
        summary.mid,
        summary.spread_captured_atoms,
        summary.fees_atoms,
        [[int(price), int(size)] for price, size in summary.bids],
        [[int(price), int(size)] for price, size in summary.asks],
        _packed(market.mid_half_ticks),
        _packed(market.trade_at_ns),
        _packed(market.trade_depth_half_ticks),
        _packed(market.trade_size_lots),
        market.trade_is_buy.astype(np.uint8).tobytes(),
    )


def _from_row(row: tuple[Any, ...]) -> SliceSummary:
    run_id, epoch, started_at_ns, ended_at_ns, events, decisions, quotes, fills, *rest = row
    position, mid, spread_captured_atoms, fees_atoms, bids, asks, *arrays = rest
    grid, trade_at, depth, size, is_buy = arrays
    return SliceSummary(
        run_id=run_id,
        epoch=epoch,
        started_at_ns=started_at_ns,
        ended_at_ns=ended_at_ns,
        events=events,
        decisions=decisions,
        quotes=quotes,
        fills=fills,
        position=position,
        mid=mid,
        spread_captured_atoms=spread_captured_atoms,
        fees_atoms=fees_atoms,
        bids=_levels(bids),
        asks=_levels(asks),
        market=MarketSlice(
            mid_half_ticks=_unpacked(grid),
            trade_at_ns=_unpacked(trade_at),
            trade_depth_half_ticks=_unpacked(depth),
            trade_size_lots=_unpacked(size),
            trade_is_buy=np.frombuffer(is_buy, dtype=np.uint8).astype(np.bool_),
        ),
    )


def _packed(values: NDArray[np.int64]) -> bytes:
    return values.astype(_STORED).tobytes()


def _unpacked(stored: bytes) -> NDArray[np.int64]:
    return np.frombuffer(stored, dtype=_STORED).astype(np.int64)


def _levels(stored: list[list[int]]) -> tuple[Level, ...]:
    return tuple((Ticks(price), Lots(size)) for price, size in stored)

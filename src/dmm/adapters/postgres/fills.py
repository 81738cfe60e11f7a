"""Fills with their postings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dmm.adapters.postgres.ledger import post
from dmm.adapters.postgres.partitions import open_partitions, refuse_pruned_part
from dmm.adapters.postgres.runs import Part, lock_for_append
from dmm.adapters.postgres.session import Cursor
from dmm.ledger.anchor import JournalTable
from dmm.ledger.journal import Posting
from dmm.market.instrument import Side
from dmm.market.order import Fill
from dmm.units.errors import InvariantBroken

_SELECT = """SELECT fill_id, run_id, epoch, ordinal, venue, symbol, client_id, side, price, size,
mid, fee_atoms, filled_at_ns, is_hedge FROM fill """


class Fills(Part):
    """Implements the fills of `ports.QuoteStore`."""

    def append_fills(self, fills: Sequence[Fill], postings: Sequence[Posting]) -> int:
        """Book fills with their postings in one transaction; return how many were new.

        A fill already booked with the same content is a no-op, together with its postings.

        Raises
        ------
        InvariantBroken
            If a fill id is known with other content.
        UsageFault
            If there is no such run, or parts of it were pruned.
        """
        return self._session.transact(lambda cursor: _append(cursor, fills, postings))

    def fills(self, run_id: str, epoch: int | None = None) -> list[Fill]:
        """Return a run's fills by ordinal, hedges included.

        Raises
        ------
        UsageFault
            If any of them was pruned.
        """
        return self._session.transact(lambda cursor: _fills(cursor, run_id, epoch))


def _append(cursor: Cursor, fills: Sequence[Fill], postings: Sequence[Posting]) -> int:
    run_ids = sorted({fill.run_id for fill in fills})
    for run_id in run_ids:
        lock_for_append(cursor, run_id)
    cursor.execute(
        _SELECT + "WHERE run_id = ANY(%s) AND fill_id = ANY(%s)",
        [run_ids, [fill.fill_id for fill in fills]],
    )
    known = {fill.fill_id: fill for fill in map(_from_row, cursor)}
    new: list[Fill] = []
    for fill in fills:
        if fill.fill_id not in known:
            known[fill.fill_id] = fill
            new.append(fill)
        elif known[fill.fill_id] != fill:
            raise InvariantBroken(
                f"fill {fill.fill_id.hex()} is booked with other content; journal and venue "
                "disagree"
            )
    for run_id in sorted({fill.run_id for fill in new}):
        open_partitions(cursor, JournalTable.FILL, run_id, first_place=0, last_place=0)
    cursor.executemany(
        """INSERT INTO fill (fill_id, run_id, epoch, ordinal, venue, symbol, client_id, side, price,
                             size, mid, fee_atoms, filled_at_ns, is_hedge)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        [
            (
                fill.fill_id,
                fill.run_id,
                fill.epoch,
                fill.ordinal,
                fill.venue,
                fill.symbol,
                fill.client_id,
                fill.side.value,
                fill.price,
                fill.size,
                fill.mid,
                fill.fee_atoms,
                fill.filled_at_ns,
                fill.is_hedge,
            )
            for fill in new
        ],
    )
    post(cursor, postings)
    return len(new)


def _fills(cursor: Cursor, run_id: str, epoch: int | None) -> list[Fill]:
    cursor.execute(
        _SELECT
        + """WHERE run_id = %(run_id)s AND (%(epoch)s::bigint IS NULL OR epoch = %(epoch)s)
             ORDER BY ordinal, venue""",
        {"run_id": run_id, "epoch": epoch},
    )
    found = [_from_row(row) for row in cursor]
    refuse_pruned_part(cursor, JournalTable.FILL, run_id, epoch=epoch)
    return found


def _from_row(row: tuple[Any, ...]) -> Fill:
    (fill_id, run_id, epoch, ordinal, venue, symbol, client_id, side, *rest) = row
    price, size, mid, fee_atoms, filled_at_ns, is_hedge = rest
    return Fill(
        fill_id=fill_id,
        run_id=run_id,
        epoch=epoch,
        ordinal=ordinal,
        venue=venue,
        symbol=symbol,
        client_id=client_id,
        side=Side(side),
        price=price,
        size=size,
        mid=mid,
        fee_atoms=fee_atoms,
        filled_at_ns=filled_at_ns,
        is_hedge=is_hedge,
    )

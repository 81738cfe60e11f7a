"""Firm quotes we issued."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg.types.json import Jsonb

from dmm.adapters.postgres.runs import Part, lock_run
from dmm.adapters.postgres.session import Cursor
from dmm.rfq.protocol import Acceptance, FirmQuote, RfqTrade
from dmm.units.chain import address_key
from dmm.units.errors import InvariantBroken
from dmm.units.ids import Hash32

_SELECT = """SELECT quote_id, run_id, epoch, quote, maker_signature, fair_half_ticks, issued_at_ns,
accepted_amount, accepted_recipient, taker_signature, accepted_at_ns FROM rfq_quote """


class Rfq(Part):
    """Implements `ports.RfqStore`."""

    def next_quote_nonce(self, maker: str, *, at_least: int = 0) -> int:
        """Allot the maker's next nonce, densely from 0 or skipping to `at_least`, each once."""
        return self._session.transact(lambda cursor: _next_nonce(cursor, maker, at_least))

    def peek_quote_nonce(self, maker: str) -> int:
        """Return the first nonce that was not allotted to the maker; nothing is allotted."""
        return self._session.transact(lambda cursor: _peek_nonce(cursor, maker))

    def record_quote(self, trade: RfqTrade) -> None:
        """Record an issued quote before it leaves the house; the same again is a no-op.

        Raises
        ------
        InvariantBroken
            If the maker's nonce is taken by another quote.
        """
        self._session.transact(lambda cursor: _record(cursor, trade))

    def accept_quote(self, trade: RfqTrade) -> None:
        """Record the taker's acceptance; the same again is a no-op, another `InvariantBroken`."""
        self._session.transact(lambda cursor: _accept(cursor, trade))

    def rfq_trades(self, run_id: str, epoch: int) -> list[RfqTrade]:
        """Return an epoch's quotes by nonce."""
        return self._session.transact(lambda cursor: _trades(cursor, run_id, epoch))

    def rfq_issued(
        self, *, quote_ids: Sequence[Hash32], nonces: Sequence[tuple[str, int]] = ()
    ) -> list[RfqTrade]:
        """Return those quotes that we issued, by their ids or by (maker, nonce)."""
        return self._session.transact(lambda cursor: _issued(cursor, quote_ids, nonces))


def _next_nonce(cursor: Cursor, maker: str, at_least: int) -> int:
    cursor.execute(
        """INSERT INTO quote_nonce (maker, next_nonce) VALUES (%(maker)s, %(least)s + 1)
           ON CONFLICT (maker) DO UPDATE
             SET next_nonce = greatest(quote_nonce.next_nonce, %(least)s) + 1
           RETURNING next_nonce - 1""",
        {"maker": maker, "least": at_least},
    )
    return int(cursor.fetchall()[0][0])


def _peek_nonce(cursor: Cursor, maker: str) -> int:
    cursor.execute("SELECT next_nonce FROM quote_nonce WHERE maker = %s", [maker])
    row = cursor.fetchone()
    return 0 if row is None else int(row[0])


def _record(cursor: Cursor, trade: RfqTrade) -> None:
    lock_run(cursor, trade.run_id)
    known = _trade(cursor, trade.quote.quote_id)
    if known is not None:
        _check_same_quote(known, trade)
        return
    cursor.execute(
        """INSERT INTO rfq_quote (quote_id, run_id, epoch, maker, nonce, quote, maker_signature,
                                  fair_half_ticks, issued_at_ns)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        [
            trade.quote.quote_id,
            trade.run_id,
            trade.epoch,
            trade.quote.maker,
            trade.quote.nonce,
            Jsonb(trade.quote.to_json()),
            trade.maker_signature,
            trade.fair_half_ticks,
            trade.issued_at_ns,
        ],
    )


def _accept(cursor: Cursor, trade: RfqTrade) -> None:
    accepted = trade.acceptance
    if accepted is None or accepted.quote_id != trade.quote.quote_id:
        raise InvariantBroken(f"quote {trade.quote.quote_id.hex()}: there is no acceptance of it")
    lock_run(cursor, trade.run_id)
    known = _trade(cursor, trade.quote.quote_id)
    if known is None:
        raise InvariantBroken(f"quote {trade.quote.quote_id.hex()} was never issued")
    _check_same_quote(known, trade)
    if known.acceptance is not None:
        if (known.acceptance, known.taker_signature) != (accepted, trade.taker_signature):
            raise InvariantBroken(
                f"quote {trade.quote.quote_id.hex()} was accepted with other content"
            )
        return
    cursor.execute(
        """UPDATE rfq_quote SET accepted_amount = %s, accepted_recipient = %s, taker_signature = %s,
             accepted_at_ns = %s
           WHERE quote_id = %s""",
        [
            accepted.amount,
            accepted.recipient,
            trade.taker_signature,
            trade.accepted_at_ns,
            trade.quote.quote_id,
        ],
    )


def _check_same_quote(known: RfqTrade, trade: RfqTrade) -> None:
    """Refuse a quote recorded otherwise; the time of issue is that of the first record."""
    fields = ("run_id", "epoch", "quote", "maker_signature", "fair_half_ticks")
    odd = [name for name in fields if getattr(known, name) != getattr(trade, name)]
    if odd:
        raise InvariantBroken(f"quote {trade.quote.quote_id.hex()} is recorded with other {odd}")


def _trade(cursor: Cursor, quote_id: Hash32) -> RfqTrade | None:
    cursor.execute(_SELECT + "WHERE quote_id = %s", [quote_id])
    row = cursor.fetchone()
    return None if row is None else _from_row(row)


def _issued(
    cursor: Cursor, quote_ids: Sequence[Hash32], nonces: Sequence[tuple[str, int]]
) -> list[RfqTrade]:
    asked = {(address_key(maker), nonce) for maker, nonce in nonces}
    makers, numbers = [maker.lower() for maker, _ in nonces], [nonce for _, nonce in nonces]
    cursor.execute(
        _SELECT  # noqa: S608 - a constant list of columns
        + """WHERE quote_id = ANY(%s) OR (lower(maker), nonce) IN
               (SELECT * FROM unnest(%s::text[], %s::bigint[])) ORDER BY maker, nonce""",
        [list(quote_ids), makers, numbers],
    )
    # The index knows makers in lower case, and there two base58 addresses may look alike.
    return [
        trade
        for trade in map(_from_row, cursor)
        if trade.quote.quote_id in quote_ids
        or (address_key(trade.quote.maker), trade.quote.nonce) in asked
    ]


def _trades(cursor: Cursor, run_id: str, epoch: int) -> list[RfqTrade]:
    cursor.execute(
        _SELECT + "WHERE run_id = %s AND epoch = %s ORDER BY nonce, maker", [run_id, epoch]
    )
    return [_from_row(row) for row in cursor]


def _from_row(row: tuple[Any, ...]) -> RfqTrade:
    quote_id, run_id, epoch, quote, maker_signature, fair_half_ticks, issued_at_ns, *rest = row
    amount, recipient, taker_signature, accepted_at_ns = rest
    acceptance = None
    if amount is not None:
        acceptance = Acceptance(quote_id=Hash32(quote_id), amount=amount, recipient=recipient)
    return RfqTrade(
        run_id=run_id,
        epoch=epoch,
        quote=FirmQuote.from_json(quote),
        maker_signature=maker_signature,
        fair_half_ticks=fair_half_ticks,
        issued_at_ns=issued_at_ns,
        acceptance=acceptance,
        taker_signature=taker_signature,
        accepted_at_ns=accepted_at_ns,
    )

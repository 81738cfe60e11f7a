"""What the quote signer has signed: each nonce for one quote, each quote in one statement."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from dmm.adapters.signers.nonces import SCHEMA as NONCE_SCHEMA
from dmm.adapters.signers.nonces import Nonces
from dmm.adapters.signers.register_file import RegisterFile
from dmm.adapters.signers.spending import SCHEMA as SPENDING_SCHEMA
from dmm.adapters.signers.spending import Spend, Spending
from dmm.adapters.signers.witness import Witness
from dmm.settlement.intent import Intent
from dmm.units.errors import Permanent, ServiceFault
from dmm.units.ids import Hash32

STATEMENT_SCHEMA = """
CREATE TABLE IF NOT EXISTS statement (
    statement_id BLOB PRIMARY KEY, content BLOB NOT NULL, signature BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS stated (source TEXT PRIMARY KEY, statement_id BLOB NOT NULL);
"""


class QuoteRegister:
    """One quote signer's register."""

    def __init__(self, path: Path, witness: Witness | None = None) -> None:
        """Open or make the register's file.

        Parameters
        ----------
        witness : where its epoch is remembered; None trusts the file alone

        Raises
        ------
        ServiceFault
            If the file cannot be used, or is older than what the witness saw.
        """
        schema = NONCE_SCHEMA + STATEMENT_SCHEMA + SPENDING_SCHEMA
        self._file = RegisterFile(path, schema=schema, witness=witness)
        self._spending = Spending(self._file.db)
        self._nonces: dict[str, Nonces] = {}

    @property
    def epoch(self) -> int:
        """Return how often it was written; it only rises."""
        return self._file.mark().epoch

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def next_nonce(self, maker: str) -> int:
        """Return a nonce above all that were ever signed for a maker.

        Parameters
        ----------
        maker : in the chain's one spelling
        """
        return self._of(maker).next

    def sign_quote_once(
        self, *, maker: str, nonce: int, quote_id: Hash32, sign: Callable[[], bytes]
    ) -> bytes:
        """Sign a quote, if its nonce was never signed for another; the same may be signed again.

        Parameters
        ----------
        maker : in the chain's one spelling

        Raises
        ------
        Permanent
            If the nonce is spent; the text names the next.
        ServiceFault
            If the register cannot be written: no signature left then.
        """
        nonces = self._of(maker)
        if nonces.is_known(nonce, quote_id):
            return sign()
        signature = sign()
        if nonces.needs_block(nonce):
            with self._file.transaction():
                end = nonces.write_block(self._file.db, nonce)
                self._file.raise_epoch()
            nonces.end = end
        nonces.take(nonce, quote_id)
        return signature

    def sign_statement_once(
        self, statement: Intent, *, spend: Spend, sign: Callable[[], bytes]
    ) -> bytes:
        """Return the signature stored for this statement, or sign, store and return it.

        Parameters
        ----------
        spend : what its quotes let leave, by quote, and the day's caps

        Raises
        ------
        Permanent
            If it was signed with other content, one of its quotes is in another statement, or a cap
            of the day would be exceeded.
        ServiceFault
            If register or witness cannot be written: no signature left then.
        """
        with self._file.transaction():
            stored = self._stored(statement)
            if stored is not None:
                return stored
            self._require_alone(statement, spend)
            self._spending.spend(spend)
            signature = sign()
            self._store(statement, spend, signature)
        return signature

    def _of(self, maker: str) -> Nonces:
        if maker not in self._nonces:
            try:
                self._nonces[maker] = Nonces.load(self._file.db, maker)
            except sqlite3.Error as error:
                raise ServiceFault(f"signer register cannot be read: {error}") from error
        return self._nonces[maker]

    def _stored(self, statement: Intent) -> bytes | None:
        row = self._file.db.execute(
            "SELECT content, signature FROM statement WHERE statement_id = ?",
            (statement.intent_id,),
        ).fetchone()
        if row is None:
            return None
        if row[0] != statement.content_hash:
            raise Permanent(f"statement {statement.intent_id.hex()} was signed with other content")
        return bytes(row[1])

    def _require_alone(self, statement: Intent, spend: Spend) -> None:
        """Refuse a quote that another statement settles: of two, one would be worthless."""
        for flow in spend.flows:
            row = self._file.db.execute(
                "SELECT statement_id FROM stated WHERE source = ?", (flow.source,)
            ).fetchone()
            if row is not None and row[0] != statement.intent_id:
                raise Permanent(f"{flow.source} is in statement {row[0].hex()} already")

    def _store(self, statement: Intent, spend: Spend, signature: bytes) -> None:
        db = self._file.db
        db.execute(
            "INSERT INTO statement (statement_id, content, signature) VALUES (?, ?, ?)",
            (statement.intent_id, statement.content_hash, signature),
        )
        db.executemany(
            "INSERT INTO stated (source, statement_id) VALUES (?, ?)",
            [(flow.source, statement.intent_id) for flow in spend.flows],
        )
        self._file.raise_epoch()

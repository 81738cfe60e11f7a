"""The file below a signer's register: its identity, its epoch, and one write for many answers.

It is written before a signature leaves. It is not part of the journal and no restore of the journal
rewinds it; a restore of the file itself is noticed by its witness.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dmm.adapters.signers.witness import Mark, Witness
from dmm.units.errors import ServiceFault

IDENTITY = """
CREATE TABLE IF NOT EXISTS identity (
    only INTEGER PRIMARY KEY CHECK (only = 1), register_id TEXT NOT NULL, epoch INTEGER NOT NULL
);
"""

LOCK_S_MAX = 5.0


class RegisterFile:
    """One signer's file; its tables are its register's."""

    def __init__(self, path: Path, *, schema: str, witness: Witness | None = None) -> None:
        """Open or make the file.

        Parameters
        ----------
        schema : statements that make the register's tables where they are missing
        witness : where its epoch is remembered; None trusts the file alone

        Raises
        ------
        ServiceFault
            If the file cannot be used, or is older than what the witness saw.
        """
        self._witness = witness
        try:
            # One answer at a time, from whichever thread holds the client.
            self.db = sqlite3.connect(
                path, timeout=LOCK_S_MAX, isolation_level=None, check_same_thread=False
            )
            self.db.executescript(IDENTITY + schema)
            self.db.execute("PRAGMA synchronous = FULL")
            path.chmod(0o600)
            made = self.db.execute(
                "INSERT OR IGNORE INTO identity (only, register_id, epoch) VALUES (1, ?, 0)",
                (secrets.token_hex(16),),
            )
            if witness is not None:
                witness.adopt(self.mark(), is_new=made.rowcount == 1)
        except (sqlite3.Error, OSError) as error:
            raise ServiceFault(f"signer register {path} cannot be used: {error}") from error

    def close(self) -> None:
        """Close the file."""
        self.db.close()

    def mark(self) -> Mark:
        """Return which register it is, and its epoch."""
        row = self.db.execute("SELECT register_id, epoch FROM identity").fetchone()
        return Mark(register_id=row[0], epoch=row[1])

    def raise_epoch(self) -> None:
        """Count what is about to be written, within a transaction."""
        self.db.execute("UPDATE identity SET epoch = epoch + 1")

    def has_table(self, name: str) -> bool:
        """Tell whether a table is there."""
        row = self.db.execute(
            "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (name,)
        ).fetchone()
        return row is not None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Write everything done within at once, then its epoch to the witness.

        Nothing may leave before this has ended, and nothing at all when it ends by a fault.

        Raises
        ------
        ServiceFault
            If register or witness cannot be written: no signature left then.
        """
        try:
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield
                mark = self.mark()
                self.db.execute("COMMIT")
            except BaseException:
                if self.db.in_transaction:
                    self.db.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise ServiceFault(f"signer register cannot be written: {error}") from error
        if self._witness is not None:
            # After the register, before the signature leaves: no order of crashes loses either.
            self._witness.advance(mark)

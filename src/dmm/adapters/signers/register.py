"""What the settlement signer has signed: once per slot and bump, and how much a day."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dmm.adapters.signers.outflow import Outflow
from dmm.adapters.signers.register_file import RegisterFile
from dmm.adapters.signers.spending import SCHEMA as SPENDING_SCHEMA
from dmm.adapters.signers.spending import Entry, Spending
from dmm.adapters.signers.witness import Witness
from dmm.ports import SignedTx, SignRequest
from dmm.settlement.intent import Purpose
from dmm.units.amount import Atoms
from dmm.units.errors import Permanent, ServiceFault
from dmm.units.ids import Json, canonical_json, content_id

__all__ = ["Entry", "Register", "payload_of"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS signature (
    key TEXT NOT NULL, slot INTEGER NOT NULL, bump INTEGER NOT NULL,
    intent_id BLOB NOT NULL, payload BLOB NOT NULL,
    tx_id TEXT NOT NULL, raw BLOB NOT NULL, fee_atoms_max TEXT NOT NULL,
    UNIQUE (key, slot, bump)
);
CREATE TABLE IF NOT EXISTS signed_intent (intent_id BLOB PRIMARY KEY, content BLOB NOT NULL);
"""
FIRST_FORM = """
BEGIN IMMEDIATE;
INSERT OR IGNORE INTO signed_intent SELECT intent_id, content FROM spent;
INSERT OR IGNORE INTO outflow
    SELECT 'intent:' || lower(hex(intent_id)), asset, amount, '', day FROM spent;
DROP TABLE spent;
"""
"""Registers first held one amount an intent; nothing that they know is forgotten."""


class Register:
    """One signer's register."""

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
        self._is_together = False
        self._file = RegisterFile(path, schema=SCHEMA + SPENDING_SCHEMA, witness=witness)
        self._db = self._file.db
        self._spending = Spending(self._db)
        try:
            if self._file.has_table("spent"):
                self._adopt_first_form()
        except sqlite3.Error as error:
            raise ServiceFault(f"signer register {path} cannot be used: {error}") from error

    @property
    def epoch(self) -> int:
        """Return how many signatures it holds; it only rises."""
        return self._file.mark().epoch

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def sign_once(self, entry: Entry, sign: Callable[[], SignedTx]) -> SignedTx:
        """Return the signature stored for this slot and bump, or sign, store and return it.

        A burn is kept apart: it may replace whatever a slot was signed for, and spends nothing.

        Raises
        ------
        Permanent
            If the slot was signed for something else, the intent came with other content before,
            or a cap of the day would be exceeded.
        ServiceFault
            If register or witness cannot be written: no signature left then.
        """
        if self._is_together:
            return self._sign(entry, sign)
        with self.together():
            return self._sign(entry, sign)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Write everything that is signed within at once; a refusal in between undoes only itself.

        Nothing may leave before this has ended, and nothing at all when it ends by a fault: it is
        written once then for all, as it would be for one.

        Raises
        ------
        ServiceFault
            If register or witness cannot be written: no signature left then.
        """
        with self._file.transaction():
            self._is_together = True
            try:
                yield
            finally:
                self._is_together = False

    def _sign(self, entry: Entry, sign: Callable[[], SignedTx]) -> SignedTx:
        try:
            self._db.execute("SAVEPOINT one")
            try:
                signed = self._stored(entry)
                if signed is None:
                    if entry.request.purpose is Purpose.PAY:
                        self._require_free(entry)
                    signed = sign()
                    self._store(entry, signed)
                self._db.execute("RELEASE one")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK TO one")
                    self._db.execute("RELEASE one")
                raise
        except sqlite3.Error as error:
            raise ServiceFault(f"signer register cannot be written: {error}") from error
        return signed

    def _stored(self, entry: Entry) -> SignedTx | None:
        request = entry.request
        row = self._db.execute(
            "SELECT payload, tx_id, raw, fee_atoms_max FROM signature"
            " WHERE key = ? AND slot = ? AND bump = ?",
            (_register_key(entry), request.slot, request.bump),
        ).fetchone()
        if row is None:
            return None
        if row[0] != payload_of(request):
            raise Permanent(
                f"slot {request.slot} bump {request.bump} was signed with another payload"
            )
        return SignedTx(
            tx_id=row[1], raw=row[2], signer=entry.key, fee_atoms_max=Atoms(int(row[3]))
        )

    def _require_free(self, entry: Entry) -> None:
        """Refuse a slot of another intent, an intent of other content, a spent day."""
        request, intent = entry.request, entry.request.intent
        other = self._db.execute(
            "SELECT 1 FROM signature WHERE key = ? AND slot = ? AND intent_id != ? LIMIT 1",
            (entry.key, request.slot, intent.intent_id),
        ).fetchone()
        if other is not None:
            raise Permanent(f"slot {request.slot} was signed for another intent")
        known = self._db.execute(
            "SELECT content FROM signed_intent WHERE intent_id = ?", (intent.intent_id,)
        ).fetchone()
        if known is not None:
            if known[0] != intent.content_hash:
                raise Permanent(f"intent {intent.intent_id.hex()} was signed with other content")
            return
        self._db.execute(
            "INSERT INTO signed_intent (intent_id, content) VALUES (?, ?)",
            (intent.intent_id, intent.content_hash),
        )
        self._spending.spend(entry.spend)

    def _adopt_first_form(self) -> None:
        self._db.executescript(FIRST_FORM)
        rows = self._db.execute("SELECT source, asset, amount, recipient, day FROM outflow")
        for source, asset, amount, recipient, day in rows.fetchall():
            flow = Outflow(source=source, asset=asset, amount=int(amount), recipient=recipient)
            self._spending.add(day, flow)
        self._db.execute("COMMIT")

    def _store(self, entry: Entry, signed: SignedTx) -> None:
        request = entry.request
        self._db.execute(
            "INSERT INTO signature (key, slot, bump, intent_id, payload, tx_id, raw, fee_atoms_max)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                _register_key(entry),
                request.slot,
                request.bump,
                request.intent.intent_id,
                payload_of(request),
                signed.tx_id,
                signed.raw,
                str(signed.fee_atoms_max),
            ),
        )
        self._file.raise_epoch()


def _register_key(entry: Entry) -> str:
    return entry.key if entry.request.purpose is Purpose.PAY else f"{entry.key}:burn"


def payload_of(request: SignRequest) -> bytes:
    """Return the hash of everything that decides a transaction's bytes."""
    intent = request.intent
    parts: list[Json] = [
        request.slot,
        request.bump,
        request.unit_fee_max,
        request.unit_tip,
        request.gas_max,
    ]
    # Left out where they say nothing, so that signatures registered without them stay known.
    if request.purpose is Purpose.BURN:
        parts.append(request.purpose.value)
    if request.expires or request.anchor:
        parts += [request.expires, request.anchor]
    return content_id("dmm/sign/v1", intent.intent_id, intent.content_hash, canonical_json(parts))

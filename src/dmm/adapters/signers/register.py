"""What a signer has signed: once per slot and bump, and how much a day.

The file is written before a signature leaves. It is not part of the journal and no restore of the
journal rewinds it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dmm.ports import SignedTx, SignRequest
from dmm.settlement.intent import Purpose
from dmm.units.amount import Atoms
from dmm.units.errors import Permanent, ServiceFault
from dmm.units.ids import Json, canonical_json, content_id

SCHEMA = """
CREATE TABLE IF NOT EXISTS signature (
    key TEXT NOT NULL, slot INTEGER NOT NULL, bump INTEGER NOT NULL,
    intent_id BLOB NOT NULL, payload BLOB NOT NULL,
    tx_id TEXT NOT NULL, raw BLOB NOT NULL, fee_atoms_max TEXT NOT NULL,
    UNIQUE (key, slot, bump)
);
CREATE TABLE IF NOT EXISTS spent (
    intent_id BLOB PRIMARY KEY, content BLOB NOT NULL,
    asset TEXT NOT NULL, amount TEXT NOT NULL, day INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS spent_day ON spent (asset, day);
"""
DAY_S = 86_400
LOCK_S_MAX = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is to be registered: the request, whose key signs, the day's cap of its asset."""

    request: SignRequest
    key: str
    day_atoms_max: int
    now_s: int


class Register:
    """One signer's register."""

    def __init__(self, path: Path) -> None:
        """Open or make the register's file; `ServiceFault` when that fails."""
        try:
            # One answer at a time, from whichever thread holds the client.
            self._db = sqlite3.connect(
                path, timeout=LOCK_S_MAX, isolation_level=None, check_same_thread=False
            )
            self._db.executescript(SCHEMA)
            self._db.execute("PRAGMA synchronous = FULL")
            path.chmod(0o600)
        except (sqlite3.Error, OSError) as error:
            raise ServiceFault(f"signer register {path} cannot be used: {error}") from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def sign_once(self, entry: Entry, sign: Callable[[], SignedTx]) -> SignedTx:
        """Return the signature stored for this slot and bump, or sign, store and return it.

        A burn is kept apart: it may replace whatever a slot was signed for, and spends nothing.

        Raises
        ------
        Permanent
            If the slot was signed for something else, the intent came with other content before,
            or the day's cap would be exceeded.
        ServiceFault
            If the register cannot be written: nothing was signed then.
        """
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                signed = self._stored(entry)
                if signed is None:
                    if entry.request.purpose is Purpose.PAY:
                        self._require_free(entry)
                    signed = sign()
                    self._store(entry, signed)
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
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
            "SELECT content FROM spent WHERE intent_id = ?", (intent.intent_id,)
        ).fetchone()
        if known is not None:
            if known[0] != intent.content_hash:
                raise Permanent(f"intent {intent.intent_id.hex()} was signed with other content")
            return
        day = self._day(entry.now_s)
        rows = self._db.execute(
            "SELECT amount FROM spent WHERE asset = ? AND day = ?", (intent.asset, day)
        ).fetchall()
        spent = sum(int(row[0]) for row in rows)
        if spent + intent.amount > entry.day_atoms_max:
            raise Permanent(
                f"{intent.amount} atoms of {intent.asset} exceed the day's cap: "
                f"{entry.day_atoms_max - spent} are left"
            )
        self._db.execute(
            "INSERT INTO spent (intent_id, content, asset, amount, day) VALUES (?, ?, ?, ?, ?)",
            (intent.intent_id, intent.content_hash, intent.asset, str(intent.amount), day),
        )

    def _day(self, now_s: int) -> int:
        """Return the day to count for; a clock set back opens no day twice."""
        last = self._db.execute("SELECT max(day) FROM spent").fetchone()[0]
        return max(now_s // DAY_S, last or 0)

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

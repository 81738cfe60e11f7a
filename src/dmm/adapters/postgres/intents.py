"""Intents: how they enter the journal, who works on them, how they are read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from psycopg.types.json import Jsonb

from dmm.adapters.postgres.runs import Part
from dmm.adapters.postgres.session import Cursor
from dmm.settlement.intent import (
    Attempt,
    AttemptState,
    Claimed,
    Intent,
    IntentKind,
    IntentState,
    Purpose,
    Slot,
)
from dmm.settlement.lifecycle import Fenced
from dmm.units.amount import Atoms
from dmm.units.errors import InvariantBroken
from dmm.units.ids import Hash32

CONTENT = """i.kind, i.chain, i.contract, i.vault, i.scope, i.epoch, i.ordinal, i.asset,
i.recipient, i.amount, i.deadline_s, i.inputs, i.supersedes, i.intent_id, i.content_hash"""
"""The columns that `intent_from_row` reads, of intent as ``i``."""

_CONTENT_WIDTH = CONTENT.count(",") + 1

_SLOT = """s.signer, s.slot, s.generation, s.expires, s.anchor, l.next_slot > s.slot + 1
FROM slot_claim s JOIN lane l ON l.chain = s.chain AND l.signer = s.signer"""

_OPEN = """SELECT intent_id FROM intent c
  WHERE chain = %(chain)s AND state IN ('READY', 'IN_FLIGHT', 'CONFIRMED')"""

# What waits for a full lane is left out: it would only be told to wait again.
_NOT_WAITING = """ AND (state <> 'READY' OR kind <> ALL (%(full)s) OR EXISTS (
    SELECT 1 FROM slot_claim s WHERE s.intent_id = c.intent_id AND s.retired_height IS NULL))"""

# An ended intent whose live slot holds later ones up, or one in quarantine with its bytes out.
_LEFT_BEHIND = """SELECT c.intent_id FROM intent c JOIN slot_claim s USING (intent_id)
  JOIN lane l ON l.chain = s.chain AND l.signer = s.signer
  WHERE c.chain = %(chain)s AND s.retired_height IS NULL
    AND (c.state = 'QUARANTINED'
         OR (c.state IN ('FINAL', 'FAILED', 'CANCELLED') AND l.next_slot > s.slot + 1))"""

# Leases live on the database's clock: workers' clocks may differ by more than a lease.
# S608: only what stands above is joined in, never a value.
_CLAIM = (
    """
    AND due_at <= clock_timestamp()
    AND (lease_until IS NULL OR lease_until <= clock_timestamp())
  ORDER BY due_at, recorded_no LIMIT %(limit)s FOR NO KEY UPDATE OF c SKIP LOCKED)
UPDATE intent i SET fence = i.fence + 1, lease_owner = %(owner)s,
  lease_until = clock_timestamp() + make_interval(secs => %(lease_s)s)
FROM due WHERE i.intent_id = due.intent_id
RETURNING """  # noqa: S608
    + CONTENT
    + ", i.state, i.generation, i.fence, i.due_at, i.recorded_no"
)


class Intents(Part):
    """Implements the claims and listings of `ports.IntentStore`."""

    def claim_due(self, *, chain: str, owner: str, lease_s: int) -> Claimed | None:
        """Lease the open intent that is due longest, raising its fence; None when none is due.

        After the open ones come those that have ended but whose live slot keeps others waiting, and
        those in quarantine with a live slot.

        Raises
        ------
        InvariantBroken
            If the stored content does not give the id and hash it was recorded under.
        """
        claims = self.claim_batch(chain=chain, owner=owner, lease_s=lease_s, limit=1)
        return claims[0] if claims else None

    def claim_batch(
        self, *, chain: str, owner: str, lease_s: int, limit: int, full: Collection[IntentKind] = ()
    ) -> list[Claimed]:
        """Lease up to `limit` intents that are due longest; see `claim_due`.

        Parameters
        ----------
        full : kinds of which those that hold no slot yet are left out

        Raises
        ------
        InvariantBroken
            If stored content does not give the id and hash it was recorded under.
        """
        values = {"chain": chain, "owner": owner, "lease_s": lease_s, "limit": limit}
        kinds = {"full": [kind.value for kind in full]}
        return self._session.transact(lambda cursor: _claim(cursor, values | kinds))

    def release(self, claimed: Claimed, *, due_in_s: float) -> None:
        """Give the lease back; the intent is due again after `due_in_s`."""
        if self.release_batch([(claimed, due_in_s)]) == 0:
            raise fenced(claimed)

    def release_batch(self, given_back: Sequence[tuple[Claimed, float]]) -> int:
        """Give leases back, each due again after so many seconds; return how many still held."""
        return self._session.once(lambda cursor: _release(cursor, given_back))

    def open_count(self, chain: str) -> int:
        """Return how many intents of a chain have not ended."""
        return self._session.once(lambda cursor: _open_count(cursor, chain))

    def intents(self, run_id: str | None = None) -> list[tuple[Intent, IntentState]]:
        """Return intents with their state in the order recorded, of one run's epochs or of all."""
        return self._session.transact(lambda cursor: _intents(cursor, run_id))

    def intent_state(self, intent_id: Hash32) -> IntentState | None:
        """Return an intent's state now; None when the journal does not know it."""
        return self._session.once(lambda cursor: _state(cursor, intent_id))

    def live_slots(self, chain: str) -> list[tuple[Intent, IntentState, Slot]]:
        """Return every slot of a chain that is not retired, with the intent it belongs to."""
        return self._session.transact(lambda cursor: _live_slots(cursor, chain))

    def final_transactions(self, chain: str) -> list[tuple[Intent, str, int]]:
        """Return (intent, tx id, height) of every intent final on a chain, by height.

        What a carrier settled has the carrier's. The tx id is empty for an intent that was adopted:
        its key was used by a transaction that the journal does not know.
        """
        return self._session.transact(lambda cursor: _final_transactions(cursor, chain))


def insert_intents(cursor: Cursor, run_id: str, intents: Sequence[Intent]) -> None:
    """Insert intents as READY; one already there is left as it is."""
    cursor.executemany(
        """INSERT INTO intent (intent_id, run_id, content_hash, kind, chain, contract, vault, scope,
                               epoch, ordinal, asset, recipient, amount, deadline_s, inputs,
                               supersedes)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
           ON CONFLICT (intent_id) DO NOTHING""",
        [
            (
                intent.intent_id,
                run_id,
                intent.content_hash,
                intent.kind.value,
                intent.chain,
                intent.contract,
                intent.vault,
                intent.scope,
                intent.epoch,
                intent.ordinal,
                intent.asset,
                intent.recipient,
                intent.amount,
                intent.deadline_s,
                Jsonb(intent.inputs),
                intent.supersedes,
            )
            for intent in intents
        ],
    )


def quarantine_intents(cursor: Cursor, intents: Sequence[Intent], *, reason: str) -> None:
    """Quarantine those that are open, and fence whoever works on them."""
    cursor.execute(
        """UPDATE intent SET state = 'QUARANTINED', quarantine_reason = %s, fence = fence + 1,
             lease_owner = NULL, lease_until = NULL
           WHERE intent_id = ANY(%s) AND state IN ('READY', 'IN_FLIGHT', 'CONFIRMED')""",
        [reason, [intent.intent_id for intent in intents]],
    )


def held(cursor: Cursor, claimed: Claimed) -> tuple[IntentState, int]:
    """Lock a claimed intent; return its state and generation as they are now.

    Raises
    ------
    Fenced
        If another worker took the intent over, or the lease was given back.
    """
    cursor.execute(
        """SELECT state, generation FROM intent
           WHERE intent_id = %s AND fence = %s AND lease_owner = %s FOR NO KEY UPDATE""",
        [claimed.intent.intent_id, claimed.fence, claimed.owner],
    )
    row = cursor.fetchone()
    if row is None:
        raise fenced(claimed)
    return IntentState(row[0]), row[1]


def fenced(claimed: Claimed) -> Fenced:
    """Return the fault that a claim no longer holds."""
    return Fenced(
        f"intent {claimed.intent.intent_id.hex()}: fence {claimed.fence} of {claimed.owner} no "
        "longer holds; claim again"
    )


def _claim(cursor: Cursor, values: dict[str, Any]) -> list[Claimed]:
    rows: list[tuple[Any, ...]] = []
    for which in (_OPEN + _NOT_WAITING if values["full"] else _OPEN, _LEFT_BEHIND):
        cursor.execute("WITH due AS (" + which + _CLAIM, values)
        rows = cursor.fetchall()
        if rows:
            break
    if not rows:
        return []
    # What an update returns has no order of its own.
    rows.sort(key=lambda row: row[-2:])
    intents = [intent_from_row(row[:_CONTENT_WIDTH]) for row in rows]
    ids = [intent.intent_id for intent in intents]
    attempts, slots = _live_attempts(cursor, ids), _slots_of(cursor, ids)
    return [
        Claimed(
            intent=intent,
            state=IntentState(state),
            generation=generation,
            fence=fence,
            owner=values["owner"],
            attempts=tuple(attempts.get(intent.intent_id, ())),
            slot=slots.get(intent.intent_id),
        )
        for intent, (state, generation, fence, *_) in zip(
            intents, (row[_CONTENT_WIDTH:] for row in rows), strict=True
        )
    ]


def _slots_of(cursor: Cursor, ids: Sequence[Hash32]) -> dict[bytes, Slot]:
    cursor.execute(
        "SELECT s.intent_id, "
        + _SLOT
        + " WHERE s.intent_id = ANY(%s) AND s.retired_height IS NULL",
        [ids],
    )
    return {intent_id: _slot(tuple(row)) for intent_id, *row in cursor}


def _live_slots(cursor: Cursor, chain: str) -> list[tuple[Intent, IntentState, Slot]]:
    cursor.execute(
        "SELECT "
        + CONTENT
        + ", i.state, "
        + _SLOT
        + """ JOIN intent i USING (intent_id)
              WHERE s.chain = %s AND s.retired_height IS NULL ORDER BY s.signer, s.slot""",
        [chain],
    )
    return [
        (
            intent_from_row(row[:_CONTENT_WIDTH]),
            IntentState(row[_CONTENT_WIDTH]),
            _slot(row[_CONTENT_WIDTH + 1 :]),
        )
        for row in cursor.fetchall()
    ]


def _live_attempts(cursor: Cursor, ids: Sequence[Hash32]) -> dict[bytes, list[Attempt]]:
    cursor.execute(
        """SELECT a.tx_id, a.intent_id, a.generation, a.bump, a.chain, a.signer, a.slot, a.raw,
                  a.fee_atoms_max, a.state, a.landed_height, a.landed_block, a.purpose
           FROM attempt a JOIN slot_claim s USING (chain, signer, slot)
           WHERE a.intent_id = ANY(%s) AND s.retired_height IS NULL ORDER BY a.stored_no""",
        [ids],
    )
    found: dict[bytes, list[Attempt]] = {}
    for row in cursor:
        found.setdefault(row[1], []).append(_attempt(row))
    return found


def _release(cursor: Cursor, given_back: Sequence[tuple[Claimed, float]]) -> int:
    cursor.execute(
        """UPDATE intent i SET lease_owner = NULL, lease_until = NULL,
             due_at = clock_timestamp() + make_interval(secs => back.due_in_s)
           FROM unnest(%s::bytea[], %s::bigint[], %s::text[], %s::float8[])
             back (intent_id, fence, owner, due_in_s)
           WHERE i.intent_id = back.intent_id AND i.fence = back.fence
             AND i.lease_owner = back.owner""",
        [
            [claimed.intent.intent_id for claimed, _ in given_back],
            [claimed.fence for claimed, _ in given_back],
            [claimed.owner for claimed, _ in given_back],
            [due_in_s for _, due_in_s in given_back],
        ],
    )
    return cursor.rowcount


def _open_count(cursor: Cursor, chain: str) -> int:
    cursor.execute(
        """SELECT count(*) FROM intent
           WHERE chain = %s AND state IN ('READY', 'IN_FLIGHT', 'CONFIRMED')""",
        [chain],
    )
    return int(cursor.fetchall()[0][0])


def _intents(cursor: Cursor, run_id: str | None) -> list[tuple[Intent, IntentState]]:
    cursor.execute(
        "SELECT "  # noqa: S608
        + CONTENT
        + """, i.state FROM intent i
             WHERE %(run_id)s::text IS NULL OR i.run_id = %(run_id)s ORDER BY i.recorded_no""",
        {"run_id": run_id},
    )
    return [(intent_from_row(content), IntentState(state)) for *content, state in cursor]


def _state(cursor: Cursor, intent_id: Hash32) -> IntentState | None:
    cursor.execute("SELECT state FROM intent WHERE intent_id = %s", [intent_id])
    row = cursor.fetchone()
    return None if row is None else IntentState(row[0])


def _final_transactions(cursor: Cursor, chain: str) -> list[tuple[Intent, str, int]]:
    cursor.execute(
        "SELECT "  # noqa: S608
        + CONTENT
        + """, coalesce(i.final_tx_id, c.final_tx_id, ''), i.closed_height FROM intent i
             LEFT JOIN intent c ON c.intent_id = decode(i.inputs->>'carrier', 'hex')
             WHERE i.chain = %s AND i.state = 'FINAL' ORDER BY i.closed_height, i.recorded_no""",
        [chain],
    )
    return [(intent_from_row(content), tx_id, height) for *content, tx_id, height in cursor]


def intent_from_row(content: Sequence[Any]) -> Intent:
    """Return an intent from the columns of `CONTENT`; `InvariantBroken` if they were changed."""
    kind, chain, contract, vault, scope, epoch, ordinal, asset, *rest = content
    recipient, amount, deadline_s, inputs, supersedes, intent_id, content_hash = rest
    intent = Intent(
        kind=IntentKind(kind),
        chain=chain,
        contract=contract,
        vault=vault,
        scope=scope,
        epoch=epoch,
        ordinal=ordinal,
        asset=asset,
        recipient=recipient,
        amount=Atoms(amount),
        deadline_s=deadline_s,
        inputs=inputs,
        supersedes=None if supersedes is None else Hash32(supersedes),
    )
    if (intent.intent_id, intent.content_hash) != (intent_id, content_hash):
        raise InvariantBroken(
            f"intent {intent_id.hex()}: its stored content gives another id or hash; restore the "
            "journal from a backup"
        )
    return intent


def _attempt(row: tuple[Any, ...]) -> Attempt:
    tx_id, intent_id, generation, bump, chain, signer, slot, raw, *rest = row
    fee_atoms_max, state, landed_height, landed_block, purpose = rest
    return Attempt(
        tx_id=tx_id,
        intent_id=Hash32(intent_id),
        generation=generation,
        bump=bump,
        chain=chain,
        signer=signer,
        slot=slot,
        raw=raw,
        fee_atoms_max=fee_atoms_max,
        state=AttemptState(state),
        landed_height=landed_height,
        landed_block=landed_block,
        purpose=Purpose(purpose),
    )


def _slot(row: tuple[Any, ...]) -> Slot:
    signer, slot, generation, expires, anchor, blocks_others = row
    return Slot(
        signer=signer,
        slot=slot,
        generation=generation,
        expires=expires,
        anchor=anchor,
        blocks_others=blocks_others,
    )

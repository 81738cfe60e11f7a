"""Slots and attempts of a claimed intent, until it is closed.

Every write locks the intent under its fence and owner first; a fenced worker changes nothing.
"""

from __future__ import annotations

from dmm.adapters.postgres import anchors, brief
from dmm.adapters.postgres.endings import check_attempt, check_open, move, retire
from dmm.adapters.postgres.intents import held
from dmm.adapters.postgres.runs import Part
from dmm.adapters.postgres.session import Cursor
from dmm.settlement.intent import Attempt, AttemptState, Claimed, IntentState, Purpose, Slot
from dmm.settlement.lifecycle import Fenced, LaneBounds
from dmm.units.errors import InvariantBroken

_RETIRED = -1


class Attempts(Part):
    """Implements slots and attempts of `ports.IntentStore`."""

    def allocate_slot(
        self,
        claimed: Claimed,
        *,
        signer: str,
        finalized_slot: int,
        expires: int = 0,
        anchor: str = "",
        bounds: LaneBounds | None = None,
    ) -> int | None:
        """Return the next slot of the signer's lane, never below the finalized one, and claim it.

        None when a bound is reached; then nothing was claimed.

        A live slot is returned again: the lane stays dense over a crash before the first send. One
        that another sender used up before anything was stored under it is retired, and the next is
        allotted in its place at generation + 1; the caller then holds an older generation.

        Raises
        ------
        Fenced
            If the claim is no longer held, or the generation went on: claim again.
        InvariantBroken
            If the live slot is of another signer.
        """
        fresh = Slot(
            signer=signer,
            slot=finalized_slot,
            generation=claimed.generation,
            expires=expires,
            anchor=anchor,
        )
        found = self._session.transact(lambda cursor: _allocate(cursor, claimed, fresh, bounds))
        if found == _RETIRED:
            raise Fenced(
                f"intent {claimed.intent.intent_id.hex()}: its slot was used by another sender and "
                "is retired; claim again"
            )
        return found

    def store_attempt(self, claimed: Claimed, attempt: Attempt) -> None:
        """Store signed bytes before their first send; a READY intent becomes IN_FLIGHT.

        For an intent that has ended only bytes that burn its slot are taken.

        The same attempt again is a no-op.

        Raises
        ------
        InvariantBroken
            If the attempt is of another intent, generation or slot, or its id has other bytes.
        """
        if not self._session.once(lambda cursor: brief.store(cursor, claimed, attempt)):
            self._session.transact(lambda cursor: _store(cursor, claimed, attempt))

    def mark_broadcast(self, claimed: Claimed, tx_id: str) -> None:
        """Note that the bytes were handed to a node."""
        if not self._session.once(lambda cursor: brief.mark_broadcast(cursor, claimed, tx_id)):
            self._session.transact(lambda cursor: _mark_broadcast(cursor, claimed, tx_id))

    def mark_landed(self, claimed: Claimed, tx_id: str, *, height: int, block_hash: str) -> None:
        """Note inclusion at the head: CONFIRMED, reversible."""
        self._session.transact(
            lambda cursor: _mark_landed(cursor, claimed, tx_id, height, block_hash)
        )

    def mark_unlanded(self, claimed: Claimed) -> None:
        """Note that no attempt is included any more: back to IN_FLIGHT."""
        self._session.transact(lambda cursor: _mark_unlanded(cursor, claimed))


def _allocate(
    cursor: Cursor, claimed: Claimed, fresh: Slot, bounds: LaneBounds | None
) -> int | None:
    if (slot := brief.allocate(cursor, claimed, fresh, bounds)) is not None:
        return slot
    state, generation = held(cursor, claimed)
    check_open(claimed, state)
    _check_generation(claimed, generation)
    known = _known_slot(cursor, claimed, fresh)
    if known is not None:
        return known
    if bounds is not None and not _has_room(cursor, claimed, bounds):
        return None
    if anchors.is_taken(cursor, claimed, fresh, bounds):
        return None
    return _next_slot(cursor, claimed, fresh)


def _known_slot(cursor: Cursor, claimed: Claimed, fresh: Slot) -> int | None:
    """Return the live slot, `_RETIRED` when another sender used it up unsigned, None without."""
    cursor.execute(
        """SELECT s.signer, s.slot, EXISTS (SELECT 1 FROM attempt a WHERE a.chain = s.chain
             AND a.signer = s.signer AND a.slot = s.slot)
           FROM slot_claim s WHERE s.intent_id = %s AND s.retired_height IS NULL""",
        [claimed.intent.intent_id],
    )
    live = cursor.fetchone()
    if live is None:
        return None
    live_signer, slot, is_signed = live
    if live_signer != fresh.signer:
        raise InvariantBroken(
            f"intent {claimed.intent.intent_id.hex()} holds slot {slot} of {live_signer}, "
            f"not of {fresh.signer}"
        )
    if is_signed or slot >= fresh.slot:
        return int(slot)
    # Nothing was stored under it, so nothing was sent: what used it up was not ours.
    retire(cursor, claimed, 0, {"unsigned": True, "finalized_slot": fresh.slot})
    return _RETIRED


def _has_room(cursor: Cursor, claimed: Claimed, bounds: LaneBounds) -> bool:
    intent = claimed.intent
    # Bounds hold over all lanes of the chain: two workers must not both take the last place.
    cursor.execute(
        "SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [brief.ROOM_LOCK_KEY, intent.chain]
    )
    cursor.execute(
        """SELECT count(*) FILTER (WHERE i.state IN ('READY', 'IN_FLIGHT')),
                  coalesce(sum(i.amount) FILTER (WHERE i.asset = %s), 0)
           FROM slot_claim s JOIN intent i USING (intent_id)
           WHERE s.chain = %s AND i.kind = %s AND s.retired_height IS NULL
             AND i.state IN ('READY', 'IN_FLIGHT', 'CONFIRMED', 'QUARANTINED')""",
        [intent.asset, intent.chain, intent.kind.value],
    )
    in_flight, value_atoms = cursor.fetchall()[0]
    value_max = bounds.value_atoms_max.get(intent.asset)
    return in_flight < bounds.in_flight_max and (
        value_max is None or int(value_atoms) + intent.amount <= value_max
    )


def _next_slot(cursor: Cursor, claimed: Claimed, fresh: Slot) -> int:
    chain, signer = claimed.intent.chain, fresh.signer
    cursor.execute(
        "INSERT INTO lane (chain, signer) VALUES (%s, %s) ON CONFLICT (chain, signer) DO NOTHING",
        [chain, signer],
    )
    cursor.execute(
        """UPDATE lane SET next_slot = greatest(next_slot, %s) + 1
           WHERE chain = %s AND signer = %s RETURNING next_slot - 1""",
        [fresh.slot, chain, signer],
    )
    slot = int(cursor.fetchall()[0][0])
    cursor.execute(
        """INSERT INTO slot_claim (chain, signer, slot, intent_id, generation, expires, anchor)
           VALUES (%s, %s, %s, %s, %s, %s, %s)""",
        [
            chain,
            signer,
            slot,
            claimed.intent.intent_id,
            fresh.generation,
            fresh.expires,
            fresh.anchor,
        ],
    )
    return slot


def _store(cursor: Cursor, claimed: Claimed, attempt: Attempt) -> None:
    state, generation = held(cursor, claimed)
    if attempt.purpose is not Purpose.BURN:
        check_open(claimed, state)
    if attempt.intent_id != claimed.intent.intent_id or attempt.generation != generation:
        raise InvariantBroken(
            f"attempt {attempt.tx_id} is of intent {attempt.intent_id.hex()} generation "
            f"{attempt.generation}, the claim of {claimed.intent.intent_id.hex()} {generation}"
        )
    cursor.execute(
        """SELECT intent_id, generation, bump, signer, slot, raw, purpose FROM attempt
           WHERE chain = %s AND tx_id = %s""",
        [attempt.chain, attempt.tx_id],
    )
    known = cursor.fetchone()
    if known is not None:
        if known != (
            attempt.intent_id,
            attempt.generation,
            attempt.bump,
            attempt.signer,
            attempt.slot,
            attempt.raw,
            attempt.purpose.value,
        ):
            raise InvariantBroken(f"attempt {attempt.tx_id} is stored with other content")
        return
    cursor.execute(
        """INSERT INTO attempt (tx_id, intent_id, generation, bump, chain, signer, slot, raw,
                                fee_atoms_max, state, purpose)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        [
            attempt.tx_id,
            attempt.intent_id,
            attempt.generation,
            attempt.bump,
            attempt.chain,
            attempt.signer,
            attempt.slot,
            attempt.raw,
            attempt.fee_atoms_max,
            AttemptState.SIGNED.value,
            attempt.purpose.value,
        ],
    )
    if state is IntentState.READY:
        move(cursor, claimed, IntentState.IN_FLIGHT)


def _mark_broadcast(cursor: Cursor, claimed: Claimed, tx_id: str) -> None:
    held(cursor, claimed)
    cursor.execute(
        """UPDATE attempt SET broadcasts = broadcasts + 1,
             state = CASE state WHEN 'SIGNED' THEN 'BROADCAST' ELSE state END
           WHERE chain = %s AND tx_id = %s AND intent_id = %s""",
        [claimed.intent.chain, tx_id, claimed.intent.intent_id],
    )
    check_attempt(cursor, claimed, tx_id)


def _mark_landed(
    cursor: Cursor, claimed: Claimed, tx_id: str, height: int, block_hash: str
) -> None:
    state, _ = held(cursor, claimed)
    check_open(claimed, state)
    _unland(cursor, claimed)
    cursor.execute(
        """UPDATE attempt SET state = 'LANDED', landed_height = %s, landed_block = %s
           WHERE chain = %s AND tx_id = %s AND intent_id = %s""",
        [height, block_hash, claimed.intent.chain, tx_id, claimed.intent.intent_id],
    )
    check_attempt(cursor, claimed, tx_id)
    move(cursor, claimed, IntentState.CONFIRMED)


def _mark_unlanded(cursor: Cursor, claimed: Claimed) -> None:
    state, _ = held(cursor, claimed)
    check_open(claimed, state)
    _unland(cursor, claimed)
    move(cursor, claimed, IntentState.IN_FLIGHT)


def _unland(cursor: Cursor, claimed: Claimed) -> None:
    cursor.execute(
        """UPDATE attempt SET state = 'BROADCAST', landed_height = NULL, landed_block = NULL
           WHERE intent_id = %s AND state = 'LANDED'""",
        [claimed.intent.intent_id],
    )


def _check_generation(claimed: Claimed, generation: int) -> None:
    if generation != claimed.generation:
        raise Fenced(
            f"intent {claimed.intent.intent_id.hex()} is at generation {generation}, the claim at "
            f"{claimed.generation}; claim again"
        )

"""How work on an intent ends: paid, dead, on a new slot, or in quarantine.

Every write locks the intent under its fence and owner first; a fenced worker changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg.types.json import Jsonb

from dmm.adapters.postgres import brief
from dmm.adapters.postgres.intents import held
from dmm.adapters.postgres.ledger import post
from dmm.adapters.postgres.runs import Part
from dmm.adapters.postgres.session import Cursor
from dmm.ledger.journal import Posting
from dmm.settlement.intent import AttemptState, Claimed, IntentState
from dmm.units.errors import InvariantBroken, UsageFault
from dmm.units.ids import Hash32, Json


class Endings(Part):
    """Implements the ends of an intent of `ports.IntentStore`."""

    def finish_final(
        self, claimed: Claimed, *, tx_id: str | None, height: int, postings: Sequence[Posting]
    ) -> None:
        """End an intent as paid on the finalized chain and post; `tx_id` None when adopted.

        The other attempts of the slot can no longer land and are retired with it. Again is a no-op.
        """
        self._session.transact(
            lambda cursor: _finish_final(cursor, claimed, tx_id, height, postings)
        )

    def finish_failed(
        self, claimed: Claimed, *, height: int, proof: dict[str, Json], postings: Sequence[Posting]
    ) -> None:
        """End an intent as proven dead and void its reservation. Again is a no-op.

        A slot whose attempt is on the finalized chain was used by it and is retired; any other
        stays live, for its nonce is still to be burnt.
        """
        self._session.transact(
            lambda cursor: _finish_failed(cursor, claimed, height, proof, postings)
        )

    def retire_slot(self, claimed: Claimed, *, height: int, proof: dict[str, Json]) -> None:
        """Retire the live slot with its proof: back to READY, generation + 1. Again is a no-op.

        An intent that has ended, or is in quarantine, stays as it is.

        Raises
        ------
        InvariantBroken
            If no slot is live.
        """
        self._session.transact(lambda cursor: retire(cursor, claimed, height, proof))

    def quarantine(self, claimed: Claimed, *, reason: str) -> None:
        """Stop work on an intent until governance releases it."""
        self._session.transact(lambda cursor: _quarantine(cursor, claimed, reason))

    def release_quarantine(
        self,
        intent_id: Hash32,
        *,
        order_sequence: int,
        proof: dict[str, Json],
        postings: Sequence[Posting] = (),
    ) -> IntentState:
        """Let an executed order end a quarantine; see `ports.IntentStore`.

        Raises
        ------
        UsageFault
            If there is no such intent, it is in no quarantine, or the order was used before.
        """
        return self._session.transact(
            lambda cursor: _release_quarantine(cursor, intent_id, order_sequence, proof, postings)
        )


def _finish_final(
    cursor: Cursor, claimed: Claimed, tx_id: str | None, height: int, postings: Sequence[Posting]
) -> None:
    if tx_id is not None and brief.finish_paid(cursor, claimed, tx_id, height):
        post(cursor, postings)
        return
    held(cursor, claimed)
    if tx_id is not None:
        cursor.execute(
            """UPDATE attempt SET state = 'FINAL_OK', landed_height = coalesce(landed_height, %s)
               WHERE chain = %s AND tx_id = %s AND intent_id = %s""",
            [height, claimed.intent.chain, tx_id, claimed.intent.intent_id],
        )
        check_attempt(cursor, claimed, tx_id)
        _close_attempts(cursor, claimed, landed_as=AttemptState.RETIRED)
        _retire_live(cursor, claimed, height, {"tx_id": tx_id})
    cursor.execute(
        """UPDATE intent SET state = 'FINAL', final_tx_id = coalesce(final_tx_id, %s),
             closed_height = coalesce(closed_height, %s), lease_until = clock_timestamp()
           WHERE intent_id = %s""",
        [tx_id, height, claimed.intent.intent_id],
    )
    post(cursor, postings)


def _finish_failed(
    cursor: Cursor,
    claimed: Claimed,
    height: int,
    proof: dict[str, Json],
    postings: Sequence[Posting],
) -> None:
    held(cursor, claimed)
    cursor.execute(
        """UPDATE attempt SET state = 'FINAL_REVERTED'
           WHERE intent_id = %s AND state = 'LANDED' AND landed_height <= %s""",
        [claimed.intent.intent_id, height],
    )
    if cursor.rowcount > 0:
        _close_attempts(cursor, claimed, landed_as=AttemptState.FINAL_REVERTED)
        _retire_live(cursor, claimed, height, proof)
    cursor.execute(
        """UPDATE intent SET state = 'FAILED', closed_height = coalesce(closed_height, %s),
             proof = coalesce(proof, %s), lease_until = clock_timestamp()
           WHERE intent_id = %s""",
        [height, Jsonb(proof), claimed.intent.intent_id],
    )
    post(cursor, postings)


def retire(cursor: Cursor, claimed: Claimed, height: int, proof: dict[str, Json]) -> None:
    """Retire the live slot within the caller's transaction; see `Endings.retire_slot`."""
    state, generation = held(cursor, claimed)
    if not _retire_live(cursor, claimed, height, proof):
        if generation == claimed.generation + 1:
            return
        raise InvariantBroken(f"intent {claimed.intent.intent_id.hex()} has no live slot to retire")
    _close_attempts(cursor, claimed, landed_as=AttemptState.FINAL_REVERTED)
    if state is IntentState.CONFIRMED:
        # Included but reverted: it leaves the head first, then its slot is gone.
        move(cursor, claimed, IntentState.IN_FLIGHT)
    cursor.execute(
        """UPDATE intent SET generation = generation + 1,
             state = CASE WHEN state = 'IN_FLIGHT' THEN 'READY' ELSE state END
           WHERE intent_id = %s""",
        [claimed.intent.intent_id],
    )


def _quarantine(cursor: Cursor, claimed: Claimed, reason: str) -> None:
    held(cursor, claimed)
    cursor.execute(
        """UPDATE intent SET state = 'QUARANTINED', lease_until = clock_timestamp(),
             quarantine_reason = coalesce(quarantine_reason, %s)
           WHERE intent_id = %s""",
        [reason, claimed.intent.intent_id],
    )


def _release_quarantine(
    cursor: Cursor,
    intent_id: Hash32,
    order_sequence: int,
    proof: dict[str, Json],
    postings: Sequence[Posting],
) -> IntentState:
    cursor.execute(
        """SELECT state, EXISTS (
             SELECT 1 FROM attempt a JOIN slot_claim s USING (chain, signer, slot)
             WHERE a.intent_id = i.intent_id AND s.retired_height IS NULL)
           FROM intent i WHERE intent_id = %s FOR NO KEY UPDATE""",
        [intent_id],
    )
    row = cursor.fetchone()
    if row is None or row[0] != IntentState.QUARANTINED.value:
        raise UsageFault(f"intent {intent_id.hex()} is in no quarantine: nothing to release")
    new = IntentState.IN_FLIGHT if row[1] else IntentState.READY
    if postings:
        new = IntentState.FAILED
    cursor.execute(
        """INSERT INTO quarantine_release (order_sequence, intent_id, new_state, proof)
           VALUES (%s, %s, %s, %s) ON CONFLICT (order_sequence) DO NOTHING""",
        [order_sequence, intent_id, new.value, Jsonb(proof)],
    )
    if cursor.rowcount == 0:
        raise UsageFault(f"order {order_sequence} released an intent before: execute another one")
    # The fence rises: whoever still holds the intent from before decided without the order.
    cursor.execute(
        """UPDATE intent SET state = %s, fence = fence + 1, lease_owner = NULL, lease_until = NULL,
             quarantine_reason = NULL, due_at = clock_timestamp(),
             proof = CASE WHEN %s = 'FAILED' THEN %s ELSE proof END,
             closed_height = CASE WHEN %s = 'FAILED' THEN %s ELSE closed_height END
           WHERE intent_id = %s""",
        [new.value, new.value, Jsonb(proof), new.value, proof["height"], intent_id],
    )
    post(cursor, postings)
    return new


def move(cursor: Cursor, claimed: Claimed, state: IntentState) -> None:
    """Set the state; the schema refuses an illegal move."""
    cursor.execute(
        "UPDATE intent SET state = %s WHERE intent_id = %s",
        [state.value, claimed.intent.intent_id],
    )


def _close_attempts(cursor: Cursor, claimed: Claimed, *, landed_as: AttemptState) -> None:
    cursor.execute(
        """UPDATE attempt SET state = CASE state WHEN 'LANDED' THEN %s ELSE 'RETIRED' END
           WHERE intent_id = %s AND state IN ('SIGNED', 'BROADCAST', 'LANDED')""",
        [landed_as.value, claimed.intent.intent_id],
    )


def _retire_live(cursor: Cursor, claimed: Claimed, height: int, proof: dict[str, Json]) -> bool:
    cursor.execute(
        """UPDATE slot_claim SET retired_height = %s, proof = %s
           WHERE intent_id = %s AND retired_height IS NULL""",
        [height, Jsonb(proof), claimed.intent.intent_id],
    )
    return cursor.rowcount > 0


def check_open(claimed: Claimed, state: IntentState) -> None:
    """Refuse to go on with an intent that has ended or is in quarantine."""
    if not state.is_open:
        raise InvariantBroken(
            f"intent {claimed.intent.intent_id.hex()} is {state.value}: nothing more is sent for it"
        )


def check_attempt(cursor: Cursor, claimed: Claimed, tx_id: str) -> None:
    """Refuse when the last update found no attempt of that id."""
    if cursor.rowcount == 0:
        raise InvariantBroken(
            f"{tx_id} is no attempt of intent {claimed.intent.intent_id.hex()}: it was not stored"
        )

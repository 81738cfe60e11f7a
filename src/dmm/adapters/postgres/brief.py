"""The usual way of a settlement in as few statements as it takes.

Each of these does in one statement what `attempts` and `endings` do step by step, and only where
nothing is out of the ordinary. Otherwise it changes nothing and says so: then the long way is gone,
which knows why. Both lock the intent under its fence and owner; a fenced worker changes nothing.
"""

from __future__ import annotations

from psycopg.types.json import Jsonb

from dmm.adapters.postgres import anchors
from dmm.adapters.postgres.session import Cursor
from dmm.settlement.intent import Attempt, AttemptState, Claimed, Purpose, Slot
from dmm.settlement.lifecycle import LaneBounds

ROOM_LOCK_KEY = 0x726F6F
"""Advisory lock, with the chain, under which the bounds of what is on its way are counted."""

_HELD = """SELECT i.intent_id FROM intent i
  WHERE i.intent_id = %(intent_id)s AND i.fence = %(fence)s AND i.lease_owner = %(owner)s"""

_OPEN = " AND i.state IN ('READY', 'IN_FLIGHT', 'CONFIRMED')"

# S608: only what stands above is joined in, never a value.
_LOCK = (
    "SELECT pg_advisory_xact_lock(%(key)s, hashtext(%(chain)s)) FROM ("  # noqa: S608
    + _HELD
    + _OPEN
    + " AND i.generation = %(generation)s FOR NO KEY UPDATE) held"
)

_ALLOT = (
    """WITH on_its_way AS (
  SELECT count(*) FILTER (WHERE i.state IN ('READY', 'IN_FLIGHT')) AS slots,
         coalesce(sum(i.amount) FILTER (WHERE i.asset = %(asset)s), 0) AS atoms
  FROM slot_claim s JOIN intent i USING (intent_id)
  WHERE s.chain = %(chain)s AND i.kind = %(kind)s AND s.retired_height IS NULL
    AND i.state IN ('READY', 'IN_FLIGHT', 'CONFIRMED', 'QUARANTINED')),
place AS (
  INSERT INTO lane AS l (chain, signer, next_slot)
  SELECT %(chain)s, %(signer)s, %(floor)s::bigint + 1 FROM on_its_way w
  WHERE (%(slots_max)s::bigint IS NULL OR w.slots < %(slots_max)s)
    AND (%(atoms_max)s::numeric IS NULL OR w.atoms + %(amount)s <= %(atoms_max)s)
    AND NOT EXISTS (SELECT 1 FROM slot_claim s
                    WHERE s.intent_id = %(intent_id)s AND s.retired_height IS NULL)
    AND NOT """  # noqa: S608
    + anchors.TAKEN
    + """
  ON CONFLICT (chain, signer) DO UPDATE SET next_slot = greatest(l.next_slot, %(floor)s) + 1
  RETURNING l.next_slot - 1 AS slot)
INSERT INTO slot_claim (chain, signer, slot, intent_id, generation, expires, anchor)
SELECT %(chain)s, %(signer)s, place.slot, %(intent_id)s, %(generation)s, %(expires)s, %(anchor)s
FROM place RETURNING slot"""
)

_STORE = (
    "WITH held AS ("  # noqa: S608
    + _HELD
    + _OPEN
    + """ AND i.generation = %(generation)s FOR NO KEY UPDATE),
stored AS (
  INSERT INTO attempt (tx_id, intent_id, generation, bump, chain, signer, slot, raw, fee_atoms_max,
                       state, purpose)
  SELECT %(tx_id)s, held.intent_id, %(generation)s, %(bump)s, %(chain)s, %(signer)s, %(slot)s,
         %(raw)s, %(fee_atoms_max)s, 'SIGNED', %(purpose)s FROM held
  ON CONFLICT DO NOTHING RETURNING intent_id),
moved AS (
  UPDATE intent i SET state = 'IN_FLIGHT' FROM stored
  WHERE i.intent_id = stored.intent_id AND i.state = 'READY')
SELECT 1 FROM stored"""
)

_BROADCAST = (
    "WITH held AS ("
    + _HELD
    + """ FOR NO KEY UPDATE)
UPDATE attempt a SET broadcasts = a.broadcasts + 1,
  state = CASE a.state WHEN 'SIGNED' THEN 'BROADCAST' ELSE a.state END
FROM held WHERE a.intent_id = held.intent_id AND a.chain = %(chain)s AND a.tx_id = %(tx_id)s"""
)

_PAID = (
    "WITH held AS ("  # noqa: S608
    + _HELD
    + _OPEN
    + """ FOR NO KEY UPDATE),
ended AS (
  UPDATE attempt a SET state = CASE WHEN a.tx_id = %(tx_id)s THEN 'FINAL_OK' ELSE 'RETIRED' END,
    landed_height = CASE WHEN a.tx_id = %(tx_id)s
                         THEN coalesce(a.landed_height, %(height)s) ELSE a.landed_height END
  FROM held WHERE a.intent_id = held.intent_id AND a.chain = %(chain)s
    AND a.state IN ('SIGNED', 'BROADCAST', 'LANDED') RETURNING a.tx_id),
paid AS (SELECT held.intent_id FROM held, ended WHERE ended.tx_id = %(tx_id)s),
retired AS (
  UPDATE slot_claim s SET retired_height = %(height)s, proof = %(proof)s
  FROM paid WHERE s.intent_id = paid.intent_id AND s.retired_height IS NULL)
UPDATE intent i SET state = 'FINAL', final_tx_id = %(tx_id)s, closed_height = %(height)s,
  lease_until = clock_timestamp()
FROM paid WHERE i.intent_id = paid.intent_id"""
)


def allocate(
    cursor: Cursor, claimed: Claimed, fresh: Slot, bounds: LaneBounds | None
) -> int | None:
    """Claim a first slot; None when the long way must tell why not. Two statements."""
    intent = claimed.intent
    values = _of(claimed) | {"key": ROOM_LOCK_KEY, "generation": claimed.generation}
    # The lock first: only the next statement sees what was claimed under it.
    cursor.execute(_LOCK, values)
    if cursor.fetchone() is None:
        return None
    cursor.execute(
        _ALLOT,
        values
        | anchors.values_of(claimed, fresh, bounds)
        | {
            "asset": intent.asset,
            "kind": intent.kind.value,
            "amount": intent.amount,
            "floor": fresh.slot,
            "expires": fresh.expires,
            "slots_max": None if bounds is None else bounds.in_flight_max,
            "atoms_max": None if bounds is None else bounds.value_atoms_max.get(intent.asset),
        },
    )
    row = cursor.fetchone()
    return None if row is None else int(row[0])


def store(cursor: Cursor, claimed: Claimed, attempt: Attempt) -> bool:
    """Store a new payment of an open intent; tell whether that was done. One statement."""
    if attempt.purpose is not Purpose.PAY or attempt.generation != claimed.generation:
        return False
    if attempt.intent_id != claimed.intent.intent_id or attempt.state is not AttemptState.SIGNED:
        return False
    cursor.execute(
        _STORE,
        _of(claimed)
        | {
            "generation": attempt.generation,
            "tx_id": attempt.tx_id,
            "bump": attempt.bump,
            "chain": attempt.chain,
            "signer": attempt.signer,
            "slot": attempt.slot,
            "raw": attempt.raw,
            "fee_atoms_max": attempt.fee_atoms_max,
            "purpose": attempt.purpose.value,
        },
    )
    return cursor.fetchone() is not None


def mark_broadcast(cursor: Cursor, claimed: Claimed, tx_id: str) -> bool:
    """Note a send; tell whether that was done. One statement."""
    cursor.execute(_BROADCAST, _of(claimed) | {"tx_id": tx_id})
    return cursor.rowcount > 0


def finish_paid(cursor: Cursor, claimed: Claimed, tx_id: str, height: int) -> bool:
    """End an open intent by its own live transaction; tell whether that was done. One statement.

    When it was not, what else it changed is what the long way would have changed too.
    """
    values = {"tx_id": tx_id, "height": height, "proof": Jsonb({"tx_id": tx_id})}
    cursor.execute(_PAID, _of(claimed) | values)
    return cursor.rowcount > 0


def _of(claimed: Claimed) -> dict[str, object]:
    return {
        "intent_id": claimed.intent.intent_id,
        "chain": claimed.intent.chain,
        "fence": claimed.fence,
        "owner": claimed.owner,
    }

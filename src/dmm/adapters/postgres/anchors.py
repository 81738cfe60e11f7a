"""Slots whose bytes name the signer's own next number: one open intent of a signer has a number.

A number is taken once bytes that name it are stored, and while another worker may be signing them.
A slot without bytes takes it from nobody else: a payment that the signer refuses holds nobody up.
"""

from __future__ import annotations

from typing import Any

from dmm.adapters.postgres.session import Cursor
from dmm.settlement.intent import Claimed, Slot
from dmm.settlement.lifecycle import LaneBounds

TAKEN = """EXISTS (SELECT 1 FROM slot_claim s JOIN intent i USING (intent_id)
      WHERE s.chain = %(chain)s AND s.signer = %(signer)s AND s.anchor = %(anchor)s
        AND i.kind = ANY(%(sequenced)s::text[]) AND s.retired_height IS NULL
        AND i.intent_id <> %(intent_id)s AND i.state IN ('READY', 'IN_FLIGHT', 'CONFIRMED')
        AND (EXISTS (SELECT 1 FROM attempt a WHERE a.chain = s.chain AND a.signer = s.signer
                       AND a.slot = s.slot)
             OR (i.lease_owner <> %(owner)s AND i.lease_until > clock_timestamp())))"""
"""Whether another open intent has the number. Bytes of one that has ended, or is in quarantine, may
use it up still; then the new slot's never land, and are replaced.
"""


def values_of(claimed: Claimed, fresh: Slot, bounds: LaneBounds | None) -> dict[str, Any]:
    """Return what `TAKEN` asks for; without kinds in sequence nothing is ever taken."""
    return {
        "chain": claimed.intent.chain,
        "intent_id": claimed.intent.intent_id,
        "owner": claimed.owner,
        "signer": fresh.signer,
        "anchor": fresh.anchor,
        "sequenced": [] if bounds is None else sorted(kind.value for kind in bounds.sequenced),
    }


def is_taken(cursor: Cursor, claimed: Claimed, fresh: Slot, bounds: LaneBounds | None) -> bool:
    """Tell whether another open intent has the number that a slot's anchor names."""
    cursor.execute("SELECT " + TAKEN, values_of(claimed, fresh, bounds))
    return bool(cursor.fetchall()[0][0])

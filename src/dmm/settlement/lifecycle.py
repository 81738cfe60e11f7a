"""States of an intent: which moves are legal, and which facts prove what.

::

    (none)─plan+reserve─►READY─slot, sign, STORE, send─►IN_FLIGHT◄──┐
                          │▲                             │ landed    │ reorg
                          ││ slot retired, proven        ▼           │
      CANCELLED ◄─────────┘└───────────────────────── CONFIRMED ─────┘
      at a FINALIZED block: FINAL (key used) │ FAILED (deadline passed, key unset) │ QUARANTINED
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from dmm.settlement.intent import IntentKind, IntentState
from dmm.units.errors import Fault

GENERATION_MAX = 8
"""Slots an intent may use up before a person must look."""

BUMP_MAX = 3
"""Fee bumps within one slot; all versions exclude each other by the nonce."""

RETENTION_S = 30 * 86_400
"""How long past its deadline a used key is certain to be readable in our contracts."""

SIGN_MARGIN_S = 30
"""Closer to the deadline than this, no new slot is opened: the contract would refuse it."""

BURN_BUMP_MAX = 7
"""The last bump at which a slot is burnt; those above `BUMP_MAX` come from the rescue budget."""

IN_FLIGHT_MAX = 64
"""Slots of one class of intents whose bytes are on no block; nodes keep about as many an account"""

_AFTER: dict[IntentState, tuple[IntentState, ...]] = {
    IntentState.READY: (
        IntentState.IN_FLIGHT,
        IntentState.FINAL,
        IntentState.FAILED,
        IntentState.CANCELLED,
        IntentState.QUARANTINED,
    ),
    IntentState.IN_FLIGHT: (
        IntentState.CONFIRMED,
        IntentState.READY,
        IntentState.FINAL,
        IntentState.FAILED,
        IntentState.QUARANTINED,
    ),
    IntentState.CONFIRMED: (
        IntentState.IN_FLIGHT,
        IntentState.FINAL,
        IntentState.FAILED,
        IntentState.QUARANTINED,
    ),
    IntentState.QUARANTINED: (IntentState.READY, IntentState.IN_FLIGHT, IntentState.FAILED),
}

LEGAL = frozenset((before, after) for before, afters in _AFTER.items() for after in afters)
"""Every move there is; FINAL, FAILED and CANCELLED end an intent, governance ends a quarantine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneBounds:
    """What may be on its way at once, for each kind of intent on each chain.

    Kinds have bounds of their own, so that none waits for another. `in_flight_max` counts slots
    whose bytes are in no block yet, >= 1. `value_atoms_max` bounds, by asset, the sum of the
    amounts that may still be paid and are not final; an asset without an entry has no bound. Of the
    kinds in `sequenced` only one open intent of a signer may have a slot of one anchor.
    """

    in_flight_max: int = IN_FLIGHT_MAX
    value_atoms_max: Mapping[str, int] = field(default_factory=dict)
    sequenced: frozenset[IntentKind] = frozenset()


class Fenced(Fault):
    """Another worker holds the intent now: stop, write nothing, claim again."""


class Death(Enum):
    """What an unset replay key says at a finalized block."""

    NOT_YET = "not_yet"
    """The deadline has not passed there: the intent may still be paid."""
    PROVEN = "proven"
    """The contract refuses the key from here on, and it was never used."""
    STALE = "stale"
    """So long ago that a used key may have been forgotten: a person must look."""


def judge_death(*, deadline_s: int, finalized_time_s: int) -> Death:
    """Judge an intent whose replay key is unset in our contract at a finalized block.

    Only this proves an intent dead; no nonce, receipt or block height does.

    Parameters
    ----------
    deadline_s : the intent's deadline in chain time; the contract still pays at equality
    finalized_time_s : chain time of the finalized block at which the key was read
    """
    if finalized_time_s <= deadline_s:
        return Death.NOT_YET
    if finalized_time_s > deadline_s + RETENTION_S:
        return Death.STALE
    return Death.PROVEN

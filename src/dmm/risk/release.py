"""What lets a latched posture go: a person's reset, or an order that the owners executed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from dmm.risk.breaker import AFTER_RELEASE, Posture
from dmm.units.time import Nanos

TEXT_CHARS_MAX = 500
"""Longest name or reason that goes to the audit log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualReset:
    """A person's word that a halted desk may go on: who, why and when (ns since 1970 UTC)."""

    operator: str
    reason: str
    reset_at_ns: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutedRelease:
    """A release order as executed on the finalized chain: `order_sequence` >= 0, used once.

    It names its kill, so it needs no time to tell that it is about it.
    """

    kill_id: int
    order_sequence: int
    tx_id: str


Release: TypeAlias = ManualReset | ExecutedRelease


class ReleaseRefusal(StrEnum):
    """Why a release does not hold, in the order it is checked."""

    NOT_LATCHED = "not_latched"
    WRONG_RELEASE = "wrong_release"
    """A reset cannot open a kill, and an order is not what a halt asks for."""
    NO_OPERATOR = "no_operator"
    NO_REASON = "no_reason"
    TEXT_TOO_LONG = "text_too_long"
    BEFORE_THE_LATCH = "before_the_latch"
    """A reset older than its halt cannot be about it: one of the two clocks is wrong."""
    NO_ORDER = "no_order"
    OTHER_KILL = "other_kill"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A latch that holds: which posture, since when, and its number in the journal."""

    posture: Posture
    latch_id: int
    latched_at_ns: Nanos


def release(held: Held, given: Release) -> Posture | ReleaseRefusal:
    """Return the posture after a release, or why the release does not hold.

    A reset opens `HALTED` and nothing else; an executed order opens `KILLED` and nothing else. The
    desk goes on from `AFTER_RELEASE`: signals that still demand a latch set it again, so whoever
    resets a drawdown must also start its peak afresh.

    Parameters
    ----------
    held : the latch
    given : goes to the audit log in the transaction that opens the latch
    """
    if not held.posture.is_latched:
        return ReleaseRefusal.NOT_LATCHED
    wanted = ManualReset if held.posture is Posture.HALTED else ExecutedRelease
    if not isinstance(given, wanted):
        return ReleaseRefusal.WRONG_RELEASE
    return _flaw(held, given) or AFTER_RELEASE


def _flaw(held: Held, given: Release) -> ReleaseRefusal | None:
    if isinstance(given, ExecutedRelease):
        if not given.tx_id.strip() or given.order_sequence < 0:
            return ReleaseRefusal.NO_ORDER
        return None if given.kill_id == held.latch_id else ReleaseRefusal.OTHER_KILL
    if not given.operator.strip():
        return ReleaseRefusal.NO_OPERATOR
    if not given.reason.strip():
        return ReleaseRefusal.NO_REASON
    if max(len(given.operator), len(given.reason)) > TEXT_CHARS_MAX:
        return ReleaseRefusal.TEXT_TOO_LONG
    if given.reset_at_ns < held.latched_at_ns:
        return ReleaseRefusal.BEFORE_THE_LATCH
    return None

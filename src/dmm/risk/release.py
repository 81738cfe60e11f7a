"""What lets a latched posture go: a person's reset, or an order that the owners executed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from dmm.risk.breaker import AFTER_RELEASE, Posture
from dmm.risk.posture import PostureState
from dmm.units.ids import Json
from dmm.units.time import Nanos

TEXT_CHARS_MAX = 500
"""Longest name or reason that goes to the audit log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualReset:
    """A person's word that a halted desk may go on: who, why and when (ns since 1970 UTC)."""

    operator: str
    reason: str
    reset_at_ns: Nanos

    def audit_body(self) -> dict[str, Json]:
        """Return what the audit log keeps."""
        return {
            "operator": self.operator,
            "reason": self.reason,
            "reset_at_ns": self.reset_at_ns,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutedRelease:
    """A release order as executed on the finalized chain: `order_sequence` >= 0, used once."""

    kill_id: str
    order_sequence: int
    tx_id: str
    executed_at_ns: Nanos

    def audit_body(self) -> dict[str, Json]:
        """Return what the audit log keeps."""
        return {
            "kill_id": self.kill_id,
            "order_sequence": self.order_sequence,
            "tx_id": self.tx_id,
            "executed_at_ns": self.executed_at_ns,
        }


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
    """It is older than the latch: it cannot be about it."""
    NO_ORDER = "no_order"


def release(state: PostureState, given: Release) -> PostureState | ReleaseRefusal:
    """Return the state after a release, or why it does not hold.

    A reset opens `HALTED` and nothing else; an executed order opens `KILLED` and nothing else. The
    desk goes on from `AFTER_RELEASE`: signals that still demand a latch set it again, so whoever
    resets a drawdown must also start its peak afresh.

    Parameters
    ----------
    state : holds the latch, and since when
    given : written to the audit log by the caller before the new state is used
    """
    if not state.posture.is_latched:
        return ReleaseRefusal.NOT_LATCHED
    wanted = ManualReset if state.posture is Posture.HALTED else ExecutedRelease
    if not isinstance(given, wanted):
        return ReleaseRefusal.WRONG_RELEASE
    refusal, at_ns = _flaw(given), _at_ns(given)
    if refusal is not None:
        return refusal
    if at_ns < state.entered_at_ns:
        return ReleaseRefusal.BEFORE_THE_LATCH
    now_ns = max(at_ns, state.seen_at_ns)
    return PostureState(posture=AFTER_RELEASE, entered_at_ns=now_ns, seen_at_ns=now_ns)


def _at_ns(given: Release) -> Nanos:
    return given.reset_at_ns if isinstance(given, ManualReset) else given.executed_at_ns


def _flaw(given: Release) -> ReleaseRefusal | None:
    if isinstance(given, ExecutedRelease):
        named = given.kill_id.strip() and given.tx_id.strip() and given.order_sequence >= 0
        return None if named else ReleaseRefusal.NO_ORDER
    if not given.operator.strip():
        return ReleaseRefusal.NO_OPERATOR
    if not given.reason.strip():
        return ReleaseRefusal.NO_REASON
    if max(len(given.operator), len(given.reason)) > TEXT_CHARS_MAX:
        return ReleaseRefusal.TEXT_TOO_LONG
    return None

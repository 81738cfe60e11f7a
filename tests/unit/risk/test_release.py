"""Each latch has one kind of release, and a release says who, why and when."""

from __future__ import annotations

from dataclasses import replace

import pytest
from trading_values import at_ms

from dmm.risk.breaker import CALM, Posture
from dmm.risk.posture import PostureState, step
from dmm.risk.release import (
    AFTER_RELEASE,
    TEXT_CHARS_MAX,
    ExecutedRelease,
    ManualReset,
    Release,
    ReleaseRefusal,
    release,
)
from dmm.units.ids import canonical_json

HALTED = PostureState(posture=Posture.HALTED, entered_at_ns=at_ms(100), seen_at_ns=at_ms(900))
KILLED = replace(HALTED, posture=Posture.KILLED)
RESET = ManualReset(operator="ann", reason="hedged by hand", reset_at_ns=at_ms(500))
ORDER = ExecutedRelease(kill_id="k1", order_sequence=4, tx_id="0xab", executed_at_ns=at_ms(500))


@pytest.mark.parametrize(
    ("state", "given", "refusal"),
    [
        (PostureState(posture=Posture.PAUSED), RESET, ReleaseRefusal.NOT_LATCHED),
        (PostureState(posture=Posture.CANCEL_ONLY), RESET, ReleaseRefusal.NOT_LATCHED),
        (KILLED, RESET, ReleaseRefusal.WRONG_RELEASE),
        (HALTED, ORDER, ReleaseRefusal.WRONG_RELEASE),
        (HALTED, replace(RESET, operator="  "), ReleaseRefusal.NO_OPERATOR),
        (HALTED, replace(RESET, reason="\n"), ReleaseRefusal.NO_REASON),
        (HALTED, replace(RESET, reason="x" * (TEXT_CHARS_MAX + 1)), ReleaseRefusal.TEXT_TOO_LONG),
        (HALTED, replace(RESET, reset_at_ns=at_ms(99)), ReleaseRefusal.BEFORE_THE_LATCH),
        (KILLED, replace(ORDER, tx_id=""), ReleaseRefusal.NO_ORDER),
        (KILLED, replace(ORDER, order_sequence=-1), ReleaseRefusal.NO_ORDER),
        (KILLED, replace(ORDER, executed_at_ns=at_ms(99)), ReleaseRefusal.BEFORE_THE_LATCH),
    ],
)
def test_a_release_that_does_not_fit_its_latch_is_refused(
    state: PostureState, given: Release, refusal: ReleaseRefusal
) -> None:
    assert release(state, given) is refusal


@pytest.mark.parametrize(("state", "given"), [(HALTED, RESET), (KILLED, ORDER)])
def test_a_released_desk_starts_paused_and_in_the_present(
    state: PostureState, given: Release
) -> None:
    after = release(state, given)
    assert isinstance(after, PostureState)
    assert (after.posture, after.seen_at_ns) == (AFTER_RELEASE, at_ms(900))


def test_a_drawdown_that_still_stands_halts_a_reset_desk_again() -> None:
    after = release(HALTED, RESET)
    assert isinstance(after, PostureState)
    again = step(after, replace(CALM, drawdown_exceeded=True), now_ns=at_ms(1_000))
    assert again.posture is Posture.HALTED


def test_what_the_audit_log_keeps_says_who_why_and_when() -> None:
    assert canonical_json(RESET.audit_body()) == (
        b'{"operator":"ann","reason":"hedged by hand","reset_at_ns":%d}' % at_ms(500)
    )
    assert set(ORDER.audit_body()) == {"kill_id", "order_sequence", "tx_id", "executed_at_ns"}

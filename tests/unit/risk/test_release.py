"""Each latch has one kind of release, and a release says who, why and when."""

from __future__ import annotations

from dataclasses import replace

import pytest
from trading_values import at_ms

from dmm.risk.breaker import AFTER_RELEASE, CALM, Posture, next_posture
from dmm.risk.release import (
    TEXT_CHARS_MAX,
    ExecutedRelease,
    Held,
    ManualReset,
    Release,
    ReleaseRefusal,
    release,
)

HALTED = Held(posture=Posture.HALTED, latch_id=7, latched_at_ns=at_ms(100))
KILLED = replace(HALTED, posture=Posture.KILLED)
RESET = ManualReset(operator="ann", reason="hedged by hand", reset_at_ns=at_ms(500))
ORDER = ExecutedRelease(kill_id=7, order_sequence=4, tx_id="0xab")


@pytest.mark.parametrize(
    ("held", "given", "refusal"),
    [
        (replace(HALTED, posture=Posture.PAUSED), RESET, ReleaseRefusal.NOT_LATCHED),
        (replace(HALTED, posture=Posture.CANCEL_ONLY), RESET, ReleaseRefusal.NOT_LATCHED),
        (KILLED, RESET, ReleaseRefusal.WRONG_RELEASE),
        (HALTED, ORDER, ReleaseRefusal.WRONG_RELEASE),
        (HALTED, replace(RESET, operator="  "), ReleaseRefusal.NO_OPERATOR),
        (HALTED, replace(RESET, reason="\n"), ReleaseRefusal.NO_REASON),
        (HALTED, replace(RESET, reason="x" * (TEXT_CHARS_MAX + 1)), ReleaseRefusal.TEXT_TOO_LONG),
        (HALTED, replace(RESET, reset_at_ns=at_ms(99)), ReleaseRefusal.BEFORE_THE_LATCH),
        (KILLED, replace(ORDER, tx_id=""), ReleaseRefusal.NO_ORDER),
        (KILLED, replace(ORDER, order_sequence=-1), ReleaseRefusal.NO_ORDER),
        (KILLED, replace(ORDER, kill_id=6), ReleaseRefusal.OTHER_KILL),
    ],
)
def test_a_release_that_does_not_fit_its_latch_is_refused(
    held: Held, given: Release, refusal: ReleaseRefusal
) -> None:
    assert release(held, given) is refusal


@pytest.mark.parametrize(
    ("held", "given"),
    [(HALTED, RESET), (HALTED, replace(RESET, reset_at_ns=at_ms(100))), (KILLED, ORDER)],
)
def test_a_released_desk_starts_paused(held: Held, given: Release) -> None:
    assert release(held, given) is AFTER_RELEASE is Posture.PAUSED


def test_a_drawdown_that_still_stands_halts_a_reset_desk_again() -> None:
    after = release(HALTED, RESET)
    assert isinstance(after, Posture)
    assert next_posture(after, replace(CALM, drawdown_exceeded=True)) is Posture.HALTED

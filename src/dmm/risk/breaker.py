"""The desk's posture: one state machine that tightens at once and loosens only as its rules say."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Posture(StrEnum):
    """How boldly the desk may act, from boldest to dead."""

    QUOTING = "quoting"
    WIDENED = "widened"
    """Volatility is above its band: quotes stand wider."""
    ONE_SIDED = "one_sided"
    """Inventory is at its hard limit: only the side that reduces it quotes."""
    PAUSED = "paused"
    """The market cannot be seen: no orders until it can."""
    HALTED = "halted"
    """Drawdown: no orders until a person resets it."""
    KILLED = "killed"
    """The kill switch holds, or cannot be read: no orders until an executed order releases it."""

    @property
    def severity(self) -> int:
        """Return 0 for quoting up to 5 for killed."""
        return _SEVERITY[self]

    @property
    def may_quote(self) -> bool:
        """Tell whether any order may rest at all."""
        return self.severity < _SEVERITY[Posture.PAUSED]


_SEVERITY = {posture: rank for rank, posture in enumerate(Posture)}

AFTER_RELEASE = Posture.PAUSED
"""A released desk starts here: what its signals then demand decides, not what they once did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What the breakers see at one instant.

    `latch_readable` is False when the kill switch could not be read: that counts as killed.
    """

    latch_readable: bool
    killed: bool
    drawdown_exceeded: bool
    market_visible: bool
    inventory_at_hard: bool
    volatility_above_band: bool


CALM = Signals(
    latch_readable=True,
    killed=False,
    drawdown_exceeded=False,
    market_visible=True,
    inventory_at_hard=False,
    volatility_above_band=False,
)


def demanded(signals: Signals) -> Posture:
    """Return the least bold posture that any signal demands."""
    if signals.killed or not signals.latch_readable:
        return Posture.KILLED
    if signals.drawdown_exceeded:
        return Posture.HALTED
    if not signals.market_visible:
        return Posture.PAUSED
    if signals.inventory_at_hard:
        return Posture.ONE_SIDED
    if signals.volatility_above_band:
        return Posture.WIDENED
    return Posture.QUOTING


def next_posture(current: Posture, signals: Signals) -> Posture:
    """Return the posture after these signals.

    Up to `PAUSED` the posture follows its signals both ways, for their cause is seen to be gone.
    `HALTED` and `KILLED` are latched: signals may only tighten them; a release loosens them, by
    putting `AFTER_RELEASE` in their place.
    """
    wanted = demanded(signals)
    if current.severity >= _SEVERITY[Posture.HALTED]:
        return max(current, wanted, key=lambda posture: posture.severity)
    return wanted

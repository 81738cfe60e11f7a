"""The desk's posture: one state machine that tightens at once and loosens only as its rules say.

::

    posture       no more than              cause                              what loosens it
    quoting       quotes as priced          -                                  -
    widened       quotes stand wider        σ above its band                   the cause is gone
    one_sided     the reducing side         inventory at a hard limit          the cause is gone
    paused        cancels                   the market cannot be trusted       the cause is gone
    cancel_only   cancels                   our books cannot be trusted        a clean comparison
    halted        cancels                   drawdown                           a person's reset
    killed        cancels                   kill switch, or it is unreadable   an executed order

`cancel_only` stands above `paused`: a market heals by itself, a gap between our books and the
venue's only by a comparison that finds none.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dmm.units.fast_init import fast_init


class Posture(StrEnum):
    """How boldly the desk may act, from boldest to dead."""

    QUOTING = "quoting"
    WIDENED = "widened"
    """Volatility is above its band: quotes stand wider."""
    ONE_SIDED = "one_sided"
    """Inventory is at its hard limit: only the side that reduces it quotes."""
    PAUSED = "paused"
    """The market cannot be seen or trusted: no orders until it can."""
    CANCEL_ONLY = "cancel_only"
    """What is open, filled or held is not certain: no orders until a clean reconciliation."""
    HALTED = "halted"
    """Drawdown: no orders until a person resets it."""
    KILLED = "killed"
    """The kill switch holds, or cannot be read: no orders until an executed order releases it."""

    @property
    def severity(self) -> int:
        """Return 0 for quoting up to 6 for killed."""
        return _SEVERITY[self]

    @property
    def may_quote(self) -> bool:
        """Tell whether any order may rest at all."""
        return self in _MAY_QUOTE

    @property
    def is_latched(self) -> bool:
        """Tell whether only a release loosens it, whatever the signals say."""
        return self in _LATCHED


_SEVERITY = {posture: rank for rank, posture in enumerate(Posture)}
_MAY_QUOTE = frozenset({Posture.QUOTING, Posture.WIDENED, Posture.ONE_SIDED})
_LATCHED = frozenset({Posture.HALTED, Posture.KILLED})

AFTER_RELEASE = Posture.PAUSED
"""A released desk starts here: what its signals then demand decides, not what they once did."""


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What the breakers see at one instant; `dmm.risk.signals` makes it from measured values.

    `latch_readable` is False when the kill switch could not be read: that counts as killed.
    `books_disagree` is True from the first gap found until a clean reconciliation.
    """

    latch_readable: bool
    killed: bool
    drawdown_exceeded: bool
    market_visible: bool
    inventory_at_hard: bool
    volatility_above_band: bool
    volatility_extreme: bool = False
    fills_off_reference: bool = False
    venues_disagree: bool = False
    clock_off: bool = False
    depegged: bool = False
    order_state_unknown: bool = False
    books_disagree: bool = False

    @property
    def market_trusted(self) -> bool:
        """Tell whether the market is seen, and nothing says that what is seen is wrong."""
        return self.market_visible and not (
            self.volatility_extreme
            or self.fills_off_reference
            or self.venues_disagree
            or self.clock_off
            or self.depegged
        )


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
    if signals.books_disagree or signals.order_state_unknown:
        return Posture.CANCEL_ONLY
    if not signals.market_trusted:
        return Posture.PAUSED
    if signals.inventory_at_hard:
        return Posture.ONE_SIDED
    if signals.volatility_above_band:
        return Posture.WIDENED
    return Posture.QUOTING


def stricter(one: Posture, other: Posture) -> Posture:
    """Return the less bold of two postures."""
    return one if _SEVERITY[one] >= _SEVERITY[other] else other


def next_posture(current: Posture, signals: Signals) -> Posture:
    """Return the posture after these signals.

    Up to `CANCEL_ONLY` the posture follows its signals both ways, for their cause is seen to be
    gone. `HALTED` and `KILLED` are latched: signals may only tighten them; a release loosens them,
    by putting `AFTER_RELEASE` in their place (`dmm.risk.release`).
    """
    wanted = demanded(signals)
    return stricter(current, wanted) if current.is_latched else wanted

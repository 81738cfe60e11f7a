"""Inventory skew: a shift of both quotes against the inventory."""

from __future__ import annotations


def skew_shift(*, inventory: float, inventory_soft: float, beta: float) -> float:
    """Return β·clamp(q/q_soft, −1, 1): what both quotes are lowered by.

    A shift moves bid and ask the same way, so that a long desk buys less eagerly and sells more
    eagerly; it never widens or narrows the spread.

    Parameters
    ----------
    inventory : q, long is positive
    inventory_soft : q at which the shift is full, > 0, in the unit of the inventory
    beta : full shift in price, >= 0
    """
    return beta * min(1.0, max(-1.0, inventory / inventory_soft))

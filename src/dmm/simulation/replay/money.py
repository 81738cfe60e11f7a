"""Cash of executions in whole atoms, compiled; agrees with `dmm.ledger.fills` to the atom."""

from __future__ import annotations

from dmm.simulation.replay.layout import (
    V_ATOMS,
    V_DENOMINATOR,
    V_INVERSE,
    V_NUMERATOR,
    Longs,
    woven,
)

UBPS_ONE = 10_000_000_000
"""Millionths of a basis point in one."""


@woven
def cash_atoms(venues: Longs, venue: int, price: int, size: int, up: int) -> int:
    """Return the cash value of a size at a price; an inverse contract's is rounded, up or down.

    Parameters
    ----------
    price : ticks, > 0
    size : lots, >= 0
    up : 1 to round up, 0 to round down
    """
    if not venues[venue, V_INVERSE]:
        return int(price * size * venues[venue, V_ATOMS])
    numerator = size * venues[venue, V_NUMERATOR]
    denominator = venues[venue, V_DENOMINATOR] * price
    return int(-(-numerator // denominator) if up else numerator // denominator)


@woven
def cash_flow(venues: Longs, venue: int, side: int, price: int, size: int) -> int:
    """Return the signed cash of an execution before fees: what we get is positive."""
    sign = side if venues[venue, V_INVERSE] else -side
    return sign * cash_atoms(venues, venue, price, size, 1 if sign < 0 else 0)


@woven
def marked_atoms(venues: Longs, venue: int, inventory: int, mid: int) -> int:
    """Return what an inventory is worth at a mid in half ticks, rounded down; 0 for none."""
    if inventory == 0:
        return 0
    if not venues[venue, V_INVERSE]:
        return int((inventory * mid * venues[venue, V_ATOMS]) // 2)
    sign = -1 if inventory > 0 else 1
    return sign * cash_atoms(venues, venue, mid, 2 * abs(inventory), 1 if sign < 0 else 0)


@woven
def fee_atoms(cash: int, fee_ubps: int) -> int:
    """Return the fee on a cash value, rounded up; a rebate is negative and loses the remainder.

    Taken apart so that no product leaves 64 bits.
    """
    whole, rest = cash // UBPS_ONE, cash % UBPS_ONE
    return whole * fee_ubps - (-(rest * fee_ubps) // UBPS_ONE)

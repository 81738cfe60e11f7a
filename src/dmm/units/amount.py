"""Integer money: atoms, ticks, lots, and divisions that name their direction."""

from __future__ import annotations

from typing import NewType

Atoms = NewType("Atoms", int)
"""An amount in the asset's smallest unit."""

Ticks = NewType("Ticks", int)
"""A price in multiples of the instrument's tick size."""

HalfTicks = NewType("HalfTicks", int)
"""A price in halves of a tick, so that a mid price (bid + ask) is an integer."""

Lots = NewType("Lots", int)
"""A size in multiples of the instrument's lot size."""

BPS_ONE = 10_000
"""Basis points in one."""


def floor_div(numerator: int, denominator: int) -> int:
    """Return the quotient rounded down: for payouts, where the remainder stays with us.

    Parameters
    ----------
    numerator : any integer
    denominator : > 0

    Raises
    ------
    ValueError
        If the denominator is not positive.
    """
    if denominator <= 0:
        raise ValueError(f"denominator must be positive, got {denominator}")
    return numerator // denominator


def ceil_div(numerator: int, denominator: int) -> int:
    """Return the quotient rounded up: for costs and fees, where we owe the remainder.

    Parameters
    ----------
    numerator : any integer
    denominator : > 0

    Raises
    ------
    ValueError
        If the denominator is not positive.
    """
    if denominator <= 0:
        raise ValueError(f"denominator must be positive, got {denominator}")
    return -(-numerator // denominator)

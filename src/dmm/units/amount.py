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


def format_atoms(atoms: int, *, decimals: int) -> str:
    """Return an amount as decimal text without trailing zeros: exact, for people and JSON.

    Parameters
    ----------
    atoms : amount in atoms, any sign
    decimals : decimals of the asset's atom, >= 0
    """
    sign = "-" if atoms < 0 else ""
    whole, fraction = divmod(abs(atoms), 10**decimals)
    digits = str(fraction).rjust(decimals, "0").rstrip("0") if fraction else ""
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"

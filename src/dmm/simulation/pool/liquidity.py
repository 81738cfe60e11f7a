"""What a liquidity position holds: constant product, and the same within a range of ticks.

Prices are Q96 roots: ⌊√(token 1 per token 0, in atoms)·2⁹⁶⌋, the scale the pools themselves use, so
that every amount is whole atoms. What is paid in is rounded up, what comes out is rounded down.
A position over all ticks is the constant product x·y = L².

References
----------
Adams, Zinsmeister, Salem, Keefer & Robinson (2021), Uniswap v3 Core, section 6.2;
Pintail (2019), "Uniswap: A Good Deal for Liquidity Providers?", for the loss against holding.
"""

from __future__ import annotations

import decimal
import functools
import math
from dataclasses import dataclass

from dmm.units.amount import Atoms
from dmm.units.errors import UsageFault

Q96 = 2**96

TICK_MAX = 887_272
"""Greatest tick of a pool; the least is its negative."""

_DIGITS = 80
"""Digits of a root: its 160 bits have 49, and the rest is for the power's own rounding."""

ROUNDINGS_MAX = 64
"""Steps towards a sum that covers rounded amounts; a sum of a few atoms buys nothing."""

ROOTS_MAX = 65_536
"""Roots kept; a year of minutes visits fewer ticks."""


@functools.lru_cache(maxsize=ROOTS_MAX)
def root_at(tick: int) -> int:
    """Return ⌊1.0001^(tick/2)·2⁹⁶⌋.

    Parameters
    ----------
    tick : −887,272 to 887,272

    Raises
    ------
    UsageFault
        If no pool has such a tick.
    """
    if abs(tick) > TICK_MAX:
        raise UsageFault(f"tick {tick} is no pool's: they run from {-TICK_MAX} to {TICK_MAX}")
    context = decimal.Context(prec=_DIGITS)
    root = context.power(decimal.Decimal("1.0001"), decimal.Decimal(tick) / 2)
    return int(context.multiply(root, decimal.Decimal(Q96)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Ticks a position is active in: from `lower` up to, but not at, `upper`."""

    lower: int
    upper: int

    def __post_init__(self) -> None:
        if not -TICK_MAX <= self.lower < self.upper <= TICK_MAX:
            raise UsageFault(
                f"a range must rise within ±{TICK_MAX} ticks, got {self.lower} to {self.upper}"
            )


EVERYWHERE = Range(lower=-TICK_MAX, upper=TICK_MAX)
"""The constant product: active at every price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Atoms of both tokens, >= 0."""

    amount0: Atoms
    amount1: Atoms

    def value0(self, root: int) -> Atoms:
        """Return the worth in atoms of token 0 at a price, rounded down.

        Parameters
        ----------
        root : Q96, > 0
        """
        return Atoms(self.amount0 + self.amount1 * Q96 * Q96 // (root * root))

    def plus(self, other: Holding) -> Holding:
        """Return both together."""
        return Holding(
            amount0=Atoms(self.amount0 + other.amount0), amount1=Atoms(self.amount1 + other.amount1)
        )


def holding(liquidity: int, *, span: Range, root: int, is_paid_in: bool = False) -> Holding:
    """Return what a position of some liquidity holds at a price.

    ::

        x = L·(1/√p' − 1/√p_upper),   y = L·(√p' − √p_lower),   √p' = √p within the range

    Parameters
    ----------
    liquidity : L, >= 0
    span : the range
    root : Q96 of the price, > 0
    is_paid_in : rounded up, as the pool asks when it is put in; else down, as it comes out
    """
    low, high = root_at(span.lower), root_at(span.upper)
    at = min(max(root, low), high)
    whole0, over0 = liquidity * Q96 * (high - at), at * high
    whole1, over1 = liquidity * (at - low), Q96
    if is_paid_in:
        return Holding(amount0=Atoms(-(-whole0 // over0)), amount1=Atoms(-(-whole1 // over1)))
    return Holding(amount0=Atoms(whole0 // over0), amount1=Atoms(whole1 // over1))


def liquidity_for(value0: Atoms, *, span: Range, root: int) -> int:
    """Return the most liquidity whose two amounts are together worth no more than a sum.

    Parameters
    ----------
    value0 : atoms of token 0, >= 0
    span : the range
    root : Q96 of the price, > 0
    """
    low, high = root_at(span.lower), root_at(span.upper)
    at = min(max(root, low), high)
    # One unit of liquidity is worth (1/√p' − 1/√p_u) + (√p' − √p_l)/p; both over one denominator.
    above = Q96 * (high - at) * root * root + Q96 * (at - low) * at * high
    below = at * high * root * root
    found = value0 * below // above if above else 0
    for _ in range(ROUNDINGS_MAX):
        # Amounts are rounded up when paid in, which may ask for an atom of each more.
        asked = holding(found, span=span, root=root, is_paid_in=True).value0(root)
        if asked <= value0:
            return found
        found = found * value0 // (asked + 1)
    return 0


def loss_against_holding(ratio: float) -> float:
    """Return the share a constant-product position is worth less than its deposit held: <= 0.

    ::

        2√r/(1 + r) − 1

    Parameters
    ----------
    ratio : r, price over the deposit's, > 0; the same for 1/r

    References
    ----------
    Uniswap v2 documentation, "Understanding Returns".
    """
    if not ratio > 0 or math.isinf(ratio):
        raise UsageFault(f"a price ratio must be a positive number, got {ratio}")
    return 2 * math.sqrt(ratio) / (1 + ratio) - 1


def range_loss_against_holding(ratio: float, *, below: float, above: float) -> float:
    """Return the same for a position within a range around the deposit's price.

    With √p = s, √p_l = a, √p_u = b in units of the deposit's root: the position is worth
    L·(2s' − s'²/b − a) and so on outside; what was put in is worth L·((1 − 1/b)·r + 1 − a).

    Parameters
    ----------
    ratio : price over the deposit's, > 0
    below, above : ends of the range over the deposit's price, 0 < below < 1 < above

    References
    ----------
    Adams et al. (2021), equations 6.29 and 6.30.
    """
    if not (ratio > 0 and 0 < below < 1 < above):
        raise UsageFault(f"needs 0 < below < 1 < above and a ratio > 0, got {below}, {above}")
    low, high = math.sqrt(below), math.sqrt(above)
    at = min(max(math.sqrt(ratio), low), high)
    now = (1 / at - 1 / high) * ratio + (at - low)
    held = (1 - 1 / high) * ratio + (1 - low)
    return now / held - 1

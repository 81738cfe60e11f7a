"""Prices and Greeks of European options: Black–Scholes–Merton with a cost of carry.

With b the cost of carry (r for a share without dividends, r − q with a yield q, 0 for a future):

    d₁ = (ln(S/K) + (b + σ²/2)T) / (σ√T),   d₂ = d₁ − σ√T
    call = S e^{(b−r)T} N(d₁) − K e^{−rT} N(d₂)
    put  = K e^{−rT} N(−d₂) − S e^{(b−r)T} N(−d₁)

Haug (1998), The Complete Guide to Option Pricing Formulas: the generalised formula.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from dmm.units.errors import UsageFault

YEARS_MAX = 100.0
RATE_MAX = 10.0
"""Rates and yields beyond ±1000 % a year are percentages passed as fractions."""

VOLATILITY_MAX = 50.0


class OptionKind(StrEnum):
    """Right to buy or right to sell."""

    CALL = "call"
    PUT = "put"

    @property
    def sign(self) -> int:
        """Return +1 for a call, −1 for a put."""
        return 1 if self is OptionKind.CALL else -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A European option and its market.

    Parameters
    ----------
    kind : call or put
    spot : S, quote per base, > 0
    strike : K, quote per base, > 0
    expiry_years : T in years, > 0
    volatility : σ, a fraction a year, > 0
    rate : r, continuously compounded, a fraction a year
    dividend : q, continuous yield or funding received by the holder, a fraction a year; b = r − q

    Raises
    ------
    UsageFault
        If a value is no number or out of range; the text names it.
    """

    kind: OptionKind
    spot: float
    strike: float
    expiry_years: float
    volatility: float
    rate: float
    dividend: float = 0.0

    def __post_init__(self) -> None:
        bounds = (
            ("spot", self.spot, 0.0, math.inf),
            ("strike", self.strike, 0.0, math.inf),
            ("expiry_years", self.expiry_years, 0.0, YEARS_MAX),
            ("volatility", self.volatility, 0.0, VOLATILITY_MAX),
            ("rate", self.rate, -RATE_MAX, RATE_MAX),
            ("dividend", self.dividend, -RATE_MAX, RATE_MAX),
        )
        for name, value, above, most in bounds:
            if not (math.isfinite(value) and above < value <= most):
                raise UsageFault(
                    f"{name} of an option must be above {above:g} and at most {most:g}, got {value}"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeks:
    """Value of one option and its derivatives, in quote.

    `delta` per unit of spot; `gamma` per unit of spot squared; `vega` per 1.00 of volatility;
    `theta` per year of passing time; `rho` per 1.00 of the rate with the yield held fixed;
    `phi` per 1.00 of the yield.
    """

    value: float
    delta: float
    gamma: float
    vega: float
    theta: float
    rho: float
    phi: float


SPOT_DELTA = 1.0
"""A unit of the asset, or of a linear contract on it, moves one to one with the spot."""


def d1_d2(option: Option) -> tuple[float, float]:
    """Return d₁ and d₂ of the formulas above."""
    deviation = option.volatility * math.sqrt(option.expiry_years)
    carry = option.rate - option.dividend
    drift = (carry + option.volatility**2 / 2) * option.expiry_years
    d1 = (math.log(option.spot / option.strike) + drift) / deviation
    return d1, d1 - deviation


def greeks(option: Option) -> Greeks:
    """Return an option's value and Greeks by the formulas above and their derivatives."""
    d1, d2 = d1_d2(option)
    sign, t = option.kind.sign, option.expiry_years
    held = option.spot * math.exp(-option.dividend * t)
    owed = option.strike * math.exp(-option.rate * t)
    n1, n2 = _normal_cdf(sign * d1), _normal_cdf(sign * d2)
    density = math.exp(-d1 * d1 / 2) / math.sqrt(2 * math.pi)
    deviation = option.volatility * math.sqrt(t)
    decay = -held * density * option.volatility / (2 * math.sqrt(t))
    return Greeks(
        value=sign * (held * n1 - owed * n2),
        delta=sign * math.exp(-option.dividend * t) * n1,
        gamma=held * density / (option.spot**2 * deviation),
        vega=held * density * math.sqrt(t),
        theta=decay + sign * (option.dividend * held * n1 - option.rate * owed * n2),
        rho=sign * t * owed * n2,
        phi=-sign * t * held * n1,
    )


def net_greeks(positions: Iterable[tuple[float, Greeks]], *, spot_units: float = 0.0) -> Greeks:
    """Return the Greeks of a book: options by quantity, and units of the asset itself.

    Parameters
    ----------
    positions : quantity (short is negative) and the Greeks of one option
    spot_units : of the asset or of linear contracts on it, signed; they add delta and no value
    """
    total = dict.fromkeys(Greeks.__dataclass_fields__, 0.0)
    for quantity, one in positions:
        for name in total:
            total[name] += quantity * float(getattr(one, name))
    total["delta"] += spot_units * SPOT_DELTA
    return Greeks(**total)


def _normal_cdf(x: float) -> float:
    # By the complement of erf: 1 − erf would lose every digit far in the tail.
    return math.erfc(-x / math.sqrt(2)) / 2

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
from dataclasses import asdict, astuple, dataclass
from enum import StrEnum

from dmm.units.errors import UsageFault

PRICE_MIN = 1e-15
PRICE_MAX = 1e15
"""No market trades outside: a dust token by the coin and a coin by the atom lie between."""

YEARS_MAX = 100.0

RATE_MAX = 2.0
"""Interest beyond ±200 % a year is a percentage passed as a fraction."""

YIELD_MAX = 10.0
"""Funding reaches hundreds of percent a year and counts as a yield; beyond ±1000 % as above."""

VOLATILITY_MAX = 8.0
"""800 % a year: above the 615 % at which the desk's own band of σ ends. What lies beyond is a
percentage passed as a fraction."""

QUANTITY_MAX = 1e30
"""Options of one kind, or units of the asset, in a book."""


FRACTION = "a fraction a year (0.2 is 20 %)"


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
    spot : S, quote per base, above 1e-15, up to 1e15
    strike : K, quote per base, above 1e-15, up to 1e15
    expiry_years : T in years, > 0, up to 100
    volatility : σ, a fraction a year, > 0, up to 8
    rate : r, continuously compounded, a fraction a year, ±2
    dividend : q, continuous yield or funding received by the holder, a fraction a year, ±10;
        b = r − q

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
            ("spot", self.spot, PRICE_MIN, PRICE_MAX, "quote per base"),
            ("strike", self.strike, PRICE_MIN, PRICE_MAX, "quote per base"),
            ("expiry_years", self.expiry_years, 0.0, YEARS_MAX, "years"),
            ("volatility", self.volatility, 0.0, VOLATILITY_MAX, FRACTION),
            ("rate", self.rate, -RATE_MAX, RATE_MAX, FRACTION),
            ("dividend", self.dividend, -YIELD_MAX, YIELD_MAX, FRACTION),
        )
        for name, value, above, most, unit in bounds:
            if not (math.isfinite(value) and above < value <= most):
                raise UsageFault(
                    f"{name} of an option must be above {above:g} and at most {most:g}, {unit}, "
                    f"got {value}"
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
    """Return an option's value and Greeks by the formulas above and their derivatives.

    Raises
    ------
    UsageFault
        If one of them is no finite number: the inputs are far from any market.
    """
    try:
        found = _greeks(option)
    except (OverflowError, ZeroDivisionError):
        raise _not_finite(option) from None
    if not all(math.isfinite(value) for value in astuple(found)):
        raise _not_finite(option)
    return found


def _not_finite(option: Option) -> UsageFault:
    given = ", ".join(f"{name} = {value}" for name, value in asdict(option).items())
    return UsageFault(f"an option has no finite Greeks for {given}: check the units")


def _greeks(option: Option) -> Greeks:
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

    Raises
    ------
    UsageFault
        If a quantity is no number up to 1e30 either way, or the book's sum is not finite.
    """
    total = dict.fromkeys(Greeks.__dataclass_fields__, 0.0)
    _require_quantity("spot_units", spot_units)
    for quantity, one in positions:
        _require_quantity("quantity of an option", quantity)
        for name in total:
            total[name] += quantity * float(getattr(one, name))
    total["delta"] += spot_units * SPOT_DELTA
    if not all(math.isfinite(value) for value in total.values()):
        raise UsageFault(f"the Greeks of the book are not finite: {total}; check the quantities")
    return Greeks(**total)


def _require_quantity(name: str, value: float) -> None:
    if not abs(value) <= QUANTITY_MAX:
        raise UsageFault(f"{name} must be a number up to {QUANTITY_MAX:g} either way, got {value}")


def _normal_cdf(x: float) -> float:
    # By the complement of erf: 1 − erf would lose every digit far in the tail.
    return math.erfc(-x / math.sqrt(2)) / 2

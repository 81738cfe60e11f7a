"""Telemetry of one market for the SDK: what it may be, and how it is read."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from decimal import Decimal
from numbers import Real

from dmm.quoting.models.inputs import InputRange, InputRefused, number_in_range, shown

LIMITS_AWAY_MAX = 10
"""Inventory this many limits away from its target was given in another unit than the limit."""

REFERENCE_RATIO_MAX = 2.0
"""How many times the mid a reference price may be, or the mid the reference. Two markets of one
asset do not stay twice as dear as each other, for whoever buys here and sells there closes the gap;
a price in atoms, cents or millionths is off by more."""

NUMBER_CHARS_MAX = 60
"""Longest text that is read as a number."""

_PRICE = InputRange(
    meaning="price in quote per base", takes="a finite number > 0, up to 1e15", low=1e-15, high=1e15
)
_HOLDING = InputRange(
    meaning="base tokens, long is positive",
    takes="a finite number, up to 1e30 either way",
    low=-1e30,
    high=1e30,
)
_SIZE = InputRange(
    meaning="base tokens", takes="a finite number >= 0, up to 1e30", low=0.0, high=1e30
)
RANGES: Mapping[str, InputRange] = {
    "mid_price": _PRICE,
    "inventory": _HOLDING,
    "inventory_limit": InputRange(
        meaning="base tokens by which inventory may leave its target",
        takes="a finite number > 0, up to 1e30",
        low=1e-30,
        high=1e30,
    ),
    "volatility": InputRange(
        meaning="annualised volatility as a fraction (0.22 is 22 %)",
        takes="a finite number > 0, up to 100",
        low=1e-6,
        high=100.0,
    ),
    "target_inventory": _HOLDING,
    "ton_reference_price": _PRICE,
    "onchain_depth": _SIZE,
    "offchain_depth": _SIZE,
    "recent_volume": _SIZE,
}
"""What each input of the SDK may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DCTMarketMakerInputs:
    """Telemetry of one market, checked when it is made; `coerce_market_inputs` reads it from text.

    Prices are quote per base; inventory, limit, depths and volume are base tokens; `volatility` is
    an annualised fraction. Without `ton_reference_price` the fair value is the mid; without one of
    the depths both prices count alike.

    Raises
    ------
    InputRefused
        If a value is no finite number in its range.
    """

    mid_price: float
    inventory: float
    inventory_limit: float
    volatility: float
    target_inventory: float = 0.0
    ton_reference_price: float | None = None
    onchain_depth: float | None = None
    offchain_depth: float | None = None
    recent_volume: float = 0.0

    def __post_init__(self) -> None:
        for name, allowed in RANGES.items():
            value = getattr(self, name)
            if value is None and name in _OPTIONAL:
                continue
            object.__setattr__(self, name, number_in_range(name, value, allowed))
        away = abs(self.inventory - self.target_inventory) / self.inventory_limit
        if away > LIMITS_AWAY_MAX:
            raise InputRefused(
                f"inventory = {self.inventory!r} is {away:.6g} times inventory_limit = "
                f"{self.inventory_limit!r} away from target_inventory = {self.target_inventory!r}; "
                f"at most {LIMITS_AWAY_MAX} times: all three are base tokens"
            )
        self._require_comparable_prices()

    def _require_comparable_prices(self) -> None:
        reference = self.ton_reference_price
        if reference is None:
            return
        ratio = reference / self.mid_price
        if not 1 / REFERENCE_RATIO_MAX <= ratio <= REFERENCE_RATIO_MAX:
            raise InputRefused(
                f"ton_reference_price = {reference!r} is {ratio:.6g} times mid_price = "
                f"{self.mid_price!r}; takes {1 / REFERENCE_RATIO_MAX:g} to {REFERENCE_RATIO_MAX:g} "
                "times: both are quote per base, in the same currency and unit"
            )


_FIELDS = tuple(field.name for field in fields(DCTMarketMakerInputs))
_REQUIRED = ("mid_price", "inventory", "inventory_limit", "volatility")
_OPTIONAL = ("ton_reference_price", "onchain_depth", "offchain_depth")


def coerce_market_inputs(given: Mapping[str, object]) -> DCTMarketMakerInputs:
    """Read telemetry: numbers of any kind and numeric text become floats; None is "not known".

    Parameters
    ----------
    given : by the field names of `DCTMarketMakerInputs`; mid_price, inventory, inventory_limit and
        volatility are required

    Raises
    ------
    InputRefused
        If an input is missing, not known by name, or no finite number in its range.
    """
    if not isinstance(given, Mapping):
        raise InputRefused(
            f"market inputs must be a mapping of names to numbers, got {shown(given)}"
        )
    for name in given:
        if name not in RANGES:
            raise InputRefused(f"{shown(name)} is no market input: there are {', '.join(_FIELDS)}")
    known = {name: _number(name, value) for name, value in given.items() if value is not None}
    for name in _REQUIRED:
        if name not in known:
            allowed = RANGES[name]
            raise InputRefused(f"{name} is missing: {allowed.meaning}; takes {allowed.takes}")
    return DCTMarketMakerInputs(**known)


def _number(name: str, value: object) -> float:
    """Return a float of whatever stands for a number, or refuse it; its range comes later."""
    if isinstance(value, str) and len(value) > NUMBER_CHARS_MAX:
        return number_in_range(name, value, RANGES[name])
    if isinstance(value, Real | Decimal | str) and not isinstance(value, bool):
        with suppress(ValueError, OverflowError):
            return float(value)
    # No number: the refusal that every bad value gets.
    return number_in_range(name, value, RANGES[name])

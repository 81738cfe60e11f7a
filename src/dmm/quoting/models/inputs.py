"""Inputs of the models: which exist, in which unit and range; a bad one is refused by name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from dmm.quoting.models.propagator import INVENTORY_MAX
from dmm.units.errors import UsageFault

MAGNITUDE_MAX = 1e100
"""Largest magnitude of an input, and the inverse of the smallest: quotients of two stay numbers."""

VALUE_CHARS_MAX = 60
"""How much of a refused value its message shows."""


class InputRefused(UsageFault, ValueError):
    """An input has no number, or not one in its range; the message says which and what it takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputRange:
    """What one input may be: `low` and `high` are allowed themselves; `takes` says it in words."""

    meaning: str
    takes: str
    low: float
    high: float
    is_whole: bool = False


def _positive(meaning: str) -> InputRange:
    return InputRange(
        meaning=meaning,
        takes="a finite number > 0 (1e-100 to 1e100)",
        low=1 / MAGNITUDE_MAX,
        high=MAGNITUDE_MAX,
    )


def _at_least_zero(meaning: str) -> InputRange:
    return InputRange(
        meaning=meaning, takes="a finite number >= 0 (at most 1e100)", low=0.0, high=MAGNITUDE_MAX
    )


MODEL_INPUTS: Mapping[str, InputRange] = {
    "mid_price": _positive("mid price"),
    "inventory": InputRange(
        meaning="inventory in units of one quote, long is positive",
        takes="a finite number (at most 1e100 either way)",
        low=-MAGNITUDE_MAX,
        high=MAGNITUDE_MAX,
    ),
    "gamma": _positive("risk aversion, 1/price"),
    "sigma": _positive("volatility, price per square root of a second"),
    "horizon_s": _at_least_zero("time left, seconds; 0 is the end"),
    "kappa": _positive("decay of the arrival rate, 1/price"),
    "A": _positive("arrival rate at the mid per side, 1/second"),
    "q_max": InputRange(
        meaning="inventory limit in units of one quote",
        takes=f"a whole number from 1 to {INVENTORY_MAX:,}",
        low=1.0,
        high=float(INVENTORY_MAX),
        is_whole=True,
    ),
    "phi": _at_least_zero("running inventory penalty, price per second"),
    "alpha": _at_least_zero("terminal inventory penalty, price"),
}
"""Every input that some model takes, by the name it has in JSON."""


def shown(value: object) -> str:
    """Return a value as a message shows it, cut to a bound."""
    text = repr(value)
    return text if len(text) <= VALUE_CHARS_MAX else f"{text[:VALUE_CHARS_MAX]}…"


def number_in_range(name: str, value: object, allowed: InputRange) -> float:
    """Return an input as a float, or refuse it by name, value, unit and range.

    Parameters
    ----------
    name : of the input, for the message
    value : as given; an int or a float, nothing that must be read first
    allowed : its range

    Raises
    ------
    InputRefused
        If it is no number (bools and strings are none), not finite, out of range, or not whole
        where it has to be.
    """
    problem = InputRefused(f"{name} = {shown(value)}: {allowed.meaning}; takes {allowed.takes}")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise problem
    try:
        number = float(value)
    except OverflowError:
        raise problem from None
    if not math.isfinite(number) or not allowed.low <= number <= allowed.high:
        raise problem
    if allowed.is_whole and not number.is_integer():
        raise problem
    return number


def model_inputs(given: Mapping[str, object], required: tuple[str, ...]) -> dict[str, float]:
    """Return the inputs a formula needs, checked; whatever else was given is ignored.

    Parameters
    ----------
    given : by the names of `MODEL_INPUTS`
    required : what the formula needs

    Raises
    ------
    InputRefused
        If one is missing or bad.
    """
    missing = [name for name in required if name not in given]
    if missing:
        unknown = sorted(str(name) for name in given if name not in MODEL_INPUTS)
        also = f"; not known: {shown(', '.join(unknown))}" if unknown else ""
        name = missing[0]
        raise InputRefused(
            f"{name} is missing: {MODEL_INPUTS[name].meaning}, {MODEL_INPUTS[name].takes}; "
            f"this model takes {', '.join(required)}{also}"
        )
    return {name: number_in_range(name, given[name], MODEL_INPUTS[name]) for name in required}

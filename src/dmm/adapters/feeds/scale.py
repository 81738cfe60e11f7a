"""Decimal text to integer multiples of a step, exactly and fast."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from math import gcd

MEMO_MAX = 200_000
"""Distinct texts remembered per scale; then the memory starts over."""


DIGITS_MAX = 26
"""Characters of a number; with more of them it is no price or size."""


CURES = {
    "price": "name the right step with --tick-size, or leave the file out",
    "size": "the tape mixes lot sizes, leave the file out",
}


class OffGrid(ValueError):
    """A number that is no multiple of its step, or no plain decimal at all."""


class Scale(dict[str, int]):
    """A memory from decimal text to its multiple of `step`; ``scale[text]`` converts.

    Prices and sizes of a recording repeat, so that almost every conversion is one lookup.

    Parameters
    ----------
    what : names the number in faults, a key of `CURES`
    step : > 0; every number must be a whole multiple of it
    positive : whether zero is refused
    """

    __slots__ = ("_decimals", "_positive", "_units", "step", "what")

    def __init__(self, *, what: str, step: Decimal, positive: bool) -> None:
        super().__init__()
        self.what = what
        self.step = step
        self._decimals = decimals_of(step)
        self._units = int(step.scaleb(self._decimals))
        self._positive = positive

    def __missing__(self, text: str) -> int:
        whole, tail = split_decimal(text, what=self.what)
        decimals = self._decimals
        multiple, rest = divmod(int(whole + tail[:decimals].ljust(decimals, "0")), self._units)
        if rest or tail[decimals:].strip("0"):
            raise OffGrid(f"{self.what} {text} is no multiple of {self.step}: {CURES[self.what]}")
        if self._positive and not multiple:
            raise OffGrid(f"{self.what} {text} is not positive")
        if len(self) >= MEMO_MAX:
            self.clear()
        self[text] = multiple
        return multiple


def split_decimal(text: str, *, what: str) -> tuple[str, str]:
    """Return the digits before and after the point of a plain, unsigned decimal.

    Raises
    ------
    OffGrid
        If it is anything else.
    """
    if isinstance(text, str) and text.isascii() and len(text) <= DIGITS_MAX:
        whole, point, tail = text.partition(".")
        if whole.isdigit() and (tail.isdigit() if point else not tail):
            return whole, tail
    raise OffGrid(f"{what} {text!r} is no decimal number")


def decimals_of(value: Decimal) -> int:
    """Return how many decimals a number needs, without trailing zeros."""
    exponent = value.normalize().as_tuple().exponent
    if not isinstance(exponent, int):
        raise OffGrid(f"{value} is no number")
    return max(0, -exponent)


def common_step(texts: Iterable[str], *, what: str) -> Decimal | None:
    """Return the greatest number of which all given decimals are multiples; None if all are zero.

    Raises
    ------
    OffGrid
        If one is no decimal number.
    """
    parts = [split_decimal(text, what=what) for text in texts]
    decimals = max((len(tail) for _whole, tail in parts), default=0)
    units = gcd(*(int(whole + tail.ljust(decimals, "0")) for whole, tail in parts))
    return Decimal(units).scaleb(-decimals).normalize() if units else None


def power_of_ten_below(step: Decimal) -> Decimal:
    """Return the greatest power of ten that divides a positive number."""
    return Decimal(1).scaleb(int(step.normalize().as_tuple().exponent))


def is_multiple(value: Decimal, of: Decimal) -> bool:
    """Tell whether a number is a whole multiple of another, positive one."""
    return value % of == 0


def step_of(texts: Iterable[str], *, known: str | None, what: str) -> Decimal:
    """Return the step of some numbers: the known one if it divides them all, else the common one.

    Raises
    ------
    OffGrid
        If one is no decimal number, or all are zero.
    """
    common = common_step(texts, what=what)
    if common is None:
        raise OffGrid(f"no {what} is above zero")
    if known is not None and is_multiple(common, Decimal(known)):
        return Decimal(known)
    return common


def plain(text: str) -> str:
    """Return a decimal without an exponent: ``4e-05`` is 0.00004; anything else as it is.

    Raises
    ------
    OffGrid
        If it has an exponent and is no number.
    """
    if "e" not in text and "E" not in text:
        return text
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise OffGrid(f"{text!r} is no decimal number") from None
    # A wild exponent would unfold into gigabytes of zeros.
    if not value.is_finite() or abs(value.adjusted()) > DIGITS_MAX:
        raise OffGrid(f"{text!r} is beyond any price or size")
    return f"{value:f}"

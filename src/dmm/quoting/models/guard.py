"""What only inputs in a wrong unit lead to, refused: no other check can see those."""

from __future__ import annotations

import math
from collections.abc import Mapping

from dmm.quoting.models.inputs import InputRefused
from dmm.quoting.models.quote import Model, ModelQuote

GUARD_SHARE = 0.10
"""Share of the mid that a half-spread may not exceed, unless told otherwise."""

SHIFT_SHARE_MAX = 0.50
"""Share of the mid by which inventory may move a quote. A set of parameters is held to the guard at
its hard limit by whoever knows that limit; here only one inventory is known, and beyond half the
mid it was given in atoms or lots instead of quote sizes."""


def not_finite(model: Model, values: Mapping[str, float]) -> InputRefused:
    """Return the refusal of inputs whose quote no double can hold."""
    listed = ", ".join(f"{name} = {value!r}" for name, value in values.items())
    return InputRefused(
        f"{model.value} has no finite quote for {listed}: check the units of the inputs"
    )


def require_finite(quote: ModelQuote, values: Mapping[str, float]) -> None:
    """Refuse a quote with a number that is none."""
    numbers = (value for value in quote.to_json().values() if isinstance(value, float))
    if not all(math.isfinite(number) for number in numbers):
        raise not_finite(quote.model, values)


def require_half_spread(quote: ModelQuote, values: Mapping[str, float], guard_share: float) -> None:
    """Refuse a half-spread below 0 or beyond its share of the mid; one that is missing passes."""
    mid, half = values["mid_price"], quote.half_spread
    width = f"gamma = {values['gamma']!r} and " if "gamma" in values else ""
    units = f"{width}kappa = {values['kappa']!r} are per unit of that price; check their units"
    # Written so that a value that cannot be compared refuses.
    if half is not None and not half >= 0:
        raise InputRefused(
            f"half_spread = {half:.6g} is below 0 at mid_price = {mid!r}, a crossed quote: {units}"
        )
    if half is not None and not half <= guard_share * mid:
        raise InputRefused(
            f"half_spread = {half:.6g} exceeds {guard_share:.0%} of mid_price = {mid!r}: {units}"
        )


def require_right_units(quote: ModelQuote, values: Mapping[str, float], guard_share: float) -> None:
    """Refuse a half-spread, a lonely side or a shift by inventory that is too large for the mid.

    Parameters
    ----------
    quote : as the model gave it
    values : what it was made from
    guard_share : share of the mid that the half-spread, or the only side left, may not exceed, > 0
    """
    require_half_spread(quote, values, guard_share)
    mid, reservation = values["mid_price"], quote.reservation_price
    depths = [depth for depth in (quote.bid_depth, quote.ask_depth) if depth is not None]
    if reservation is None and not max(depths) <= guard_share * mid:
        raise InputRefused(
            f"the one side left stands {max(depths):.6g} from the mid, more than {guard_share:.0%} "
            f"of mid_price = {mid!r}: kappa = {values['kappa']!r} is per unit of that price; check "
            "its unit"
        )
    if reservation is not None:
        shift = abs(reservation - mid)
    else:
        shift = max(abs(depth) for depth in depths)
    if shift > SHIFT_SHARE_MAX * mid:
        raise InputRefused(
            f"inventory = {values['inventory']!r} moves the quote by {shift:.6g}, more than "
            f"{SHIFT_SHARE_MAX:.0%} of mid_price = {mid!r}: it is in units of one quote, neither "
            "atoms nor lots; check its unit and gamma's"
        )


def require_prices(quote: ModelQuote, values: Mapping[str, float]) -> None:
    """Refuse a bid or an ask that is no price: nobody can be paid nothing or less."""
    for name, price in (("bid", quote.bid), ("ask", quote.ask)):
        if price is not None and not price > 0:
            raise InputRefused(
                f"{name} = {price:.6g} is not positive: the half-spread and the shift by inventory "
                f"= {values['inventory']!r} reach beyond mid_price = {values['mid_price']!r}; "
                "check the units of the inputs"
            )

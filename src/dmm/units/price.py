"""The one rounding through which a model price leaves the floats."""

from __future__ import annotations

import math

from dmm.units.amount import Ticks


def price_floor(price_ticks: float) -> Ticks:
    """Round a model price down to a tick: for bids.

    Parameters
    ----------
    price_ticks : price in ticks, finite
    """
    return Ticks(math.floor(price_ticks))


def price_ceil(price_ticks: float) -> Ticks:
    """Round a model price up to a tick: for asks.

    Parameters
    ----------
    price_ticks : price in ticks, finite
    """
    return Ticks(math.ceil(price_ticks))

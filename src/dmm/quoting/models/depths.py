"""Distances of a bid and an ask from the mid, for models that give them directly."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dmm.units.errors import UsageFault


@dataclass(frozen=True, slots=True, kw_only=True)
class Depths:
    """Mid minus bid and ask minus mid, in price; None where the inventory limit forbids the side.

    A depth may be negative: a model may want to be out at a price beyond the mid.
    """

    bid: float | None
    ask: float | None


def depths_of_logs(
    log_omega: NDArray[np.float64], *, inventory: int, arrival_decay: float, edge: float
) -> Depths:
    """Return edge + ln(ω_q/ω_{q+1})/κ for the bid and edge + ln(ω_q/ω_{q−1})/κ for the ask.

    Parameters
    ----------
    log_omega : ln ω_q up to a constant, for q = 0…Q; ω is even in q
    inventory : q, whole units of one quote, −Q to Q; at ±Q the side that would add is None
    arrival_decay : κ, 1/price, > 0
    edge : the depth of a desk that inventory does not trouble, price

    Raises
    ------
    UsageFault
        If q lies beyond Q, or ω at q is too small to be held in a double.
    """
    here, limit = abs(inventory), log_omega.size - 1
    if here > limit:
        raise UsageFault(f"inventory = {inventory} lies beyond q_max = {limit}")
    adding = None
    if here < limit:
        adding = edge + _log_ratio(log_omega, here, here + 1) / arrival_decay
    reducing = edge + _log_ratio(log_omega, here, abs(here - 1)) / arrival_decay
    return Depths(bid=adding, ask=reducing) if inventory >= 0 else Depths(bid=reducing, ask=adding)


def _log_ratio(log_omega: NDArray[np.float64], here: int, there: int) -> float:
    ratio = float(log_omega[here]) - float(log_omega[there])
    if not math.isfinite(ratio):
        raise UsageFault(
            f"inventory = {here} within q_max = {log_omega.size - 1}: the model's weight there is "
            "too small beside that at 0 for a double; take a smaller q_max"
        )
    return ratio

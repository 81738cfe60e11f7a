"""Which orders to keep, cancel and place: a quote moves only when that is worth its queue place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dmm.market.instrument import Side
from dmm.quoting.decision import RestingQuote
from dmm.units.amount import Lots, Ticks

HYSTERESIS_SHARE = 0.125
"""Share of the half-spread by which an order may lie off its target and still be kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """An order of ours that is thought to rest; `remaining` is its unfilled size in lots."""

    client_id: str
    side: Side
    price: Ticks
    remaining: Lots


@dataclass(frozen=True, slots=True, kw_only=True)
class Refresh:
    """What to do: keep these orders, cancel these ids, place these quotes."""

    keep: tuple[Working, ...]
    cancel: tuple[str, ...]
    place: tuple[RestingQuote, ...]


def tolerance_ticks(half_spread_ticks: float) -> int:
    """Return how many ticks off its target an order may stay.

    Parameters
    ----------
    half_spread_ticks : ticks, > 0
    """
    return math.floor(half_spread_ticks * HYSTERESIS_SHARE)


def is_crossed(order: Working, *, best_bid: Ticks, best_ask: Ticks) -> bool:
    """Tell whether the opposite best has come to an order or past it without trading.

    Such an order is not worth its place: whoever quotes there knows something.
    """
    if order.side is Side.BUY:
        return order.price >= best_ask
    return order.price <= best_bid


def plan_refresh(
    working: Sequence[Working], targets: Sequence[RestingQuote], *, tolerance: int
) -> Refresh:
    """Match resting orders with targets.

    An order within the tolerance of a target keeps its place in the queue as long as the target has
    room for what is left of it. A target that fills have emptied by more than half is topped up by
    a further order, so that the older one need not move. What fits no target is cancelled. Orders
    kept and placed never exceed the targets' size.

    Parameters
    ----------
    working : our resting orders
    targets : the ladder wanted, at most one per side and price
    tolerance : ticks, >= 0
    """
    room = [int(target.size) for target in targets]
    keep: list[Working] = []
    cancel: list[str] = []
    # Fixed order, so that the same orders always give the same plan.
    for order in sorted(working, key=lambda order: order.client_id):
        index = _nearest(order, targets, room, tolerance)
        if index is None:
            cancel.append(order.client_id)
        else:
            room[index] -= order.remaining
            keep.append(order)
    place = tuple(
        RestingQuote(side=target.side, price=target.price, size=Lots(left))
        for target, left in zip(targets, room, strict=True)
        if 2 * left > target.size
    )
    return Refresh(keep=tuple(keep), cancel=tuple(cancel), place=place)


def _nearest(
    order: Working, targets: Sequence[RestingQuote], room: Sequence[int], tolerance: int
) -> int | None:
    fitting = (
        (abs(target.price - order.price), index)
        for index, target in enumerate(targets)
        if target.side is order.side and order.remaining <= room[index]
    )
    distance, index = min(fitting, default=(tolerance + 1, 0))
    return index if distance <= tolerance else None

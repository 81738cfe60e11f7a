"""Which orders to keep, cancel and place: a quote moves only when that is worth its queue place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from dmm.governance.policy import Policy
from dmm.market.instrument import Side
from dmm.quoting.decision import RestingQuote
from dmm.quoting.decision_inputs import Working
from dmm.quoting.scale import MICRO, is_gas_spike, microticks_of_ubps
from dmm.units.amount import BPS_ONE, HalfTicks, Lots, Ticks
from dmm.units.fast_init import fast_init


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Refresh:
    """What to do: keep these orders, cancel these ids, place these quotes."""

    keep: tuple[Working, ...]
    cancel: tuple[str, ...]
    place: tuple[RestingQuote, ...]


def tolerance_ticks(
    half_spread_ticks: float, *, policy: Policy, mid: HalfTicks, gas_ratio_bps: int = BPS_ONE
) -> int:
    """Return how many ticks off its target an order may stay.

    Moving an order by d ticks gains d for each lot that fills. It costs the place in the queue,
    valued at `hysteresis_bps` of the half-spread, and the replace itself, `replace_cost_ubps` of
    the mid at the gas price's baseline. It moves only when d exceeds the sum.

    Parameters
    ----------
    half_spread_ticks : ticks, > 0
    policy : for both costs
    mid : half ticks, > 0
    gas_ratio_bps : gas price over its baseline times 10_000
    """
    queue_ticks = half_spread_ticks * (policy.hysteresis_bps / BPS_ONE)
    if not policy.replace_cost_ubps:
        return math.floor(queue_ticks)
    cost_ubps = policy.replace_cost_ubps * max(BPS_ONE, gas_ratio_bps) // BPS_ONE
    return math.floor(queue_ticks + microticks_of_ubps(cost_ubps, mid) / MICRO)


def refresh_ms(policy: Policy, *, gas_ratio_bps: int) -> int:
    """Return the time until the next decision: stretched with the gas price once that spikes.

    Parameters
    ----------
    policy : cadence and how far it may stretch
    gas_ratio_bps : gas price over its baseline times 10_000
    """
    if not is_gas_spike(policy, gas_ratio_bps):
        return policy.refresh_ms
    stretch_bps = min(gas_ratio_bps, policy.gas_stretch_bps_max)
    return policy.refresh_ms * max(BPS_ONE, stretch_bps) // BPS_ONE


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
    # Plain rows by side: every order is compared with its side's targets, many times a second.
    bids: list[tuple[int, Ticks]] = []
    asks: list[tuple[int, Ticks]] = []
    for index, target in enumerate(targets):
        (bids if target.side is Side.BUY else asks).append((index, target.price))
    room: list[int] = [target.size for target in targets]
    keep: list[Working] = []
    cancel: list[str] = []
    # Fixed order, so that the same orders always give the same plan.
    for order in sorted(working, key=_BY_ID):
        price, remaining = order.price, order.remaining
        best, nearest = tolerance + 1, -1
        for index, target_price in bids if order.side is Side.BUY else asks:
            if remaining <= room[index]:
                distance = abs(target_price - price)
                if distance < best:
                    best, nearest = distance, index
        if nearest < 0:
            cancel.append(order.client_id)
        else:
            room[nearest] -= remaining
            keep.append(order)
    place = [
        RestingQuote(side=target.side, price=target.price, size=Lots(left))
        for target, left in zip(targets, room, strict=True)
        if 2 * left > target.size
    ]
    return Refresh(keep=tuple(keep), cancel=tuple(cancel), place=tuple(place))


_BY_ID = attrgetter("client_id")

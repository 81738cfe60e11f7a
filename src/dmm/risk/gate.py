"""The one gate every order passes; it judges orders and does not know who made them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from dmm.market.instrument import Instrument, Side
from dmm.market.order import Order, TimeInForce
from dmm.risk.breaker import Posture
from dmm.risk.limits import Limits
from dmm.units.amount import BPS_ONE, Atoms, Lots, Ticks


class RefusalReason(StrEnum):
    """Why the gate refuses, in the order it checks."""

    POSTURE = "posture"
    STALE_FEED = "stale_feed"
    PRICE_NOT_SANE = "price_not_sane"
    WOULD_CROSS = "would_cross"
    SIZE = "size"
    HARD_INVENTORY = "hard_inventory"
    OUTSTANDING_NOTIONAL = "outstanding_notional"
    DRAWDOWN = "drawdown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The order may be sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The order must not be sent."""

    reason: RefusalReason


Verdict: TypeAlias = Accepted | Refused
ACCEPTED = Accepted()


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """What the desk has on and what it sees, when an order is judged.

    `outstanding_buy` and `outstanding_sell` are the lots of open orders, those being cancelled and
    those of unknown state included: any of them may still fill. `best_bid`, `best_ask` are ticks.
    `drawdown_atoms` is how far profit lies below its peak, >= 0.
    """

    posture: Posture
    feed_is_fresh: bool
    best_bid: Ticks
    best_ask: Ticks
    inventory: Lots
    outstanding_buy: Lots
    outstanding_sell: Lots
    drawdown_atoms: Atoms


def gate(order: Order, *, instrument: Instrument, limits: Limits, exposure: Exposure) -> Verdict:
    """Judge one order.

    Parameters
    ----------
    order : a limit order; a post-only order may not cross, others may
    instrument : for the value of sizes
    limits : hard limits of the policy in force
    exposure : the state just before this order, earlier orders of the same decision included
    """
    reason = _first_refusal(order, instrument, limits, exposure)
    return ACCEPTED if reason is None else Refused(reason=reason)


def _first_refusal(
    order: Order, instrument: Instrument, limits: Limits, exposure: Exposure
) -> RefusalReason | None:
    checks = (
        (_posture_allows(order, exposure), RefusalReason.POSTURE),
        (exposure.feed_is_fresh, RefusalReason.STALE_FEED),
        (_price_is_sane(order, limits, exposure), RefusalReason.PRICE_NOT_SANE),
        (not _would_cross(order, exposure), RefusalReason.WOULD_CROSS),
        (0 < order.size <= limits.order_size_max, RefusalReason.SIZE),
        (_inventory_stays_inside(order, limits, exposure), RefusalReason.HARD_INVENTORY),
    )
    for passed, reason in checks:
        if not passed:
            return reason
    if not _notional_stays_inside(order, instrument, limits, exposure):
        return RefusalReason.OUTSTANDING_NOTIONAL
    if exposure.drawdown_atoms > limits.drawdown_atoms_max:
        return RefusalReason.DRAWDOWN
    return None


def _posture_allows(order: Order, exposure: Exposure) -> bool:
    if not exposure.posture.may_quote:
        return False
    if exposure.posture is Posture.ONE_SIDED:
        return exposure.inventory * order.side.sign < 0
    return True


def _price_is_sane(order: Order, limits: Limits, exposure: Exposure) -> bool:
    if order.price <= 0 or not 0 < exposure.best_bid < exposure.best_ask:
        return False
    mid_half_ticks = exposure.best_bid + exposure.best_ask
    return abs(2 * order.price - mid_half_ticks) * BPS_ONE <= limits.price_band_bps * mid_half_ticks


def _would_cross(order: Order, exposure: Exposure) -> bool:
    if order.time_in_force is not TimeInForce.POST_ONLY:
        return False
    if order.side is Side.BUY:
        return order.price >= exposure.best_ask
    return order.price <= exposure.best_bid


def _inventory_stays_inside(order: Order, limits: Limits, exposure: Exposure) -> bool:
    # Every open order of that side is counted as filled: the worst that can happen.
    if order.side is Side.BUY:
        return exposure.inventory + exposure.outstanding_buy + order.size <= limits.inventory_hard
    return exposure.inventory - exposure.outstanding_sell - order.size >= -limits.inventory_hard


def _notional_stays_inside(
    order: Order, instrument: Instrument, limits: Limits, exposure: Exposure
) -> bool:
    open_lots = exposure.outstanding_buy if order.side is Side.BUY else exposure.outstanding_sell
    mid = Ticks((exposure.best_bid + exposure.best_ask) // 2)
    allowed = instrument.cash_atoms(price=mid, size=limits.outstanding_lots_max, rounded_up=False)
    wanted = instrument.cash_atoms(price=mid, size=open_lots, rounded_up=True)
    added = instrument.cash_atoms(price=order.price, size=order.size, rounded_up=True)
    # The order is valued at its own price, which may lie a little beyond the mid.
    return (wanted + added) * BPS_ONE <= allowed * (BPS_ONE + limits.price_band_bps)

"""The one gate every order passes; it judges orders and does not know who made them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from dmm.market.instrument import ContractKind, Instrument, Side
from dmm.market.order import Order, TimeInForce
from dmm.risk.breaker import Posture
from dmm.risk.limits import Cap, CapScope, Limits
from dmm.units.amount import BPS_ONE, Atoms, Lots, Ticks, ceil_div
from dmm.units.fast_init import fast_init


class RefusalReason(StrEnum):
    """Why the gate refuses, in the order it checks."""

    POSTURE = "posture"
    ORDER_STATE_UNKNOWN = "order_state_unknown"
    CLOCK_OFFSET = "clock_offset"
    STALE_FEED = "stale_feed"
    PRICE_NOT_SANE = "price_not_sane"
    WOULD_CROSS = "would_cross"
    SIZE = "size"
    HARD_INVENTORY = "hard_inventory"
    VENUE_INVENTORY = "venue_inventory"
    VAULT_INVENTORY = "vault_inventory"
    TOTAL_INVENTORY = "total_inventory"
    OUTSTANDING_NOTIONAL = "outstanding_notional"
    RATE_BUDGET = "rate_budget"
    DRAWDOWN = "drawdown"


CAP_REASONS = {
    CapScope.VENUE: RefusalReason.VENUE_INVENTORY,
    CapScope.VAULT: RefusalReason.VAULT_INVENTORY,
    CapScope.TOTAL: RefusalReason.TOTAL_INVENTORY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The order may be sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The order must not be sent; `detail` gives the values that were compared."""

    reason: RefusalReason
    detail: str = ""


Verdict: TypeAlias = Accepted | Refused
ACCEPTED = Accepted()


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """What the desk has on and what it sees, when an order is judged.

    `outstanding_buy` and `outstanding_sell` are the lots of open orders, those being cancelled and
    those of unknown state included: any of them may still fill. `best_bid`, `best_ask` are ticks.
    `drawdown_atoms` is how far profit lies below its peak, >= 0. `unknown_orders` counts orders of
    unknown state. `clock_offset_ns` is the clock's offset, signed; None when it was not measured,
    which refuses. `rate_weight_left` is what the venue's budget leaves for orders that are not
    cancels, None for a venue without one; `order_weight` is what one order costs of it. `caps` are
    the limits of the venue, the vault and the whole desk.
    """

    posture: Posture
    feed_is_fresh: bool
    best_bid: Ticks
    best_ask: Ticks
    inventory: Lots
    outstanding_buy: Lots
    outstanding_sell: Lots
    drawdown_atoms: Atoms
    unknown_orders: int = 0
    clock_offset_ns: int | None = 0
    rate_weight_left: int | None = None
    order_weight: int = 1
    caps: tuple[Cap, ...] = ()

    def after(self, order: Order) -> Exposure:
        """Return the exposure once an accepted order is sent, for the next order to be judged."""
        buys = order.side is Side.BUY
        size, left = order.size, self.rate_weight_left
        # Spelled out: a generic copy of these fields takes several times as long as the gate.
        return Exposure(
            posture=self.posture,
            feed_is_fresh=self.feed_is_fresh,
            best_bid=self.best_bid,
            best_ask=self.best_ask,
            inventory=self.inventory,
            outstanding_buy=Lots(self.outstanding_buy + size) if buys else self.outstanding_buy,
            outstanding_sell=self.outstanding_sell if buys else Lots(self.outstanding_sell + size),
            drawdown_atoms=self.drawdown_atoms,
            unknown_orders=self.unknown_orders,
            clock_offset_ns=self.clock_offset_ns,
            rate_weight_left=None if left is None else left - self.order_weight,
            order_weight=self.order_weight,
            caps=tuple([cap.after(order) for cap in self.caps]),
        )


def gate(order: Order, *, instrument: Instrument, limits: Limits, exposure: Exposure) -> Verdict:
    """Judge one order: a quote, a hedge or the order behind a firm quote alike.

    Every comparison is written so that a value that cannot be compared refuses.

    Parameters
    ----------
    order : a limit order; a post-only order may not cross, others may
    instrument : for the value of sizes
    limits : hard limits of the policy in force
    exposure : the state just before this order, earlier orders of the same decision included
    """
    return (
        _state_refusal(order, limits, exposure)
        or _price_refusal(order, limits, exposure)
        or _inventory_refusal(order, limits, exposure)
        or _budget_refusal(order, instrument, limits, exposure)
        or ACCEPTED
    )


def _state_refusal(order: Order, limits: Limits, exposure: Exposure) -> Refused | None:
    posture = exposure.posture
    if not posture.may_quote:
        return Refused(reason=RefusalReason.POSTURE, detail=f"posture is {posture.value}")
    if posture is Posture.ONE_SIDED and not exposure.inventory * order.side.sign < 0:
        return Refused(
            reason=RefusalReason.POSTURE,
            detail=f"posture is one_sided and a {order.side.value} does not reduce the inventory "
            f"of {exposure.inventory} lots",
        )
    if not exposure.unknown_orders <= limits.unknown_orders_max:
        return Refused(
            reason=RefusalReason.ORDER_STATE_UNKNOWN,
            detail=f"{exposure.unknown_orders} orders of unknown state, "
            f"{limits.unknown_orders_max} allowed",
        )
    offset_ns = exposure.clock_offset_ns
    if offset_ns is None or not abs(offset_ns) <= limits.clock_offset_ns_max:
        return Refused(
            reason=RefusalReason.CLOCK_OFFSET,
            detail="clock offset is not measured"
            if offset_ns is None
            else f"clock offset {offset_ns} ns, {limits.clock_offset_ns_max} ns allowed",
        )
    if not exposure.feed_is_fresh:
        return Refused(reason=RefusalReason.STALE_FEED, detail="the feed is stale")
    return None


def _price_refusal(order: Order, limits: Limits, exposure: Exposure) -> Refused | None:
    price, bid, ask = order.price, exposure.best_bid, exposure.best_ask
    mid_half_ticks = bid + ask
    is_sane = (
        price > 0
        and 0 < bid < ask
        and abs(2 * price - mid_half_ticks) * BPS_ONE <= limits.price_band_bps * mid_half_ticks
    )
    if not is_sane:
        return Refused(
            reason=RefusalReason.PRICE_NOT_SANE,
            detail=f"price {price} with a market of {bid} to {ask} ticks, "
            f"band {limits.price_band_bps} bps",
        )
    if order.time_in_force is TimeInForce.POST_ONLY:
        if order.side is Side.BUY and price >= ask:
            return Refused(reason=RefusalReason.WOULD_CROSS, detail=f"bid {price} at ask {ask}")
        if order.side is Side.SELL and price <= bid:
            return Refused(reason=RefusalReason.WOULD_CROSS, detail=f"ask {price} at bid {bid}")
    return None


def _inventory_refusal(order: Order, limits: Limits, exposure: Exposure) -> Refused | None:
    size = order.size
    if not 0 < size <= limits.order_size_max:
        return Refused(
            reason=RefusalReason.SIZE, detail=f"size {size} of 1 to {limits.order_size_max} lots"
        )
    # Every open order of that side is counted as filled: the worst that can happen.
    buys = order.side is Side.BUY
    if buys:
        worst, hard = exposure.inventory + exposure.outstanding_buy + size, limits.hard_long
    else:
        worst, hard = exposure.outstanding_sell + size - exposure.inventory, limits.hard_short
    if not worst <= hard:
        return Refused(
            reason=RefusalReason.HARD_INVENTORY,
            detail=f"{'long' if buys else 'short'} {worst} lots if everything fills, "
            f"{hard} allowed",
        )
    for cap in exposure.caps:
        room = cap.room_buy if buys else cap.room_sell
        if not size <= room:
            return Refused(
                reason=CAP_REASONS[cap.scope],
                detail=f"{order.side.value} of {size} lots, room for {room} in {cap.name}",
            )
    return None


def _budget_refusal(
    order: Order, instrument: Instrument, limits: Limits, exposure: Exposure
) -> Refused | None:
    open_lots = exposure.outstanding_buy if order.side is Side.BUY else exposure.outstanding_sell
    if not _notional_in_lots_stays_inside(open_lots, order, instrument, limits, exposure):
        return Refused(
            reason=RefusalReason.OUTSTANDING_NOTIONAL,
            detail=f"{open_lots} open lots and {order.size} more, "
            f"{limits.outstanding_lots_max} at the mid allowed",
        )
    if limits.outstanding_atoms_max is not None:
        atoms = _notional_atoms(open_lots, order, instrument, exposure)
        if not atoms <= limits.outstanding_atoms_max:
            return Refused(
                reason=RefusalReason.OUTSTANDING_NOTIONAL,
                detail=f"{atoms} atoms open with this order, "
                f"{limits.outstanding_atoms_max} allowed",
            )
    left = exposure.rate_weight_left
    if left is not None and not exposure.order_weight <= left:
        return Refused(
            reason=RefusalReason.RATE_BUDGET,
            detail=f"weight {exposure.order_weight}, {left} left beside the cancels' share",
        )
    if not exposure.drawdown_atoms <= limits.drawdown_atoms_max:
        return Refused(
            reason=RefusalReason.DRAWDOWN,
            detail=f"drawdown {exposure.drawdown_atoms}, {limits.drawdown_atoms_max} atoms allowed",
        )
    return None


def _notional_in_lots_stays_inside(
    open_lots: Lots, order: Order, instrument: Instrument, limits: Limits, exposure: Exposure
) -> bool:
    """Tell whether open lots at the mid plus the order at its price are worth the lots allowed.

    The atoms of a tick times a lot stand on both sides and cancel, so no rounding takes part. An
    order's own price may lie as far beyond the mid as the band allows.
    """
    doubled_mid = exposure.best_bid + exposure.best_ask
    if instrument.kind is ContractKind.INVERSE:
        # Worth is size/price: both sides are multiplied by price and doubled mid.
        worth = 2 * open_lots * order.price + order.size * doubled_mid
        allowed = 2 * limits.outstanding_lots_max * order.price
    else:
        worth = open_lots * doubled_mid + 2 * order.size * order.price
        allowed = limits.outstanding_lots_max * doubled_mid
    return worth * BPS_ONE <= allowed * (BPS_ONE + limits.price_band_bps)


def _notional_atoms(
    open_lots: Lots, order: Order, instrument: Instrument, exposure: Exposure
) -> int:
    """Return the worth of open lots at the mid and of the order at its price, rounded up.

    Coins of an inverse contract are counted at the lower of both prices, where they are most.
    """
    doubled_mid = exposure.best_bid + exposure.best_ask
    if instrument.kind is ContractKind.INVERSE:
        lower = Ticks(min(order.price, doubled_mid // 2))
        size = Lots(open_lots + order.size)
        return instrument.cash_atoms(price=lower, size=size, rounded_up=True)
    doubled_worth = open_lots * doubled_mid + 2 * order.size * order.price
    atoms_per_tick_lot = instrument.cash_atoms(price=Ticks(1), size=Lots(1), rounded_up=True)
    return ceil_div(doubled_worth * atoms_per_tick_lot, 2)

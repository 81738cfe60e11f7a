"""Limits the gate checks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dmm.market.instrument import Side
from dmm.market.order import Order
from dmm.units.amount import Atoms, Lots
from dmm.units.errors import UsageFault
from dmm.units.fast_init import fast_init
from dmm.units.time import NS_PER_MS

CLOCK_OFFSET_NS_MAX = 250 * NS_PER_MS
"""A clock further off than this neither quotes nor signs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Hard limits; sizes in lots, all > 0. `price_band_bps` is the distance from the mid allowed.

    `inventory_hard` bounds both sides unless `inventory_hard_long` or `inventory_hard_short`
    (a size, > 0) says otherwise for one. `outstanding_lots_max` bounds the open orders of one side
    at the current price: the gate turns it into notional at the mid, so that the limit follows the
    price in every kind of contract. `outstanding_atoms_max` bounds the same notional in atoms of
    the cash asset, whatever the price; None is no such bound. `unknown_orders_max` orders of
    unknown state are tolerated; `clock_offset_ns_max` bounds the clock's offset either way.

    Raises
    ------
    UsageFault
        If a limit is not what it may be; the text names limit and value.
    """

    inventory_hard: Lots
    order_size_max: Lots
    outstanding_lots_max: Lots
    price_band_bps: int
    drawdown_atoms_max: int
    inventory_hard_long: Lots | None = None
    inventory_hard_short: Lots | None = None
    outstanding_atoms_max: Atoms | None = None
    unknown_orders_max: int = 0
    clock_offset_ns_max: int = CLOCK_OFFSET_NS_MAX

    def __post_init__(self) -> None:
        long, short, atoms = (
            self.inventory_hard_long,
            self.inventory_hard_short,
            self.outstanding_atoms_max,
        )
        if (  # one look, for limits are made with every decision; names are sought after a failure
            self.inventory_hard > 0
            and self.order_size_max > 0
            and self.outstanding_lots_max > 0
            and (long is None or long > 0)
            and (short is None or short > 0)
            and (atoms is None or atoms > 0)
            and self.price_band_bps >= 0
            and self.drawdown_atoms_max >= 0
            and self.unknown_orders_max >= 0
            and self.clock_offset_ns_max >= 0
        ):
            return
        self._refuse()

    def _refuse(self) -> None:
        for name in _POSITIVE:
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UsageFault(f"limit {name} must be above 0, got {value}: correct the policy")
        for name in _NOT_NEGATIVE:
            value = getattr(self, name)
            if not value >= 0:
                raise UsageFault(f"limit {name} must not be below 0, got {value}")

    @property
    def hard_long(self) -> Lots:
        """Return the most the desk may be long, lots."""
        return self.inventory_hard if self.inventory_hard_long is None else self.inventory_hard_long

    @property
    def hard_short(self) -> Lots:
        """Return the most the desk may be short, as a size in lots."""
        if self.inventory_hard_short is None:
            return self.inventory_hard
        return self.inventory_hard_short


_POSITIVE = (
    "inventory_hard",
    "order_size_max",
    "outstanding_lots_max",
    "inventory_hard_long",
    "inventory_hard_short",
    "outstanding_atoms_max",
)
_NOT_NEGATIVE = (
    "price_band_bps",
    "drawdown_atoms_max",
    "unknown_orders_max",
    "clock_offset_ns_max",
)


class CapScope(StrEnum):
    """What a cap bounds beyond the instrument at its venue."""

    VENUE = "venue"
    VAULT = "vault"
    TOTAL = "total"


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """Room left in one scope if everything open of that side fills, in lots of the instrument.

    Negative room means the limit is already passed: that side may not add. `dmm.risk.inventory`
    computes it.
    """

    scope: CapScope
    name: str
    room_buy: Lots
    room_sell: Lots

    def after(self, order: Order) -> Cap:
        """Return the room once an order of this scope is sent."""
        buys = order.side is Side.BUY
        return Cap(
            scope=self.scope,
            name=self.name,
            room_buy=Lots(self.room_buy - order.size) if buys else self.room_buy,
            room_sell=self.room_sell if buys else Lots(self.room_sell - order.size),
        )

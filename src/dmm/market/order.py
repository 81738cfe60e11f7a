"""Orders and fills as every venue, the gate and the ledger understand them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dmm.market.instrument import Side
from dmm.units.amount import Atoms, HalfTicks, Lots, Ticks
from dmm.units.fast_init import fast_init
from dmm.units.ids import Hash32
from dmm.units.time import Nanos


class TimeInForce(StrEnum):
    """How long an order lives and whether it may take liquidity."""

    POST_ONLY = "post_only"
    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A limit order; `client_id` is unique within a run and derived from the decision behind it."""

    client_id: str
    side: Side
    price: Ticks
    size: Lots
    time_in_force: TimeInForce
    created_at_ns: Nanos


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """An execution of one of our orders.

    `fill_id` derives from (run, venue, ordinal); `mid` is the mid price at the fill in half ticks;
    `fee_atoms` is in the instrument's cash asset, a rebate is negative; `is_hedge` marks fills of
    the hedging job, which take liquidity.
    """

    fill_id: Hash32
    run_id: str
    epoch: int
    ordinal: int
    venue: str
    symbol: str
    client_id: str
    side: Side
    price: Ticks
    size: Lots
    mid: HalfTicks
    fee_atoms: Atoms
    filled_at_ns: Nanos
    is_hedge: bool


class ReportKind(StrEnum):
    """What a venue says about an order of ours."""

    ACCEPTED = "accepted"
    """It rests: the receipt."""
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReport:
    """A venue's word on one order.

    For `FILLED`, `size` is the size of this execution and `price` what it was done at; for
    `ACCEPTED` it is what rests; for the other kinds it is what will never be filled. `fee_atoms` is
    in the cash asset, a rebate is negative.
    """

    client_id: str
    kind: ReportKind
    side: Side
    price: Ticks
    size: Lots
    fee_atoms: Atoms
    at_ns: Nanos

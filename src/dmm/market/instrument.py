"""Instruments: what is traded, in which units, and what a fill costs in atoms."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import cast

from dmm.units.amount import Atoms, Lots, Ticks, ceil_div, floor_div
from dmm.units.ids import Json


class Side(StrEnum):
    """The side of an order or of a trade's aggressor."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """Return +1 for a buy, −1 for a sell."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> Side:
        """Return the other side."""
        return Side.SELL if self is Side.BUY else Side.BUY


class ContractKind(StrEnum):
    """How size and price make money."""

    SPOT = "spot"
    LINEAR = "linear"
    INVERSE = "inverse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """An asset and the number of decimals of its atom."""

    symbol: str
    decimals: int


PPM_ONE = 1_000_000
"""Parts per million in one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeTier:
    """What a venue takes of a fill's notional, in parts per million; a rebate is negative."""

    name: str
    maker_ppm: int
    taker_ppm: int

    def __post_init__(self) -> None:
        for field in ("maker_ppm", "taker_ppm"):
            value: int = getattr(self, field)
            if not -PPM_ONE < value < PPM_ONE:
                raise ValueError(
                    f"{field} of fee tier {self.name} must lie between −{PPM_ONE} and {PPM_ONE}, "
                    f"got {value}"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """One version of an instrument's metadata.

    ``tick_size`` is quote per base (quote per coin for inverse contracts), ``lot_size`` is in base
    (in contracts for inverse ones), ``contract_size`` is the quote value of one inverse contract
    and 1 otherwise. ``cash`` is the asset in which profit is booked: the quote, or the coin of an
    inverse contract. ``position`` is the asset in which inventory is booked. ``min_notional`` is
    the smallest order in quote (in quote value of the contracts for inverse ones), 0 for none.
    """

    symbol: str
    venue: str
    kind: ContractKind
    position: Asset
    cash: Asset
    tick_size: Decimal
    lot_size: Decimal
    contract_size: Decimal = Decimal(1)
    valid_from_ns: int = 0
    min_notional: Decimal = Decimal(0)
    fee_tier: FeeTier | None = None

    def __post_init__(self) -> None:
        for name in ("tick_size", "lot_size", "contract_size"):
            value: Decimal = getattr(self, name)
            if not value.is_finite() or value <= 0:
                raise ValueError(f"{name} of {self.symbol} must be a positive number, got {value}")
        if not self.min_notional.is_finite() or self.min_notional < 0:
            raise ValueError(
                f"min_notional of {self.symbol} must not be negative, got {self.min_notional}"
            )
        if self.kind is not ContractKind.INVERSE:
            value = self._cash_per_tick_lot
            if value != value.to_integral_value():
                raise ValueError(
                    f"one tick times one lot of {self.symbol} is {value} atoms of "
                    f"{self.cash.symbol}, not a whole number: give {self.cash.symbol} more than "
                    f"{self.cash.decimals} decimals"
                )

    @property
    def _cash_per_tick_lot(self) -> Decimal:
        return (
            self.tick_size * self.lot_size * self.contract_size * Decimal(10) ** self.cash.decimals
        )

    @property
    def position_atoms_per_lot(self) -> int:
        """Return atoms of the position asset in one lot."""
        return int(self.lot_size * self.contract_size * Decimal(10) ** self.position.decimals)

    def cash_atoms(self, *, price: Ticks, size: Lots, rounded_up: bool) -> Atoms:
        """Return the cash value of a size at a price.

        Spot and linear values are exact. An inverse contract is worth size·C/price coins, which is
        rounded in the direction asked for: up for what we pay, down for what we get.

        Parameters
        ----------
        price : ticks, > 0
        size : lots, >= 0
        rounded_up : direction for inverse contracts
        """
        if price <= 0:
            raise ValueError(f"price of {self.symbol} must be positive, got {price} ticks")
        if self.kind is not ContractKind.INVERSE:
            return Atoms(price * size * int(self._cash_per_tick_lot))
        coins_per_lot = Fraction(self.lot_size * self.contract_size) * 10**self.cash.decimals
        coins_per_lot /= Fraction(self.tick_size)
        numerator, denominator = coins_per_lot.as_integer_ratio()
        divide = ceil_div if rounded_up else floor_div
        return Atoms(divide(size * numerator, denominator * price))

    @property
    def cash_sign(self) -> int:
        """Return the sign of the cash flow of a buy: −1, but +1 for inverse contracts.

        Being long an inverse contract is owing its quote value and holding the coins it bought, so
        a buy credits coins and a sell pays them back.
        """
        return 1 if self.kind is ContractKind.INVERSE else -1

    def to_json(self) -> dict[str, Json]:
        """Return the metadata as canonical JSON values; decimals travel as text.

        What is left at its default is left out, so that a body written before the field existed
        and one written after it are the same bytes.
        """
        body: dict[str, Json] = {
            "symbol": self.symbol,
            "venue": self.venue,
            "kind": self.kind.value,
            "position": [self.position.symbol, self.position.decimals],
            "cash": [self.cash.symbol, self.cash.decimals],
            "tick_size": str(self.tick_size),
            "lot_size": str(self.lot_size),
            "contract_size": str(self.contract_size),
            "valid_from_ns": self.valid_from_ns,
        }
        if self.min_notional:
            body["min_notional"] = str(self.min_notional)
        if self.fee_tier is not None:
            tier = self.fee_tier
            body["fee_tier"] = [tier.name, tier.maker_ppm, tier.taker_ppm]
        return body

    @classmethod
    def from_json(cls, body: dict[str, Json]) -> Instrument:
        """Read what `to_json` wrote."""
        position, cash = cast("list[list[Json]]", [body["position"], body["cash"]])
        tier = cast("list[Json] | None", body.get("fee_tier"))
        return cls(
            symbol=str(body["symbol"]),
            venue=str(body["venue"]),
            kind=ContractKind(str(body["kind"])),
            position=Asset(symbol=str(position[0]), decimals=int(str(position[1]))),
            cash=Asset(symbol=str(cash[0]), decimals=int(str(cash[1]))),
            tick_size=Decimal(str(body["tick_size"])),
            lot_size=Decimal(str(body["lot_size"])),
            contract_size=Decimal(str(body["contract_size"])),
            valid_from_ns=int(str(body["valid_from_ns"])),
            min_notional=Decimal(str(body.get("min_notional", "0"))),
            fee_tier=_fee_tier(tier) if tier else None,
        )


def _fee_tier(body: list[Json]) -> FeeTier:
    name, maker_ppm, taker_ppm = (str(part) for part in body)
    return FeeTier(name=name, maker_ppm=int(maker_ppm), taker_ppm=int(taker_ppm))

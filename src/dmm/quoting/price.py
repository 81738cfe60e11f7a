"""From inputs to two model prices, guarded against parameters in the wrong unit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from dmm.quoting.avellaneda_stoikov import half_spread, reservation_price
from dmm.quoting.scale import MICRO, NANO, QuoteInputs
from dmm.quoting.skew import skew_shift

GUARD_SHARE = 0.10
"""Share of the mid that a half-spread, or the shift at the hard limit, may not exceed."""

WIDENED_FACTOR = 1.5
"""How much wider quotes stand while volatility is above its band."""


class UnpriceableReason(StrEnum):
    """Why a parameter set gives no quote, in the order checked."""

    MID_NOT_POSITIVE = "mid_not_positive"
    HALF_SPREAD_BEYOND_GUARD = "half_spread_beyond_guard"
    SHIFT_AT_HARD_BEYOND_GUARD = "shift_at_hard_beyond_guard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpriceable:
    """The parameters cannot be in the units they claim to be in."""

    reason: UnpriceableReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """Model prices in ticks.

    The Avellaneda–Stoikov reservation price, the skew that lowers both quotes, and the half-spread
    with floor and widening applied.
    """

    reservation_ticks: float
    shift_ticks: float
    half_spread_ticks: float

    @property
    def bid_ticks(self) -> float:
        """Return the model bid, not yet rounded."""
        return self.reservation_ticks - self.shift_ticks - self.half_spread_ticks

    @property
    def ask_ticks(self) -> float:
        """Return the model ask, not yet rounded."""
        return self.reservation_ticks - self.shift_ticks + self.half_spread_ticks

    @property
    def reservation_microticks(self) -> int:
        """Return the reservation price in 1e-6 ticks, to the nearest."""
        return round(self.reservation_ticks * MICRO)

    @property
    def half_spread_microticks(self) -> int:
        """Return the half-spread in 1e-6 ticks, to the nearest."""
        return round(self.half_spread_ticks * MICRO)


Pricing: TypeAlias = Priced | Unpriceable


def price_quote(inputs: QuoteInputs, *, widened: bool) -> Pricing:
    """Return the model prices of a two-sided quote, or why there are none.

    Inventory enters the model in units of one quote size, the unit in which the paper's dealer
    trades. The spread floor is of the full spread.

    Parameters
    ----------
    inputs : in ticks and lots, estimates inside their bands
    widened : stand `WIDENED_FACTOR` times wider
    """
    if inputs.mid <= 0:
        return Unpriceable(reason=UnpriceableReason.MID_NOT_POSITIVE)
    mid = inputs.mid / 2
    gamma = inputs.gamma_nano / NANO
    sigma = inputs.sigma_microticks / MICRO
    variance = sigma * sigma * inputs.horizon_s
    half = half_spread(
        risk_aversion=gamma, variance=variance, arrival_decay=inputs.kappa_nano / NANO
    )
    half = max(half, inputs.floor_microticks / (2 * MICRO))
    if widened:
        half *= WIDENED_FACTOR
    guard = GUARD_SHARE * mid
    if half > guard:
        return Unpriceable(reason=UnpriceableReason.HALF_SPREAD_BEYOND_GUARD)
    beta = inputs.beta_microticks / MICRO
    shift_at_hard = inputs.inventory_hard / inputs.quote_size * gamma * variance + beta
    if shift_at_hard > guard:
        return Unpriceable(reason=UnpriceableReason.SHIFT_AT_HARD_BEYOND_GUARD)
    return Priced(
        reservation_ticks=reservation_price(
            mid_price=mid,
            inventory=inputs.inventory / inputs.quote_size,
            risk_aversion=gamma,
            variance=variance,
        ),
        shift_ticks=skew_shift(
            inventory=inputs.inventory, inventory_soft=inputs.inventory_soft, beta=beta
        ),
        half_spread_ticks=half,
    )

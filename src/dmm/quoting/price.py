"""From inputs to two model prices, guarded against parameters in the wrong unit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TypeAlias

from dmm.governance.policy import Policy
from dmm.quoting.kernel import GLFT, MODEL_CODES, SKEW_CODES, quote_prices
from dmm.quoting.limits import POLICIES_MAX
from dmm.quoting.scale import MICRO, NANO, QuoteInputs
from dmm.units.amount import BPS_ONE, Lots
from dmm.units.fast_init import fast_init


class UnpriceableReason(StrEnum):
    """Why a parameter set gives no quote, in the order checked."""

    MID_NOT_POSITIVE = "mid_not_positive"
    BOOK_STANDS_STILL = "book_stands_still"
    SIGMA_NOT_POSITIVE = "sigma_not_positive"
    KAPPA_NOT_POSITIVE = "kappa_not_positive"
    ARRIVALS_UNKNOWN = "arrivals_unknown"
    HALF_SPREAD_BEYOND_GUARD = "half_spread_beyond_guard"
    SHIFT_AT_HARD_BEYOND_GUARD = "shift_at_hard_beyond_guard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpriceable:
    """The parameters cannot be in the units they claim to be in, or one is missing."""

    reason: UnpriceableReason


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """Model prices in ticks.

    The model's reservation price, the skew that lowers both quotes (negative: raises them), and the
    half-spread with floor and widening applied.
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
    def shift_microticks(self) -> int:
        """Return the shift in 1e-6 ticks, to the nearest."""
        return round(self.shift_ticks * MICRO)

    @property
    def half_spread_microticks(self) -> int:
        """Return the half-spread in 1e-6 ticks, to the nearest."""
        return round(self.half_spread_ticks * MICRO)


Pricing: TypeAlias = Priced | Unpriceable


def price_quote(inputs: QuoteInputs, *, widened: bool) -> Pricing:
    """Return the model prices of a two-sided quote, or why there are none.

    Inventory enters the model in units of one quote size, the unit in which the papers' dealers
    trade. The spread floor is of the full spread. `quote_prices` holds the formula.

    Parameters
    ----------
    inputs : in ticks and lots, estimates inside their bands
    widened : volatility is above its band: stand wider by the policy's factor for it
    """
    if inputs.mid <= 0 or inputs.fair_microticks <= 0:
        return Unpriceable(reason=UnpriceableReason.MID_NOT_POSITIVE)
    policy = inputs.policy
    model = MODEL_CODES[policy.model]
    kappa = inputs.kappa_nano / NANO
    arrival, tilt = 1.0, 0.0
    if model == GLFT:
        if inputs.a_bid_micro <= 0 or inputs.a_ask_micro <= 0:
            return Unpriceable(reason=UnpriceableReason.ARRIVALS_UNKNOWN)
        arrival, tilt = pooled_arrival(inputs.a_bid_micro, inputs.a_ask_micro, kappa)
    widening = inputs.widening_micro / MICRO
    if widened:
        widening *= policy.spike_widening_bps / BPS_ONE
    reservation, shift, half, largest = quote_prices(
        model,
        SKEW_CODES[policy.skew],
        inputs.fair_microticks / MICRO,
        float(inputs.inventory),
        inputs.sigma_microticks / MICRO,
        kappa,
        arrival,
        tilt,
        widening,
        inputs.gamma_nano / NANO,
        float(inputs.horizon_s),
        inputs.floor_microticks / MICRO * 0.5,
        inputs.beta_microticks / MICRO,
        *_shape(
            policy,
            inputs.inventory_soft_long,
            inputs.inventory_soft_short,
            inputs.inventory_hard_long,
            inputs.inventory_hard_short,
            inputs.quote_size,
        ),
    )
    guard = policy.guard_bps / BPS_ONE * (inputs.fair_microticks / MICRO)
    # Written so that a value that cannot be compared refuses.
    if not half <= guard:
        return Unpriceable(reason=UnpriceableReason.HALF_SPREAD_BEYOND_GUARD)
    if not largest <= guard:
        return Unpriceable(reason=UnpriceableReason.SHIFT_AT_HARD_BEYOND_GUARD)
    return Priced(reservation_ticks=reservation, shift_ticks=shift, half_spread_ticks=half)


def pooled_arrival(a_bid_micro: int, a_ask_micro: int, kappa: float) -> tuple[float, float]:
    """Return (√(A_bid·A_ask), ln(A_bid/A_ask)/(2κ)): unequal arrivals as one rate and a tilt.

    With v_q = ρ^q·w_q and ρ = √(A_ask/A_bid) the linear system of the model becomes the one with
    equal arrivals of that mean rate, and both quotes fall by ln(A_bid/A_ask)/(2κ): where sellers
    come more often, the bid stands further off and the ask nearer.

    Parameters
    ----------
    a_bid_micro, a_ask_micro : arrivals per second at the mid times 1e6 on each of our sides, > 0
    kappa : 1/tick, > 0

    References
    ----------
    Guéant, Lehalle & Fernandez-Tapia (2013), Mathematics and Financial Economics 7(4): the change
    of variables of section 3, with a rate for each side.
    """
    arrival = math.sqrt(a_bid_micro / MICRO * (a_ask_micro / MICRO))
    return arrival, math.log(a_bid_micro / a_ask_micro) / (2.0 * kappa)


@lru_cache(maxsize=POLICIES_MAX)
def _shape(
    policy: Policy,
    soft_long: Lots,
    soft_short: Lots,
    hard_long: Lots,
    hard_short: Lots,
    quote_size: Lots,
) -> tuple[float, ...]:
    """Return what `quote_prices` wants of limits and shares, from `near_from` on, in its order."""
    near_from = policy.skew_near_from_bps / BPS_ONE
    calm_share = policy.gamma_calm_bps / BPS_ONE
    calm_until = policy.gamma_calm_until_bps / BPS_ONE
    return (
        near_from,
        2.0 * (policy.skew_near_spread_bps / BPS_ONE) / (1.0 - near_from),
        float(soft_long),
        float(soft_short),
        1.0 / soft_long,
        1.0 / soft_short,
        1.0 / (hard_long - soft_long) if hard_long > soft_long else 0.0,
        1.0 / (hard_short - soft_short) if hard_short > soft_short else 0.0,
        1.0 / quote_size,
        max(hard_long, hard_short) / quote_size,
        calm_share,
        calm_until,
        (1.0 - calm_share) / (1.0 - calm_until),
        policy.gamma_hard_bps / BPS_ONE,
    )

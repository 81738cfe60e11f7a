"""Firm prices: fair value, spread, and a premium for the time a quote stays firm."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dmm.market.instrument import ContractKind, Instrument, Side
from dmm.units.amount import Atoms, HalfTicks, Lots, Ticks
from dmm.units.errors import UsageFault
from dmm.units.price import price_ceil, price_floor

TTL_PREMIUM = 0.4
"""Premium per σ·√t: E[max(0, X)] of a centred normal X is σ/√(2π) ≈ 0.399·σ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fair:
    """What a price is made of: mid in half ticks, half spread and σ over 1 s in 1e-6 ticks."""

    mid: HalfTicks
    half_spread_microticks: int
    sigma_microticks_1s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmAmounts:
    """What each party gives, in atoms."""

    maker_asset: str
    maker_amount: Atoms
    taker_asset: str
    taker_amount: Atoms


def ttl_premium_ticks(*, sigma_ticks_1s: float, ttl_s: int) -> float:
    """Return 0.4·σ·√t: what the option to accept within the lifetime is worth.

    Parameters
    ----------
    sigma_ticks_1s : σ of the mid over one second, ticks, >= 0
    ttl_s : lifetime of the quote, seconds, >= 0

    References
    ----------
    An at-the-money option under Bachelier is worth σ·√(t/2π); Bachelier (1900).
    """
    return TTL_PREMIUM * sigma_ticks_1s * math.sqrt(ttl_s)


def firm_price(fair: Fair, *, taker_side: Side, ttl_s: int) -> Ticks:
    """Return the price at which we are firm, rounded against the taker.

    Parameters
    ----------
    taker_side : a taker who buys pays our ask, one who sells gets our bid
    ttl_s : lifetime of the quote, seconds, >= 0
    """
    premium_ticks = ttl_premium_ticks(sigma_ticks_1s=fair.sigma_microticks_1s / 1e6, ttl_s=ttl_s)
    away_ticks = fair.half_spread_microticks / 1e6 + premium_ticks
    mid_ticks = fair.mid / 2
    if taker_side is Side.BUY:
        return price_ceil(mid_ticks + away_ticks)
    return price_floor(mid_ticks - away_ticks)


def firm_amounts(
    instrument: Instrument, *, taker_side: Side, price: Ticks, size: Lots
) -> FirmAmounts:
    """Return what maker and taker give for a size at a price.

    Parameters
    ----------
    instrument : spot or linear, so that both legs are tokens
    price : ticks, > 0
    size : lots, > 0

    Raises
    ------
    UsageFault
        If the instrument is an inverse contract: it has no token to deliver.
    """
    if instrument.kind is ContractKind.INVERSE:
        raise UsageFault(f"{instrument.symbol} is an inverse contract: it cannot be delivered")
    position = Atoms(size * instrument.position_atoms_per_lot)
    taker_buys = taker_side is Side.BUY
    cash = instrument.cash_atoms(price=price, size=size, rounded_up=taker_buys)
    if taker_buys:
        return FirmAmounts(
            maker_asset=instrument.position.symbol,
            maker_amount=position,
            taker_asset=instrument.cash.symbol,
            taker_amount=cash,
        )
    return FirmAmounts(
        maker_asset=instrument.cash.symbol,
        maker_amount=cash,
        taker_asset=instrument.position.symbol,
        taker_amount=position,
    )

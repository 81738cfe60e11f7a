"""Avellaneda–Stoikov as Hummingbot quotes it: with σ where the paper has σ²."""

from __future__ import annotations

from dmm.quoting.models.avellaneda_stoikov import half_spread, inventory_shift


def hummingbot_inventory_shift(
    *, inventory: float, risk_aversion: float, volatility: float, time_left: float
) -> float:
    """Return q·γ·σ·(T−t): by how much inventory lowers the reservation price below the mid.

    A departure of that program from the paper: the units do not cancel, so γ has another unit
    and another size than in `avellaneda_stoikov`. For comparison only; the desk never quotes on it.

    Parameters
    ----------
    inventory : q = (base − target)/(total value in base), a share; long is positive
    risk_aversion : γ, that program's `risk_factor`, > 0
    volatility : σ, price, root mean square of successive changes, > 0
    time_left : T−t as a share of the trading period; 1 for an endless one

    References
    ----------
    Hummingbot, strategy `avellaneda_market_making`, its reservation price and optimal spread.
    """
    return inventory_shift(
        inventory=inventory, risk_aversion=risk_aversion, variance=volatility * time_left
    )


def hummingbot_half_spread(
    *, risk_aversion: float, volatility: float, time_left: float, arrival_decay: float
) -> float:
    """Return half of γ·σ·(T−t) + (2/γ)·ln(1 + γ/κ).

    Parameters
    ----------
    risk_aversion : γ, > 0
    volatility : σ, price, > 0
    time_left : T−t as a share of the trading period
    arrival_decay : κ, 1/price, > 0
    """
    return half_spread(
        risk_aversion=risk_aversion,
        variance=volatility * time_left,
        arrival_decay=arrival_decay,
    )

"""Avellaneda–Stoikov quotes: reservation price and half-spread."""

from __future__ import annotations

import math


def reservation_price(
    *, mid_price: float, inventory: float, risk_aversion: float, variance: float
) -> float:
    """Return r = s − q·γ·σ²(T−t): the price at which the desk is indifferent to its inventory.

    Any consistent unit of price will do; the desk uses ticks.

    Parameters
    ----------
    mid_price : s, price, > 0
    inventory : q in units of one quote, long is positive
    risk_aversion : γ, 1/price, > 0
    variance : σ²(T−t), price², >= 0

    References
    ----------
    Avellaneda & Stoikov (2008), Quantitative Finance 8(3), section 3. Some later write-ups carry a
    stray factor ½ here, which halves the answer to inventory; the paper has none.
    """
    return mid_price - inventory * risk_aversion * variance


def inventory_shift(*, inventory: float, risk_aversion: float, variance: float) -> float:
    """Return q·γ·σ²(T−t): by how much inventory lowers the reservation price below the mid.

    Arguments as in `reservation_price`.
    """
    return inventory * risk_aversion * variance


def half_spread(*, risk_aversion: float, variance: float, arrival_decay: float) -> float:
    """Return δ = γσ²(T−t)/2 + (1/γ)·ln(1 + γ/κ), the distance of both quotes from r.

    Parameters
    ----------
    risk_aversion : γ, 1/price, > 0; towards 0 the second term becomes 1/κ
    variance : σ²(T−t), price², >= 0
    arrival_decay : κ of the arrival intensity A·exp(−κ·distance), 1/price, > 0

    References
    ----------
    Avellaneda & Stoikov (2008), Quantitative Finance 8(3), section 3: half of the optimal spread.
    """
    return risk_aversion * variance / 2 + edge(
        risk_aversion=risk_aversion, arrival_decay=arrival_decay
    )


def edge(*, risk_aversion: float, arrival_decay: float) -> float:
    """Return (1/γ)·ln(1 + γ/κ): the depth at which a desk without inventory risk would quote.

    Parameters
    ----------
    risk_aversion : γ, 1/price, > 0; towards 0 the edge becomes 1/κ
    arrival_decay : κ, 1/price, > 0
    """
    # log1p keeps its digits where γ/κ is small, which is where a market maker lives.
    return math.log1p(risk_aversion / arrival_decay) / risk_aversion


def halved_inventory_shift(*, inventory: float, risk_aversion: float, variance: float) -> float:
    """Return q·γ·σ²(T−t)/2: the rule with the stray ½, kept so that it can be compared.

    It answers inventory half as much as the model demands. Nothing but the convention `dct` uses
    it; arguments as in `reservation_price`.
    """
    return inventory_shift(inventory=inventory, risk_aversion=risk_aversion, variance=variance) / 2

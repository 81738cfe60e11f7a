"""Guéant–Lehalle–Fernandez-Tapia quotes: exact, closed form, and the form with ξ and Δ."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dmm.quoting.models.avellaneda_stoikov import edge
from dmm.quoting.models.depths import Depths, depths_of_logs
from dmm.quoting.models.propagator import log_propagated


def _log_growth(ratio: float) -> float:
    """Return ln (1 + x)^(1 + 1/x), which is 1 at x = 0."""
    return 1.0 if ratio == 0.0 else (1 + 1 / ratio) * math.log1p(ratio)


def inventory_step(
    *, risk_aversion: float, volatility: float, arrival_decay: float, arrival_rate: float
) -> float:
    """Return C = √(σ²γ/(2κA)·(1+γ/κ)^(1+κ/γ)): by how much one unit of inventory moves both quotes.

    Parameters
    ----------
    risk_aversion : γ, 1/price, > 0
    volatility : σ, price per √s, > 0
    arrival_decay : κ, 1/price, > 0
    arrival_rate : A, fills per second at depth 0, **per side**, > 0
    """
    growth = math.exp(_log_growth(risk_aversion / arrival_decay))
    return volatility * math.sqrt(risk_aversion / (2 * arrival_decay * arrival_rate) * growth)


def closed_form_depths(
    *,
    inventory: float,
    risk_aversion: float,
    volatility: float,
    arrival_decay: float,
    arrival_rate: float,
) -> Depths:
    """Return the closed-form approximation of the stationary quotes, far from any limit.

    bid = edge + (2q+1)/2·C, ask = edge − (2q−1)/2·C, with C of `inventory_step`.

    Parameters
    ----------
    inventory : q in units of one quote, long is positive; need not be whole
    risk_aversion : γ, 1/price, > 0
    volatility : σ, price per √s, > 0
    arrival_decay : κ, 1/price, > 0
    arrival_rate : A, fills per second at depth 0, **per side**, > 0

    References
    ----------
    Guéant, Lehalle & Fernandez-Tapia (2013), Dealing with the inventory risk, arXiv 1105.3115,
    section 4.
    """
    centre = edge(risk_aversion=risk_aversion, arrival_decay=arrival_decay)
    step = inventory_step(
        risk_aversion=risk_aversion,
        volatility=volatility,
        arrival_decay=arrival_decay,
        arrival_rate=arrival_rate,
    )
    return Depths(
        bid=centre + (2 * inventory + 1) / 2 * step,
        ask=centre - (2 * inventory - 1) / 2 * step,
    )


def exact_depths(
    *,
    inventory: int,
    risk_aversion: float,
    volatility: float,
    arrival_decay: float,
    arrival_rate: float,
    horizon_s: float,
    inventory_max: int,
) -> Depths:
    """Return the quotes with T−t = `horizon_s` under |q| ≤ Q, exactly.

    v = exp(−M·(T−t))·1 with M_qq = κγσ²q²/2 and −η beside the diagonal,
    η = A·(1+γ/κ)^−(1+κ/γ); bid = edge + ln(v_q/v_{q+1})/κ, ask = edge + ln(v_q/v_{q−1})/κ.

    Parameters
    ----------
    inventory : q, whole units of one quote, −Q to Q; at ±Q the side that would add is None
    risk_aversion : γ, 1/price, > 0
    volatility : σ, price per √s, > 0
    arrival_decay : κ, 1/price, > 0
    arrival_rate : A, fills per second at depth 0, **per side**, > 0
    horizon_s : T−t, s, >= 0
    inventory_max : Q, 1 to `propagator.INVENTORY_MAX`

    Raises
    ------
    UsageFault
        If q lies beyond Q, or the inputs make numbers that a double cannot hold.

    References
    ----------
    Guéant, Lehalle & Fernandez-Tapia (2013), Dealing with the inventory risk, arXiv 1105.3115: the
    solution of its linear system.
    """
    log_omega, _ = log_propagated(
        curvature=arrival_decay * risk_aversion * volatility**2 / 2,
        coupling=arrival_rate * math.exp(-_log_growth(risk_aversion / arrival_decay)),
        horizon_s=horizon_s,
        start=np.ones(inventory_max + 1),
    )
    return depths_of_logs(
        log_omega,
        inventory=inventory,
        arrival_decay=arrival_decay,
        edge=edge(risk_aversion=risk_aversion, arrival_decay=arrival_decay),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SizedQuote:
    """Half-spread and skew for orders of size Δ.

    The bid lies half_spread + skew·q below the mid, the ask half_spread − skew·q above it.
    `c1` is in price; `c2` in price over price-per-√s, that is √s.
    """

    c1: float
    c2: float
    half_spread: float
    skew: float


def sized_quote(
    *,
    risk_aversion: float,
    sizing_aversion: float,
    order_size: float,
    volatility: float,
    arrival_decay: float,
    arrival_rate: float,
) -> SizedQuote:
    """Return the asymptotic quotes for orders of size Δ and a separate risk aversion ξ of fills.

    c₁ = ln(1+ξΔ/κ)/(ξΔ), c₂ = √(γ/(2AΔκ)·(1+ξΔ/κ)^(κ/(ξΔ)+1)), half-spread = c₁ + Δσc₂/2,
    skew = σc₂. With ξ = γ and Δ = 1 it is `closed_form_depths`; ξ = 0 is the limit c₁ = 1/κ of a
    desk that minds inventory but not the uncertainty of fills.

    Parameters
    ----------
    risk_aversion : γ of the inventory, 1/price, > 0
    sizing_aversion : ξ of the fills, 1/price, >= 0
    order_size : Δ, in the unit of the inventory, > 0
    volatility : σ, price per √s, > 0
    arrival_decay : κ, 1/price, > 0
    arrival_rate : A, fills per second at depth 0, **per side**, > 0

    References
    ----------
    Guéant (2016), Optimal market making, arXiv 1605.01862, equations 4.6 and 4.7; the form in which
    hftbacktest's tutorial quotes.
    """
    product = sizing_aversion * order_size
    ratio = product / arrival_decay
    c1 = 1 / arrival_decay if ratio == 0.0 else math.log1p(ratio) / product
    growth = math.exp(_log_growth(ratio))
    c2 = math.sqrt(risk_aversion / (2 * arrival_rate * order_size * arrival_decay) * growth)
    skew = volatility * c2
    return SizedQuote(c1=c1, c2=c2, half_spread=c1 + order_size / 2 * skew, skew=skew)

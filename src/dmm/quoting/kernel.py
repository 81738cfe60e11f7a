"""The quote formula on plain floats, and the loop that runs it over arrays.

One source serves both: Python runs these functions as they stand for a single quote, numba compiles
the same functions for many. The order of operations is therefore the same, and so is every bit of
the result; fast-math would reorder and stays off. Everything compiled lies in this file, because
numba's cache looks at the file of the loop only when it decides whether it is out of date.

Arguments are positional floats: prices in ticks, sizes in lots, time in seconds. `price.py` is the
checked way in for one quote, `vector.py` for arrays.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

AS2008, GLFT = 0, 1
MODEL_CODES: Final = {"as2008": AS2008, "glft": GLFT}
"""Codes of the models."""

LINEAR, TANH, CUBIC = 0, 1, 2
SKEW_CODES: Final = {"linear": LINEAR, "tanh": TANH, "cubic": CUBIC}
"""Codes of the skew functions."""

TANH_STEEPNESS = 2.0
"""How steep the tanh skew rises at 0, before it is scaled to end at ±1."""

TANH_END = math.tanh(TANH_STEEPNESS)


def skew_share(load: float, code: int) -> float:
    """Return f(u): 0 at 0, rising, 1 at 1; the skew is odd, so that 0 <= u <= 1 says it all.

    ``linear`` f(u) = u; ``tanh`` f(u) = tanh(2u)/tanh(2) leans early; ``cubic`` f(u) = u³ leans
    late.

    Parameters
    ----------
    load : |inventory| over its soft limit, in [0, 1]
    code : one of `SKEW_CODES`
    """
    if code == LINEAR:
        return load
    if code == TANH:
        return math.tanh(TANH_STEEPNESS * load) / TANH_END
    return load * load * load


def model_slope(
    model: int, gamma: float, sigma: float, kappa: float, horizon_s: float, arrival: float
) -> float:
    """Return by how much one unit of inventory lowers the reservation price.

    Avellaneda–Stoikov: γσ²T. Guéant–Lehalle–Fernandez-Tapia, closed form:
    √(σ²γ/(2κA)·(1+γ/κ)^(1+κ/γ)).

    Parameters
    ----------
    model : one of `MODEL_CODES`
    gamma, kappa : 1/tick, > 0
    sigma : ticks over one second, >= 0
    horizon_s : T, s; only Avellaneda–Stoikov reads it
    arrival : A at the mid, 1/s, > 0; only GLFT reads it

    References
    ----------
    Avellaneda & Stoikov (2008), Quantitative Finance 8(3), section 3; Guéant, Lehalle &
    Fernandez-Tapia (2013), Mathematics and Financial Economics 7(4), the closed-form approximation.
    """
    if model == AS2008:
        return gamma * (sigma * sigma * horizon_s)
    growth = math.exp((1.0 + kappa / gamma) * math.log1p(gamma / kappa))
    return math.sqrt(sigma * sigma * gamma / (2.0 * kappa * arrival) * growth)


def quote_prices(
    model: int,
    skew: int,
    mid: float,
    inventory: float,
    sigma: float,
    kappa: float,
    arrival: float,
    tilt: float,
    widening: float,
    gamma: float,
    horizon_s: float,
    half_floor: float,
    beta: float,
    near_from: float,
    near_gain: float,
    soft_long: float,
    soft_short: float,
    per_soft_long: float,
    per_soft_short: float,
    per_span_long: float,
    per_span_short: float,
    per_lot: float,
    hard_units: float,
    calm_share: float,
    calm_until: float,
    calm_rise: float,
    hard_share: float,
) -> tuple[float, float, float, float]:
    """Return (reservation price, shift, half-spread, largest shift), all in ticks.

    ::

        u   = min(1, |inventory|/soft)                   limits of the inventory's side
        γ'  = γ·(calm_share + (1 − calm_share)·(u − calm_until)⁺/(1 − calm_until)
                 + (hard_share − 1)·min(1, (|inventory| − soft)⁺/(hard − soft)))
        δ   = max(slope/2 + ln(1+γ'/κ)/γ', floor/2)·widening
        r   = mid − q·slope − tilt                       q = inventory/lot
        s   = ±(β·f(u) + near_share·2δ·(u − near_from)⁺/(1 − near_from))
        bid = r − s − δ,   ask = r − s + δ

    The largest shift is how far r − s could be from the mid at a hard limit; a guard compares it
    with the mid. There is no branch on a value: where data decides, a processor guesses wrong.

    Parameters
    ----------
    model, skew : one of `MODEL_CODES`, of `SKEW_CODES`
    mid : fair value, ticks, > 0
    inventory : lots, long is positive
    sigma, kappa, arrival, gamma, horizon_s : as in `model_slope`
    tilt : ticks by which unequal arrivals of the two sides lower both quotes (GLFT), else 0
    widening : >= 1
    half_floor : half of the full spread's floor, ticks, >= 0
    beta : ticks, >= 0
    near_from : share of the soft limit from which the pull begins, in [0, 1)
    near_gain : 2·near_share/(1 − near_from)
    soft_long, soft_short : soft limits, lots, > 0
    per_soft_…, per_span_…, per_lot : 1/soft, 1/(hard − soft) or 0 where they are equal, 1/lot
    hard_units : the larger hard limit over the lot
    calm_share, calm_until, calm_rise : in (0, 1], in [0, 1), (1 − calm_share)/(1 − calm_until)
    hard_share : share of γ at the hard limit, >= 1
    """
    is_short = inventory < 0.0
    per_soft = per_soft_short if is_short else per_soft_long
    risk = ladder_gamma(
        abs(inventory),
        gamma,
        soft_short if is_short else soft_long,
        per_soft,
        per_span_short if is_short else per_span_long,
        calm_share,
        calm_until,
        calm_rise,
        hard_share,
    )
    return shaped_prices(
        model,
        skew,
        mid,
        inventory,
        sigma,
        kappa,
        arrival,
        tilt,
        widening,
        gamma,
        horizon_s,
        half_floor,
        beta,
        near_from,
        near_gain,
        per_soft,
        per_lot,
        hard_units,
        hard_share,
        risk,
        math.log1p(risk / kappa),
    )


def ladder_gamma(
    size: float,
    gamma: float,
    soft: float,
    per_soft: float,
    per_span: float,
    calm_share: float,
    calm_until: float,
    calm_rise: float,
    hard_share: float,
) -> float:
    """Return γ' of `quote_prices`: γ by the ladder, with the limits of the inventory's side."""
    load = min(1.0, size * per_soft)
    over = min(1.0, max(0.0, size - soft) * per_span)
    rise = max(0.0, load - calm_until) * calm_rise
    return gamma * (calm_share + rise + over * (hard_share - 1.0))


def shaped_prices(
    model: int,
    skew: int,
    mid: float,
    inventory: float,
    sigma: float,
    kappa: float,
    arrival: float,
    tilt: float,
    widening: float,
    gamma: float,
    horizon_s: float,
    half_floor: float,
    beta: float,
    near_from: float,
    near_gain: float,
    per_soft: float,
    per_lot: float,
    hard_units: float,
    hard_share: float,
    risk: float,
    log_ratio: float,
) -> tuple[float, float, float, float]:
    """Return what `quote_prices` returns, from γ' (`risk`) and ln(1+γ'/κ) (`log_ratio`).

    Apart from it so that over arrays everything but the logarithm runs on several quotes at once.
    """
    slope = model_slope(model, risk, sigma, kappa, horizon_s, arrival)
    half = slope * 0.5 + log_ratio / risk
    half = max(half, half_floor) * widening
    load = min(1.0, abs(inventory) * per_soft)
    lean = beta * skew_share(load, skew) + max(0.0, load - near_from) * near_gain * half
    at_hard = model_slope(model, gamma * hard_share, sigma, kappa, horizon_s, arrival)
    largest = hard_units * at_hard + abs(tilt) + beta + near_gain * half
    reservation = mid - inventory * per_lot * slope - tilt
    return reservation, -lean if inventory < 0.0 else lean, half, largest


COLUMNS = 26
"""Arrays the loop reads: the arguments of `quote_prices` behind its codes, and the guard."""

RESULTS = 5
"""Arrays the loop fills."""


def _fill(
    model: int,
    skew: int,
    columns: tuple[NDArray[np.float64], ...],
    results: tuple[NDArray[np.float64], ...],
) -> None:
    """Fill the results; what numba compiles, here and inlined into `_quote_loop`."""
    (
        mid,
        inventory,
        sigma,
        kappa,
        arrival,
        tilt,
        widening,
        gamma,
        horizon_s,
        half_floor,
        beta,
        near_from,
        near_gain,
        soft_long,
        soft_short,
        per_soft_long,
        per_soft_short,
        per_span_long,
        per_span_short,
        per_lot,
        hard_units,
        calm_share,
        calm_until,
        calm_rise,
        hard_share,
        guard,
    ) = columns
    reservations, shifts, halves, bids, asks = results
    # Three passes, so that all but the logarithm runs on several quotes at once. What lies between
    # them is kept where the results will be. Both sides' limits are read before one is chosen: a
    # read that depends on data cannot.
    risks, logs = halves, asks
    for i in range(mid.size):
        is_short = inventory[i] < 0.0
        soft, other_soft = soft_long[i], soft_short[i]
        per_soft, other_per_soft = per_soft_long[i], per_soft_short[i]
        per_span, other_per_span = per_span_long[i], per_span_short[i]
        risk = ladder_gamma(
            abs(inventory[i]),
            gamma[i],
            other_soft if is_short else soft,
            other_per_soft if is_short else per_soft,
            other_per_span if is_short else per_span,
            calm_share[i],
            calm_until[i],
            calm_rise[i],
            hard_share[i],
        )
        risks[i] = risk
        logs[i] = risk / kappa[i]
    for i in range(mid.size):
        logs[i] = math.log1p(logs[i])
    for i in range(mid.size):
        per_soft, other_per_soft = per_soft_long[i], per_soft_short[i]
        reservation, shift, half, largest = shaped_prices(
            model,
            skew,
            mid[i],
            inventory[i],
            sigma[i],
            kappa[i],
            arrival[i],
            tilt[i],
            widening[i],
            gamma[i],
            horizon_s[i],
            half_floor[i],
            beta[i],
            near_from[i],
            near_gain[i],
            other_per_soft if inventory[i] < 0.0 else per_soft,
            per_lot[i],
            hard_units[i],
            hard_share[i],
            risks[i],
            logs[i],
        )
        allowed = guard[i] * mid[i]
        # Written so that a value that cannot be compared refuses, and without a branch.
        sound = (half <= allowed) & (largest <= allowed)
        reservations[i] = reservation if sound else math.nan
        shifts[i] = shift if sound else math.nan
        halves[i] = half if sound else math.nan
        bids[i] = reservation - shift - half if sound else math.nan
        asks[i] = reservation - shift + half if sound else math.nan


def _quote_loop(
    model: int,
    skew: int,
    columns: tuple[NDArray[np.float64], ...],
    results: tuple[NDArray[np.float64], ...],
) -> None:
    """Fill the results; with codes known to the compiler where the desk spends its time."""
    if model == AS2008 and skew == LINEAR:
        _fill(AS2008, LINEAR, columns, results)
    else:
        _fill(model, skew, columns, results)


@functools.cache
def compiled_loop() -> Callable[..., None]:
    """Return the compiled loop; the first call of a process loads or compiles it.

    Call it once at start. NUMBA_CACHE_DIR says where the compiled code is kept.
    """
    # Only who quotes arrays waits for this import.
    from numba import njit  # noqa: PLC0415
    from numba.extending import register_jitable  # noqa: PLC0415

    for function in (skew_share, model_slope, ladder_gamma, shaped_prices, _fill):
        register_jitable(forceinline=True)(function)
    array = "float64[::1]"
    signature = f"void(int64, int64, UniTuple({array}, {COLUMNS}), UniTuple({array}, {RESULTS}))"
    compiled: Callable[..., None] = njit(signature, cache=True, error_model="numpy")(_quote_loop)
    return compiled

"""The desk's price from what a set sees and knows, compiled: `dmm.quoting.price` over its arrays.

The formula itself is `dmm.quoting.kernel.quote_prices`, compiled from the same source.
"""

from __future__ import annotations

import math

from numba.extending import register_jitable

from dmm.quoting.kernel import (
    GLFT,
    ladder_gamma,
    model_slope,
    quote_prices,
    shaped_prices,
    skew_share,
)
from dmm.simulation.replay.desk_layout import (
    D_ADOPTED_KAPPA,
    D_ADOPTED_SIGMA,
    D_ARRIVAL_ASK,
    D_ARRIVAL_BID,
    D_BETA,
    D_CALM_UNTIL,
    D_FAIR,
    D_FLOOR,
    D_FLOOR_CALM,
    D_GAMMA,
    D_HORIZON_S,
    D_KAPPA_MAX,
    D_KAPPA_MIN,
    D_MODEL,
    D_SIGMA_CALM,
    D_SIGMA_MAX,
    D_SIGMA_MIN,
    D_SKEW,
    D_SOFT_LONG,
    D_SOFT_SHORT,
    FAIR_MID,
    G_CALM_RISE,
    G_CALM_SHARE,
    G_CALM_UNTIL,
    G_GUARD,
    G_HARD_SHARE,
    G_HARD_UNITS,
    G_NEAR_FROM,
    G_NEAR_GAIN,
    G_PER_LOT,
    G_PER_SOFT_LONG,
    G_PER_SOFT_SHORT,
    G_PER_SPAN_LONG,
    G_PER_SPAN_SHORT,
    G_SOFT_LONG,
    G_SOFT_SHORT,
    G_WIDENING,
    WIDENED,
)
from dmm.simulation.replay.layout import (
    Floats,
    Longs,
    compiled,
)
from dmm.simulation.replay.set_layout import (
    A_KNOWN_INVENTORY,
    S_ACCOUNTS,
    S_ASK,
    S_ASK_SIZE,
    S_BID,
    S_BID_SIZE,
    S_KAPPA,
    S_NUMBER,
    S_SIGMA,
    S_WHOLE,
    W_TOXIC_CYCLES,
    X_COLUMNS,
    X_REAL,
)

for _function in (skew_share, model_slope, ladder_gamma, shaped_prices, quote_prices):
    register_jitable(_function)

BPS = 10_000
MICRO = 1e6
NANO = 1e9


@compiled
def microticks(ubps: int, mid: int) -> int:
    """Return a distance in 1e-6 bps of a mid as 1e-6 ticks, to the nearest."""
    return (ubps * mid + BPS) // (2 * BPS)


@compiled
def _fair(m: Longs, base: int, mid: int) -> int:
    """Return the fair value in microticks."""
    bid_size, ask_size = m[base + S_BID_SIZE], m[base + S_ASK_SIZE]
    total = bid_size + ask_size
    if m[base + S_WHOLE + D_FAIR] == FAIR_MID or total <= 0:
        return mid * 500_000
    bid, ask = m[base + S_BID], m[base + S_ASK]
    # (bid·ask_size + ask·bid_size)/total, with the bid taken out: fine lots would leave 64 bits.
    return int(bid * 1_000_000 + (2 * (ask - bid) * bid_size * 1_000_000 + total) // (2 * total))


@compiled
def _is_calm(m: Longs, base: int, sigma: int, mid: int) -> int:
    whole, inventory = base + S_WHOLE, m[base + S_ACCOUNTS + A_KNOWN_INVENTORY]
    if not m[whole + D_SIGMA_CALM]:
        return 0
    soft = m[whole + D_SOFT_LONG] if inventory >= 0 else m[whole + D_SOFT_SHORT]
    if abs(inventory) * BPS > soft * m[whole + D_CALM_UNTIL]:
        return 0
    return 1 if sigma <= microticks(m[whole + D_SIGMA_CALM], mid) else 0


@compiled
def price(m: Longs, f: Floats, base: int, mid: int, posture: int) -> tuple[float, float, float]:
    """Return reservation, shift and half-spread in ticks; what is no number refuses."""
    whole, real = base + S_WHOLE, m[base + S_NUMBER] * X_COLUMNS + X_REAL
    inventory, fair = m[base + S_ACCOUNTS + A_KNOWN_INVENTORY], _fair(m, base, mid)
    online = m[base + S_SIGMA]
    estimated = online if m[whole + D_ADOPTED_SIGMA] < 0 else m[whole + D_ADOPTED_SIGMA]
    adopted = m[whole + D_ADOPTED_KAPPA]
    # Below 0 the market stands still; at 0 nobody measured it yet.
    if online < 0 or estimated <= 0 or (m[base + S_KAPPA] if adopted < 0 else adopted) <= 0:
        return math.nan, math.nan, math.nan
    low, high = microticks(m[whole + D_SIGMA_MIN], mid), microticks(m[whole + D_SIGMA_MAX], mid)
    sigma = min(max(estimated, low), high)
    kappa = _kappa(m, base, m[base + S_KAPPA], mid) / NANO
    is_calm = _is_calm(m, base, max(estimated, online), mid)
    floor = microticks(m[whole + (D_FLOOR_CALM if is_calm else D_FLOOR)], mid)
    stance = (2 if m[base + W_TOXIC_CYCLES] > 0 else 0) + (1 if posture == WIDENED else 0)
    arrival, tilt = 1.0, 0.0
    if m[whole + D_MODEL] == GLFT:
        a_bid, a_ask = m[whole + D_ARRIVAL_BID], m[whole + D_ARRIVAL_ASK]
        if a_bid <= 0 or a_ask <= 0:
            return math.nan, math.nan, math.nan
        arrival = math.sqrt(a_bid / MICRO * (a_ask / MICRO))
        tilt = math.log(a_bid / a_ask) / (2.0 * kappa)
    reservation, shift, half, largest = quote_prices(
        m[whole + D_MODEL], m[whole + D_SKEW], fair / MICRO, float(inventory), sigma / MICRO,
        kappa, arrival, tilt, f[real + G_WIDENING + stance],
        max(1, _per_tick(m[whole + D_GAMMA], mid)) / NANO, float(m[whole + D_HORIZON_S]),
        floor / MICRO * 0.5, microticks(m[whole + D_BETA], mid) / MICRO,
        f[real + G_NEAR_FROM], f[real + G_NEAR_GAIN], f[real + G_SOFT_LONG],
        f[real + G_SOFT_SHORT], f[real + G_PER_SOFT_LONG], f[real + G_PER_SOFT_SHORT],
        f[real + G_PER_SPAN_LONG], f[real + G_PER_SPAN_SHORT], f[real + G_PER_LOT],
        f[real + G_HARD_UNITS], f[real + G_CALM_SHARE], f[real + G_CALM_UNTIL],
        f[real + G_CALM_RISE], f[real + G_HARD_SHARE],
    )  # fmt: skip
    guard = f[real + G_GUARD] * (fair / MICRO)
    # Written so that a value that cannot be compared refuses.
    if half <= guard and largest <= guard:
        return reservation, shift, half
    return math.nan, math.nan, math.nan


@compiled
def _per_tick(nano_per_bp: int, mid: int) -> int:
    return (nano_per_bp * 2 * BPS + mid // 2) // mid


@compiled
def _kappa(m: Longs, base: int, online: int, mid: int) -> int:
    whole = base + S_WHOLE
    low = max(1, _per_tick(m[whole + D_KAPPA_MIN], mid))
    high = max(low, _per_tick(m[whole + D_KAPPA_MAX], mid))
    adopted = m[whole + D_ADOPTED_KAPPA]
    return int(min(max(online if adopted < 0 else adopted, low), high))

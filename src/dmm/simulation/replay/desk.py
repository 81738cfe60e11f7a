"""The desk's own rule through arrays: posture, price, ladder, refresh and gate; compiled.

It decides what `dmm.quoting.decide.decide` decides from the same inputs, order for order; the price
is that module's own `quote_prices`, compiled. What a replay has no source for (gas, other venues'
clocks, requests left) stands at its harmless default here as it does in the paper worker.
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
from dmm.quoting.limits import OUTSTANDING_QUOTES_MAX, PRICE_BAND_BPS
from dmm.simulation.replay.layout import (
    A_KNOWN_CASH,
    A_KNOWN_INVENTORY,
    ENTRY_FRESH,
    ENTRY_KAPPA,
    ENTRY_SIGMA,
    ENTRY_VENUES,
    NONE,
    O_KNOWN_LEFT,
    O_LEAVING,
    O_PRICE,
    O_SIDE,
    POST_ONLY,
    S_ACCOUNTS,
    S_COUNT,
    S_DRAWDOWN_MAX,
    S_LAST_MID,
    S_LINE,
    S_NUMBER,
    S_PEAK,
    S_POSTURE,
    S_SCRATCH,
    S_SIGMA_EXTREME,
    S_SIGMA_HIGH,
    S_WHOLE,
    SEEN_ASK,
    SEEN_ASK_SIZE,
    SEEN_BID,
    SEEN_BID_SIZE,
    V_INVERSE,
    X_COLUMNS,
    X_REAL,
    Floats,
    Longs,
    compiled,
)
from dmm.simulation.replay.money import marked_atoms
from dmm.simulation.replay.orders import cancel, cancel_all, send

for _function in (skew_share, model_slope, ladder_gamma, shaped_prices, quote_prices):
    register_jitable(_function)

QUOTING, WIDENED, ONE_SIDED, PAUSED, HALTED = range(5)
"""Postures by severity; a replay knows no others."""

FAIR_MID, FAIR_MICRO = 0, 1
"""Fair values a replay can compute."""

(
    D_SIZE,
    D_GAMMA,
    D_KAPPA_MIN,
    D_KAPPA_MAX,
    D_SIGMA_MIN,
    D_SIGMA_MAX,
    D_SIGMA_CALM,
    D_CALM_UNTIL,
    D_FLOOR,
    D_FLOOR_CALM,
    D_BETA,
    D_SOFT_LONG,
    D_SOFT_SHORT,
    D_HARD_LONG,
    D_HARD_SHORT,
    D_SIDE_SIZE,
    D_TIER_MIDDLE,
    D_TIER_OUTER,
    D_MODEL,
    D_SKEW,
    D_FAIR,
    D_DRAWDOWN_MAX,
    D_PAUSE_SHARE,
    D_ADOPTED_SIGMA,
    D_ADOPTED_KAPPA,
    D_ARRIVAL_BID,
    D_ARRIVAL_ASK,
    D_REPLACE_COST,
    D_HORIZON_S,
    D_COLUMNS,
) = range(30)
"""Whole parameters, in the policy's own scales; adopted estimates are `NONE` for online ones."""

(
    G_NEAR_FROM,
    G_NEAR_GAIN,
    G_SOFT_LONG,
    G_SOFT_SHORT,
    G_PER_SOFT_LONG,
    G_PER_SOFT_SHORT,
    G_PER_SPAN_LONG,
    G_PER_SPAN_SHORT,
    G_PER_LOT,
    G_HARD_UNITS,
    G_CALM_SHARE,
    G_CALM_UNTIL,
    G_CALM_RISE,
    G_HARD_SHARE,
    G_GUARD,
    G_WIDENING,
    G_WIDENED,
    G_TIER_STEP,
    G_HYSTERESIS,
    G_COLUMNS,
) = range(20)
"""Real parameters: what `quote_prices` wants from `near_from` on, then shares of one."""

BPS = 10_000
MICRO = 1e6
NANO = 1e9
CLEAR_SHARE_BPS = 9_000
"""A breaker clears below this share of its threshold, as in `dmm.risk.signals`."""

TIERS = 3
TARGETS = 2 * TIERS


@compiled
def desk(m: Longs, f: Floats, venues: Longs, entries: Longs, base: int, entry: int) -> None:
    """Decide once, as the desk does."""
    bid, ask = entries[entry, ENTRY_VENUES + SEEN_BID], entries[entry, ENTRY_VENUES + SEEN_ASK]
    has_mid = 1 if 0 < bid < ask else 0
    if not (has_mid or m[base + S_COUNT]):
        return
    if has_mid:
        m[base + S_LAST_MID] = bid + ask
    mid = m[base + S_LAST_MID]
    drawdown = known_drawdown(m, venues, base, mid)
    posture = _posture(m, entries, base, entry, mid, drawdown, has_mid)
    m[base + S_POSTURE] = posture
    if posture >= PAUSED or mid <= 0:
        cancel_all(m, base, entry)
        return
    reservation, shift, half = _price(m, f, entries, base, entry, mid, posture)
    if not half > 0.0:
        cancel_all(m, base, entry)
        return
    low = min(math.floor(reservation - shift - half), ask - 1)
    high = max(math.ceil(reservation - shift + half), bid + 1)
    _refresh(m, f, venues, entries, base, entry, mid, half, low, high)


@compiled
def known_drawdown(m: Longs, venues: Longs, base: int, mid: int) -> int:
    """Return how far the profit that the desk knows of lies below its peak, and note both."""
    account = base + S_ACCOUNTS
    inventory = m[account + A_KNOWN_INVENTORY]
    profit = m[account + A_KNOWN_CASH] + marked_atoms(venues, 0, inventory, mid)
    m[base + S_PEAK] = max(m[base + S_PEAK], profit)
    drawdown = m[base + S_PEAK] - profit
    m[base + S_DRAWDOWN_MAX] = max(m[base + S_DRAWDOWN_MAX], drawdown)
    return int(drawdown)


@compiled
def microticks(ubps: int, mid: int) -> int:
    """Return a distance in 1e-6 bps of a mid as 1e-6 ticks, to the nearest."""
    return (ubps * mid + BPS) // (2 * BPS)


@compiled
def _trips(was_on: int, value: int, on_above: int) -> int:
    if was_on:
        return 1 if value * BPS > on_above * CLEAR_SHARE_BPS else 0
    return 1 if value > on_above else 0


@compiled
def _posture(
    m: Longs, entries: Longs, base: int, entry: int, mid: int, drawdown: int, has_mid: int
) -> int:
    whole, inventory = base + S_WHOLE, m[base + S_ACCOUNTS + A_KNOWN_INVENTORY]
    sigma, ceiling = entries[entry, ENTRY_SIGMA], microticks(m[whole + D_SIGMA_MAX], mid)
    m[base + S_SIGMA_HIGH] = _trips(m[base + S_SIGMA_HIGH], sigma, ceiling)
    # Both sides of this one are divided by a thousand, which is exact, to stay inside 64 bits.
    pause = ceiling * m[whole + D_PAUSE_SHARE]
    if m[base + S_SIGMA_EXTREME]:
        extreme = sigma * (BPS * BPS // 1000) > pause * (CLEAR_SHARE_BPS // 1000)
    else:
        extreme = sigma * BPS > pause
    m[base + S_SIGMA_EXTREME] = 1 if extreme else 0
    if drawdown > m[whole + D_DRAWDOWN_MAX] or m[base + S_POSTURE] == HALTED:
        return HALTED
    if not has_mid or not entries[entry, ENTRY_FRESH] or extreme:
        return PAUSED
    if not -m[whole + D_HARD_SHORT] < inventory < m[whole + D_HARD_LONG]:
        return ONE_SIDED
    return WIDENED if m[base + S_SIGMA_HIGH] else QUOTING


@compiled
def _fair(m: Longs, entries: Longs, base: int, entry: int, mid: int) -> int:
    """Return the fair value in microticks."""
    at = ENTRY_VENUES
    bid_size, ask_size = entries[entry, at + SEEN_BID_SIZE], entries[entry, at + SEEN_ASK_SIZE]
    total = bid_size + ask_size
    if m[base + S_WHOLE + D_FAIR] == FAIR_MID or total <= 0:
        return mid * 500_000
    weighed = entries[entry, at + SEEN_BID] * ask_size + entries[entry, at + SEEN_ASK] * bid_size
    return int((2 * weighed * 1_000_000 + total) // (2 * total))


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
def _price(
    m: Longs, f: Floats, entries: Longs, base: int, entry: int, mid: int, posture: int
) -> tuple[float, float, float]:
    """Return reservation, shift and half-spread in ticks; what is no number refuses."""
    whole, real = base + S_WHOLE, m[base + S_NUMBER] * X_COLUMNS + X_REAL
    inventory, fair = m[base + S_ACCOUNTS + A_KNOWN_INVENTORY], _fair(m, entries, base, entry, mid)
    online = entries[entry, ENTRY_SIGMA]
    estimated = online if m[whole + D_ADOPTED_SIGMA] < 0 else m[whole + D_ADOPTED_SIGMA]
    low, high = microticks(m[whole + D_SIGMA_MIN], mid), microticks(m[whole + D_SIGMA_MAX], mid)
    sigma = min(max(estimated, low), high)
    kappa = _kappa(m, base, entries[entry, ENTRY_KAPPA], mid) / NANO
    is_calm = _is_calm(m, base, max(estimated, online), mid)
    floor = microticks(m[whole + (D_FLOOR_CALM if is_calm else D_FLOOR)], mid)
    arrival, tilt = 1.0, 0.0
    if m[whole + D_MODEL] == GLFT:
        a_bid, a_ask = m[whole + D_ARRIVAL_BID], m[whole + D_ARRIVAL_ASK]
        if a_bid <= 0 or a_ask <= 0:
            return math.nan, math.nan, math.nan
        arrival = math.sqrt(a_bid / MICRO * (a_ask / MICRO))
        tilt = math.log(a_bid / a_ask) / (2.0 * kappa)
    reservation, shift, half, largest = quote_prices(
        m[whole + D_MODEL], m[whole + D_SKEW], fair / MICRO, float(inventory), sigma / MICRO,
        kappa, arrival, tilt, f[real + (G_WIDENED if posture == WIDENED else G_WIDENING)],
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


# -- ladder and refresh -------------------------------------------------------------------------


@compiled
def _refresh(
    m: Longs,
    f: Floats,
    venues: Longs,
    entries: Longs,
    base: int,
    entry: int,
    mid: int,
    half: float,
    low: int,
    high: int,
) -> None:
    """Keep what stands near enough, cancel the rest, place what is missing and allowed."""
    whole, real = base + S_WHOLE, m[base + S_NUMBER] * X_COLUMNS + X_REAL
    inventory = m[base + S_ACCOUNTS + A_KNOWN_INVENTORY]
    step = max(1, math.floor(half * f[real + G_TIER_STEP]))
    _aim(m, base, 0, _side_size(m, whole, inventory, D_SOFT_LONG, D_HARD_LONG), low, -step)
    _aim(m, base, TIERS, _side_size(m, whole, -inventory, D_SOFT_SHORT, D_HARD_SHORT), high, step)
    queue_ticks = half * f[real + G_HYSTERESIS]
    if m[whole + D_REPLACE_COST]:
        queue_ticks += microticks(m[whole + D_REPLACE_COST], mid) / MICRO
    bid, ask = entries[entry, ENTRY_VENUES + SEEN_BID], entries[entry, ENTRY_VENUES + SEEN_ASK]
    opened_buy, opened_sell = _match(m, base, entry, bid, ask, math.floor(queue_ticks))
    for number in range(TARGETS):
        price, wanted, left = _target(m, base, number)
        if wanted <= 0 or not 2 * left > wanted:
            continue
        side = 1 if number < TIERS else -1
        opened = opened_buy if side > 0 else opened_sell
        if _allowed(m, base, venues[0, V_INVERSE], side, price, left, opened, bid + ask):
            send(m, base, entry, 0, side, price, left, POST_ONLY, number)
            if side > 0:
                opened_buy += left
            else:
                opened_sell += left


@compiled
def _side_size(m: Longs, whole: int, adding: int, soft_at: int, hard_at: int) -> int:
    size, soft, hard = m[whole + D_SIDE_SIZE], m[whole + soft_at], m[whole + hard_at]
    if adding <= soft and adding + size <= hard:
        return int(size)
    room, span = max(0, hard - adding), max(1, hard - soft)
    return int(min(size * min(room, span) // span, room))


@compiled
def _aim(m: Longs, base: int, first: int, size: int, price: int, outwards: int) -> None:
    """Note a side's three targets: price, size, and room left, in the set's scratch."""
    middle = size * m[base + S_WHOLE + D_TIER_MIDDLE] // BPS
    outer = size * m[base + S_WHOLE + D_TIER_OUTER] // BPS
    for tier in range(TIERS):
        share = size - middle - outer
        if tier == 1:
            share = middle
        elif tier == 2:
            share = outer
        target = base + S_SCRATCH + 3 * (first + tier)
        m[target] = price + tier * outwards
        m[target + 1] = m[target + 2] = share if m[target] > 0 else 0


@compiled
def _target(m: Longs, base: int, number: int) -> tuple[int, int, int]:
    target = base + S_SCRATCH + 3 * number
    return m[target], m[target + 1], m[target + 2]


@compiled
def _match(m: Longs, base: int, entry: int, bid: int, ask: int, tolerance: int) -> tuple[int, int]:
    """Let orders fill the room of targets, cancel those that fit none; return lots outstanding."""
    opened_buy = opened_sell = 0
    for place in range(m[base + S_COUNT]):
        order = m[base + S_LINE + place]
        remaining, price = m[order + O_KNOWN_LEFT], m[order + O_PRICE]
        is_buy = m[order + O_SIDE] > 0
        if is_buy:
            opened_buy += remaining
        else:
            opened_sell += remaining
        if m[order + O_LEAVING]:
            continue
        is_crossed = price >= ask if is_buy else price <= bid
        nearest = NONE
        if not is_crossed:
            nearest = _nearest(m, base, 0 if is_buy else TIERS, price, remaining, tolerance)
        if nearest == NONE:
            cancel(m, base, order, entry)
        else:
            m[base + S_SCRATCH + 3 * nearest + 2] -= remaining
    return opened_buy, opened_sell


@compiled
def _nearest(m: Longs, base: int, first: int, price: int, remaining: int, tolerance: int) -> int:
    best, nearest = tolerance + 1, NONE
    for number in range(first, first + TIERS):
        target, wanted, room = _target(m, base, number)
        distance = abs(target - price)
        if wanted > 0 and remaining <= room and distance < best:
            best, nearest = distance, number
    return nearest


@compiled
def _allowed(
    m: Longs,
    base: int,
    is_inverse: int,
    side: int,
    price: int,
    size: int,
    opened: int,
    doubled_mid: int,
) -> int:
    """Return 1 when the gate lets an order pass; `dmm.risk.gate` in the same order."""
    whole, inventory = base + S_WHOLE, m[base + S_ACCOUNTS + A_KNOWN_INVENTORY]
    if m[base + S_POSTURE] == ONE_SIDED and not inventory * side < 0:
        return 0
    if abs(2 * price - doubled_mid) * BPS > PRICE_BAND_BPS * doubled_mid:
        return 0
    if not 0 < size <= m[whole + D_SIZE]:
        return 0
    if inventory * side + opened + size > m[whole + (D_HARD_LONG if side > 0 else D_HARD_SHORT)]:
        return 0
    most = OUTSTANDING_QUOTES_MAX * m[whole + D_SIZE]
    if is_inverse:
        worth, allowed = 2 * opened * price + size * doubled_mid, 2 * most * price
    else:
        worth, allowed = opened * doubled_mid + 2 * size * price, most * doubled_mid
    return 1 if worth * BPS <= allowed * (BPS + PRICE_BAND_BPS) else 0

"""The desk's own rule over arrays, compiled: posture, price, ladder, refresh and gate.

It decides what `dmm.quoting.decide.decide` decides from the same inputs, order for order, and what
the worker feeds it of its own fills, orders and requests. What a replay has no source for (gas,
other venues' clocks, a kill) stands at its harmless default here as it does in the paper worker.
"""

from __future__ import annotations

import math

from dmm.simulation.replay.desk_fills import deviation_ubps, look
from dmm.simulation.replay.desk_layout import (
    D_DEVIATION_MAX,
    D_DRAWDOWN_MAX,
    D_HARD_LONG,
    D_HARD_SHORT,
    D_PAUSE_SHARE,
    D_SIGMA_MAX,
    HALTED,
    ONE_SIDED,
    PAUSED,
    QUOTING,
    WIDENED,
)
from dmm.simulation.replay.desk_orders import refresh, withdraw_all
from dmm.simulation.replay.desk_price import BPS, microticks, price
from dmm.simulation.replay.desk_rate import requests_left
from dmm.simulation.replay.layout import (
    Floats,
    Longs,
    compiled,
    woven,
)
from dmm.simulation.replay.money import marked_atoms
from dmm.simulation.replay.set_layout import (
    A_KNOWN_CASH,
    A_KNOWN_INVENTORY,
    S_ACCOUNTS,
    S_ASK,
    S_BID,
    S_COUNT,
    S_DECISIONS,
    S_DRAWDOWN_MAX,
    S_FILLS_OFF,
    S_FRESH,
    S_LAST_MID,
    S_NOW,
    S_PEAK,
    S_POSTURE,
    S_RATE_LEFT,
    S_SIGMA,
    S_SIGMA_EXTREME,
    S_SIGMA_HIGH,
    S_WHOLE,
    W_TOXIC_CYCLES,
)

CLEAR_SHARE_BPS = 9_000
"""A breaker clears below this share of its threshold, as in `dmm.risk.signals`."""


@compiled
def desk(m: Longs, f: Floats, venues: Longs, way: Longs, base: int) -> None:
    """Decide once, as the desk does, from what the set sees and knows."""
    bid, ask, now_ns = m[base + S_BID], m[base + S_ASK], m[base + S_NOW]
    has_mid = 1 if 0 < bid < ask else 0
    if not (has_mid or m[base + S_COUNT]):
        return
    m[base + S_DECISIONS] += 1
    if has_mid:
        m[base + S_LAST_MID] = bid + ask
    mid = m[base + S_LAST_MID]
    m[base + S_RATE_LEFT] = requests_left(m, way, base, now_ns, 0)
    look(m, base, now_ns, mid)
    drawdown = known_drawdown(m, venues, base, mid)
    posture = _posture(m, base, mid, drawdown, has_mid)
    m[base + S_POSTURE] = posture
    _act(m, f, venues, way, base, mid, posture)
    m[base + W_TOXIC_CYCLES] = max(0, m[base + W_TOXIC_CYCLES] - 1)


@compiled
def _act(m: Longs, f: Floats, venues: Longs, way: Longs, base: int, mid: int, posture: int) -> None:
    if posture >= PAUSED or mid <= 0:
        withdraw_all(m, way, base)
        return
    reservation, shift, half = price(m, f, base, mid, posture)
    if not half > 0.0:
        withdraw_all(m, way, base)
        return
    low = min(math.floor(reservation - shift - half), m[base + S_ASK] - 1)
    high = max(math.ceil(reservation - shift + half), m[base + S_BID] + 1)
    refresh(m, f, venues, way, base, mid, half, low, high)


@woven
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
def _trips(was_on: int, value: int, on_above: int) -> int:
    if was_on:
        return 1 if value * BPS > on_above * CLEAR_SHARE_BPS else 0
    return 1 if value > on_above else 0


@compiled
def _posture(m: Longs, base: int, mid: int, drawdown: int, has_mid: int) -> int:
    whole, inventory = base + S_WHOLE, m[base + S_ACCOUNTS + A_KNOWN_INVENTORY]
    sigma, ceiling = m[base + S_SIGMA], microticks(m[whole + D_SIGMA_MAX], mid)
    m[base + S_SIGMA_HIGH] = _trips(m[base + S_SIGMA_HIGH], sigma, ceiling)
    # Both sides of this one are divided by a thousand, which is exact, to stay inside 64 bits.
    pause = ceiling * m[whole + D_PAUSE_SHARE]
    if m[base + S_SIGMA_EXTREME]:
        extreme = sigma * (BPS * BPS // 1000) > pause * (CLEAR_SHARE_BPS // 1000)
    else:
        extreme = sigma * BPS > pause
    m[base + S_SIGMA_EXTREME] = 1 if extreme else 0
    m[base + S_FILLS_OFF] = _trips(
        m[base + S_FILLS_OFF], deviation_ubps(m, base), m[whole + D_DEVIATION_MAX]
    )
    if drawdown > m[whole + D_DRAWDOWN_MAX] or m[base + S_POSTURE] == HALTED:
        return HALTED
    if not has_mid or not m[base + S_FRESH] or extreme or m[base + S_FILLS_OFF]:
        return PAUSED
    if not -m[whole + D_HARD_SHORT] < inventory < m[whole + D_HARD_LONG]:
        return ONE_SIDED
    return WIDENED if m[base + S_SIGMA_HIGH] else QUOTING

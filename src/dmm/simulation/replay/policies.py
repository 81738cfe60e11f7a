"""The policies other than the desk's own: what each wants to rest, as arithmetic; compiled.

Every policy decides from what the desk knows at that instant: the market as it has heard of it, its
inventory and orders as reported. A policy's parameters are a set's whole and real ones, by the
columns below.
"""

from __future__ import annotations

import math

from dmm.simulation.replay.layout import (
    ACT_AT,
    ACT_KIND,
    ACT_PRICE,
    ACT_SIDE,
    ACT_SIZE,
    ACT_TAG,
    ACT_TIF,
    ACT_VENUE,
    CANCEL,
    E_ARRIVAL,
    E_DECAY,
    E_RMS,
    E_SIGMA,
    ENTRY_AT,
    ENTRY_KAPPA,
    ENTRY_VENUES,
    NONE,
    REPLACE,
    SEEN_ASK,
    SEEN_BID,
    SEEN_STRIDE,
    Floats,
    Longs,
    compiled,
    woven,
)
from dmm.simulation.replay.orders import cancel, send
from dmm.simulation.replay.set_layout import (
    A_COLUMNS,
    A_KNOWN_INVENTORY,
    IOC,
    O_LEAVING,
    O_PRICE,
    O_REPLACES,
    O_SIDE,
    O_TAG,
    O_VENUE,
    POST_ONLY,
    S_ACCOUNTS,
    S_ACTION,
    S_ACTION_LAST,
    S_COUNT,
    S_LINE,
    S_NUMBER,
    S_WHOLE,
    X_COLUMNS,
    X_REAL,
)

W_SIZE, W_INVENTORY_MAX, W_LEVELS, W_HEDGE_VENUE, W_HEDGE_LOTS = range(5)
"""Whole parameters of these policies: lots a quote, |inventory| beyond which a side stops, quotes a
side, and for hedging elsewhere the venue (0: none) and the inventory from which it happens."""

R_HALF, R_SKEW, R_GAMMA, R_ADJUST_HALF, R_ADJUST_SKEW, R_DELTA, R_REFERENCE, R_STEP = range(8)
"""Real parameters; which of them a policy reads is said there."""

NANO = 1e9
GRID_MAX = 30
"""Quotes a side at the most: they are marked in the bits of a number."""


@compiled
def script(m: Longs, entries: Longs, actions: Longs, base: int, entry: int) -> None:
    """Do what a list of actions says for this instant."""
    while m[base + S_ACTION] < m[base + S_ACTION_LAST]:
        act = actions[m[base + S_ACTION]]
        if act[ACT_AT] > entries[entry, ENTRY_AT]:
            return
        m[base + S_ACTION] += 1
        old = _tagged(m, base, act[ACT_TAG])
        if act[ACT_KIND] == CANCEL:
            if old != NONE:
                cancel(m, base, old, entry)
            continue
        if act[ACT_KIND] == REPLACE and old == NONE:
            continue  # the order is known to be over: there is nothing to replace
        order = send(
            m, base, entry, act[ACT_VENUE], act[ACT_SIDE], act[ACT_PRICE], act[ACT_SIZE],
            act[ACT_TIF], act[ACT_TAG],
        )  # fmt: skip
        if act[ACT_KIND] == REPLACE and order != NONE:
            m[order + O_REPLACES] = old
            m[old + O_LEAVING] = 1


@compiled
def _tagged(m: Longs, base: int, tag: int) -> int:
    """Return where the order is with a tag that is not leaving, or `NONE`."""
    for place in range(m[base + S_COUNT]):
        order = m[base + S_LINE + place]
        if m[order + O_TAG] == tag and not m[order + O_LEAVING]:
            return int(order)
    return NONE


@woven
def symmetric(m: Longs, f: Floats, entries: Longs, base: int, entry: int) -> None:
    """Quote mid − skew·q ± half: the fixed spread, with a skew that may be 0.

    ``R_HALF`` and ``R_SKEW`` in ticks, the latter for each lot of inventory. ``R_REFERENCE`` is
    the weight of the second venue's mid in the price, for quoting one venue by another.
    """
    real = m[base + S_NUMBER] * X_COLUMNS + X_REAL
    mid = 0.5 * (entries[entry, ENTRY_VENUES + SEEN_BID] + entries[entry, ENTRY_VENUES + SEEN_ASK])
    weight = f[real + R_REFERENCE]
    if weight > 0.0:
        at = ENTRY_VENUES + SEEN_STRIDE
        bid, ask = entries[entry, at + SEEN_BID], entries[entry, at + SEEN_ASK]
        if 0 < bid < ask:
            mid += weight * (0.5 * (bid + ask) - mid)
    held = m[base + S_ACCOUNTS + A_KNOWN_INVENTORY]
    centre = mid - f[real + R_SKEW] * held
    half = f[real + R_HALF]
    _requote(m, entries, base, entry, math.floor(centre - half), math.ceil(centre + half), 1)


@compiled
def hummingbot(
    m: Longs, f: Floats, entries: Longs, estimates: Floats, base: int, entry: int
) -> None:
    """Quote r ± γσ/2 + ln(1+γ/κ)/γ with r = mid − q·γ·σ: σ where the paper has σ².

    ``R_GAMMA`` per tick; q is the inventory as a share of ``W_INVENTORY_MAX``; the horizon is an
    endless one (T − t = 1); ``R_HALF`` is the least half-spread in ticks.

    References
    ----------
    Hummingbot, strategy `avellaneda_market_making`: reservation price and optimal spread.
    """
    real = m[base + S_NUMBER] * X_COLUMNS + X_REAL
    gamma, sigma = f[real + R_GAMMA], estimates[entry, E_RMS]
    kappa = entries[entry, ENTRY_KAPPA] / NANO
    if kappa <= 0.0:
        return
    share = m[base + S_ACCOUNTS + A_KNOWN_INVENTORY] / m[base + S_WHOLE + W_INVENTORY_MAX]
    mid = 0.5 * (entries[entry, ENTRY_VENUES + SEEN_BID] + entries[entry, ENTRY_VENUES + SEEN_ASK])
    centre = mid - share * gamma * sigma
    half = 0.5 * (gamma * sigma) + math.log1p(gamma / kappa) / gamma
    half = max(half, f[real + R_HALF])
    _requote(m, entries, base, entry, math.floor(centre - half), math.ceil(centre + half), 1)


@compiled
def glft_grid(
    m: Longs, f: Floats, entries: Longs, estimates: Floats, base: int, entry: int
) -> None:
    """Quote a grid from r ∓ half outwards, r = mid − skew·q, by the GLFT closed form.

    ::

        c1   = ln(1 + γδ/k)/(γδ)
        c2   = √(γ/(2Aδk)·(1 + γδ/k)^(k/(γδ) + 1))
        half = (c1 + δ/2·c2·σ)·adjust_half,   skew = c2·σ·adjust_skew
        step = max(1, round(half)) ticks; the grid stands on multiples of it

    References
    ----------
    hftbacktest, tutorial "GLFT Market Making Model and Grid Trading"; Guéant, Lehalle &
    Fernandez-Tapia (2013), Mathematics and Financial Economics 7(4).
    """
    real = m[base + S_NUMBER] * X_COLUMNS + X_REAL
    arrival, decay = estimates[entry, E_ARRIVAL], estimates[entry, E_DECAY]
    sigma = estimates[entry, E_SIGMA]
    if not (arrival > 0.0 and decay > 0.0 and sigma >= 0.0):
        return
    gamma, delta = f[real + R_GAMMA], f[real + R_DELTA]
    risk = gamma * delta
    c1 = math.log1p(risk / decay) / risk
    power = math.exp((decay / risk + 1.0) * math.log1p(risk / decay))
    c2 = math.sqrt(gamma / (2.0 * arrival * delta * decay) * power)
    half = (c1 + delta / 2.0 * c2 * sigma) * f[real + R_ADJUST_HALF]
    lots = m[base + S_ACCOUNTS + A_KNOWN_INVENTORY] / m[base + S_WHOLE + W_SIZE]
    bid, ask = entries[entry, ENTRY_VENUES + SEEN_BID], entries[entry, ENTRY_VENUES + SEEN_ASK]
    centre = 0.5 * (bid + ask) - c2 * sigma * f[real + R_ADJUST_SKEW] * lots
    step = max(1, math.floor(half + 0.5))
    low = min(math.floor((centre - half) + 0.5), float(bid))
    high = max(math.floor((centre + half) + 0.5), float(ask))
    low = math.floor(low / step) * step
    high = math.ceil(high / step) * step
    _requote(m, entries, base, entry, low, high, step)


@woven
def _requote(
    m: Longs,
    entries: Longs,
    base: int,
    entry: int,
    low: float,
    high: float,
    step: int,
) -> None:
    """Make exactly the wanted prices rest: cancel the others, place what is missing."""
    bid, ask = entries[entry, ENTRY_VENUES + SEEN_BID], entries[entry, ENTRY_VENUES + SEEN_ASK]
    buy_at, sell_at = min(int(low), ask - 1), max(int(high), bid + 1)
    held, most = m[base + S_ACCOUNTS + A_KNOWN_INVENTORY], m[base + S_WHOLE + W_INVENTORY_MAX]
    buys = m[base + S_WHOLE + W_LEVELS] if held < most else 0
    sells = m[base + S_WHOLE + W_LEVELS] if held > -most else 0
    has_buy = has_sell = 0
    for place in range(m[base + S_COUNT]):
        order = m[base + S_LINE + place]
        if m[order + O_LEAVING] or m[order + O_VENUE] != 0:
            continue
        away = (
            buy_at - m[order + O_PRICE] if m[order + O_SIDE] > 0 else m[order + O_PRICE] - sell_at
        )
        number = away // step
        wanted = buys if m[order + O_SIDE] > 0 else sells
        have = has_buy if m[order + O_SIDE] > 0 else has_sell
        if away < 0 or away % step or number >= wanted or have >> number & 1:
            cancel(m, base, order, entry)
        elif m[order + O_SIDE] > 0:
            has_buy |= 1 << number
        else:
            has_sell |= 1 << number
    size = m[base + S_WHOLE + W_SIZE]
    for number in range(buys):
        if not has_buy >> number & 1 and buy_at - number * step > 0:
            send(m, base, entry, 0, 1, buy_at - number * step, size, POST_ONLY, number)
    for number in range(sells):
        if not has_sell >> number & 1:
            send(m, base, entry, 0, -1, sell_at + number * step, size, POST_ONLY, number)


@compiled
def hedge(m: Longs, entries: Longs, base: int, entry: int) -> None:
    """Take the opposite of the inventory at another venue, once it is large enough.

    One order at a time: while a hedge is under way nothing is known of what is still to hedge.
    """
    venue = m[base + S_WHOLE + W_HEDGE_VENUE]
    if venue == 0:
        return
    for place in range(m[base + S_COUNT]):
        if m[m[base + S_LINE + place] + O_VENUE] == venue:
            return
    excess = (
        m[base + S_ACCOUNTS + A_KNOWN_INVENTORY]
        + m[base + S_ACCOUNTS + venue * A_COLUMNS + A_KNOWN_INVENTORY]
    )
    if abs(excess) < m[base + S_WHOLE + W_HEDGE_LOTS]:
        return
    at = ENTRY_VENUES + venue * SEEN_STRIDE
    side = -1 if excess > 0 else 1
    price = entries[entry, at + (SEEN_BID if side < 0 else SEEN_ASK)]
    if price > 0:
        send(m, base, entry, venue, side, price, abs(excess), IOC, 0)

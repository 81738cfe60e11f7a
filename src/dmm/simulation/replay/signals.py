"""The estimates a decision reads, from what the desk heard; compiled once a tape.

σ and κ are the worker's own online ones, bit for bit (`dmm.quoting.online`, `…collect`). The others
are what two known policies of other programs estimate for themselves.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
from numba import njit

from dmm.market.tape_columns import BID, MessageKind, TapeColumns
from dmm.quoting.collect import GRID_GAP_S_MAX, STATES_MAX
from dmm.quoting.decision_inputs import STILL
from dmm.quoting.online import DEPTHS_MAX, DEPTHS_MIN, EWMA_KEEP, STILL_CHANGES
from dmm.quoting.reference import WINDOW_NS
from dmm.simulation.replay.layout import (
    E_ARRIVAL,
    E_COLUMNS,
    E_DECAY,
    E_RMS,
    E_SIGMA,
    Floats,
    Longs,
)
from dmm.units.time import NS_PER_MS, NS_PER_S

SNAPSHOT, TRADE = int(MessageKind.SNAPSHOT), int(MessageKind.TRADE)

RMS_CHANGES = 200
"""Changes of the mid over one second that the root mean square looks back on."""

GRID_NS = 100 * NS_PER_MS
FIT_STEPS = 6_000
"""Ten minutes of the 100 ms grid on which arrivals are counted."""

FIT_EVERY = 50
DEPTH_TICKS = 70
"""Depths, in half ticks of distance, over which the arrival rate is fitted."""

COUNTS = 500

WINDOW_S = WINDOW_NS // NS_PER_S
"""Seconds of the mid that the TWAP is made of."""


def _online(  # noqa: C901 — the worker's two estimators step by step, in one pass
    kind: Longs, stamps_ns: Longs, heard_ns: Longs, prices: Longs, sides: Longs, mids: Longs,
    online: Longs,
) -> None:  # fmt: skip
    """Fill σ (microticks over one second), κ (per tick, nano) and the TWAP after each message.

    The TWAP is that of `dmm.quoting.reference`, in microticks, 0 while there is none.

    Parameters
    ----------
    prices, sides : of trades, else anything
    mids : the book's own mid after each depth message, half ticks, 0 for none
    """
    next_ns, grid_mid, last_mid, has_grid = heard_ns[0], 0, 0, False
    variance, weight, sigma, unmoved = 0.0, 0.0, 0, 0
    state_ns, state_mid = np.zeros(STATES_MAX, np.int64), np.zeros(STATES_MAX, np.int64)
    states = 0
    depths, taken, total = np.zeros(DEPTHS_MAX, np.int64), 0, 0
    window, held_ns = np.zeros(WINDOW_S, np.int64), np.zeros(WINDOW_S, np.int64)
    first, held, weighted, twap = 0, 0, 0, 0
    for at in range(kind.size):
        if kind[at] <= SNAPSHOT:
            if heard_ns[at] > next_ns:
                missing = -((next_ns - heard_ns[at]) // 1_000_000_000)
                grid_ns = next_ns
                next_ns += missing * 1_000_000_000
                if last_mid > 0:
                    if missing > GRID_GAP_S_MAX:
                        has_grid = False
                        grid_ns += (missing - 1) * 1_000_000_000
                        missing = 1
                    for step in range(missing):
                        if has_grid:
                            change = (last_mid - grid_mid) / 2
                            variance = EWMA_KEEP * variance + (1 - EWMA_KEEP) * change * change
                            weight = EWMA_KEEP * weight + (1 - EWMA_KEEP)
                            unmoved = 0 if last_mid != grid_mid else unmoved + 1
                        has_grid, grid_mid = True, last_mid
                        now_ns = grid_ns + step * 1_000_000_000
                        # One second apart at the least: no more than the window's seconds fit.
                        while held and held_ns[first] <= now_ns - WINDOW_S * 1_000_000_000:
                            weighted -= window[first]
                            first, held = (first + 1) % WINDOW_S, held - 1
                        place = (first + held) % WINDOW_S
                        window[place], held_ns[place] = last_mid, now_ns
                        weighted, held = weighted + last_mid, held + 1
                    if held:
                        twap = (weighted * 1_000_000 + held) // (2 * held)
                    if weight > 0.0:
                        sigma = int(np.rint(math.sqrt(variance / weight) * 1_000_000))
                    if unmoved >= STILL_CHANGES:
                        sigma = STILL
            if mids[at] > 0:
                last_mid = mids[at]
                state_ns[states % STATES_MAX] = stamps_ns[at]
                state_mid[states % STATES_MAX] = last_mid
                states += 1
        elif kind[at] == TRADE:
            found = 0
            for back in range(1, min(states, STATES_MAX) + 1):
                place = (states - back) % STATES_MAX
                if state_ns[place] < stamps_ns[at]:
                    found = state_mid[place]
                    break
            depth = (2 * prices[at] - found) * sides[at]
            if found > 0 and depth > 0:
                if taken >= DEPTHS_MAX:
                    total -= depths[taken % DEPTHS_MAX]
                depths[taken % DEPTHS_MAX] = depth
                total += depth
                taken += 1
        online[at, 0] = sigma
        online[at, 2] = twap
        known = min(taken, DEPTHS_MAX)
        online[at, 1] = 2_000_000_000 * known // total if known >= DEPTHS_MIN else 0


def _others(
    kind: Longs, heard_ns: Longs, prices: Longs, sides: Longs, mids: Longs, when_ns: Longs,
    estimates: Floats,
) -> None:  # fmt: skip
    """Fill the estimates of other programs at the given times.

    ``E_RMS``: root mean square of the last 200 changes of the mid over one second. The fit: on a
    100 ms grid, the deepest trade of each interval from the mid at its start, in half ticks, counts
    at all depths up to it; every 5 s a line through ln λ over the first 70 depths of the last ten
    minutes gives A and k; σ is the standard deviation of the grid's mid changes over one second.
    """
    changes, seconds = np.zeros(RMS_CHANGES), 0
    moves, deepest = np.zeros(FIT_STEPS), np.zeros(FIT_STEPS, np.int64)
    steps, at, mid, before, depth = 0, 0, 0, 0, -1
    second_mid, grid_mid, grid_ns = 0, 0, heard_ns[0]
    arrival = decay = sigma = rms = math.nan
    for number in range(when_ns.size):
        while grid_ns <= when_ns[number]:
            while at < kind.size and heard_ns[at] <= grid_ns:
                if kind[at] == TRADE and before > 0:
                    depth = max(depth, (2 * prices[at] - before) * sides[at])
                if mids[at] > 0:
                    mid = mids[at]
                at += 1
            if grid_mid > 0:
                moves[steps % FIT_STEPS] = (mid - grid_mid) / 2
                deepest[steps % FIT_STEPS] = depth
                steps += 1
                if steps % 10 == 0:
                    if second_mid > 0:
                        changes[seconds % RMS_CHANGES] = (mid - second_mid) / 2
                        seconds += 1
                        known = min(seconds, RMS_CHANGES)
                        rms = math.sqrt(np.sum(changes[:known] ** 2) / known)
                    second_mid = mid
                if steps % FIT_EVERY == 0:
                    known = min(steps, FIT_STEPS)
                    sigma = float(np.std(moves[:known])) * math.sqrt(10.0)
                    arrival, decay = _fit(deepest, known)
            grid_mid, before, depth = mid, mid, -1
            grid_ns += GRID_NS
        estimates[number, E_RMS] = rms
        estimates[number, E_ARRIVAL] = arrival
        estimates[number, E_DECAY] = decay
        estimates[number, E_SIGMA] = sigma


def _fit(deepest: Longs, known: int) -> tuple[float, float]:
    """Return A (1/s) and k (1/tick) of λ(d) = A·exp(−k·d) by least squares of ln λ on d.

    Depth d = (n + ½) ticks is reached in an interval whose deepest trade lies at 2d half ticks or
    beyond.
    """
    counts = np.zeros(COUNTS + 1)
    for number in range(known):
        if deepest[number] > 0:
            counts[min(COUNTS, (deepest[number] + 1) // 2)] += 1.0
    reached, n, sx, sy, sxx, sxy = 0.0, 0, 0.0, 0.0, 0.0, 0.0
    for number in range(COUNTS, 0, -1):
        reached += counts[number]
        if number <= DEPTH_TICKS and reached > 0.0:
            x, y = number - 0.5, math.log(reached / (known * 0.1))
            n, sx, sy, sxx, sxy = n + 1, sx + x, sy + y, sxx + x * x, sxy + x * y
    spread = n * sxx - sx * sx
    if n < 2 or spread <= 0.0:
        return math.nan, math.nan
    slope = (n * sxy - sx * sy) / spread
    return math.exp((sy - slope * sx) / n), -slope


@functools.cache
def _compiled() -> tuple[Callable[..., None], Callable[..., None]]:
    from numba.extending import register_jitable  # noqa: PLC0415 — with the loops that need it

    register_jitable(_fit)
    longs = "int64[::1]"
    online = njit(f"void({', '.join([longs] * 6)}, int64[:, ::1])", cache=True)(_online)
    others = njit(f"void({', '.join([longs] * 6)}, float64[:, ::1])", cache=True)(_others)
    return online, others


def online_estimates(
    columns: TapeColumns, heard_message: Longs, heard_ns: Longs, book_mids: Longs
) -> Longs:
    """Return σ, κ and the TWAP as the worker knows them after each message.

    Parameters
    ----------
    heard_message, heard_ns : messages in the order heard, and when
    book_mids : the book's own mid after each message of the tape, half ticks, 0 for none
    """
    online = np.zeros((len(heard_message), 3), dtype=np.int64)
    kind, prices, sides = _trades(columns, heard_message)
    stamps_ns = columns.exchange_at_ns[heard_message]
    _compiled()[0](kind, stamps_ns, heard_ns, prices, sides, book_mids[heard_message], online)
    return online


def other_estimates(
    columns: TapeColumns, heard_message: Longs, heard_ns: Longs, mids: Longs, when_ns: Longs
) -> Floats:
    """Return what the two other programs' policies estimate at given times, which must not fall.

    Parameters
    ----------
    mids : known after each message heard, half ticks, 0 for none
    """
    estimates = np.full((len(when_ns), E_COLUMNS), np.nan)
    kind, prices, sides = _trades(columns, heard_message)
    _compiled()[1](kind, heard_ns, prices, sides, mids, when_ns, estimates)
    return estimates


def _trades(columns: TapeColumns, heard_message: Longs) -> tuple[Longs, Longs, Longs]:
    row = np.minimum(columns.starts[:-1], max(0, columns.rows - 1))[heard_message]
    sides = np.where(columns.side[row] == BID, 1, -1).astype(np.int64)
    return columns.kind[heard_message].astype(np.int64), columns.price_ticks[row], sides

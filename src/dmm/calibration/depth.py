"""How deep trades reach beyond the mid: per trade, or the deepest one of each step of a grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dmm.units.time import NS_PER_MS

GRID_STEP_NS = 100 * NS_PER_MS
"""Step of the grid on which raw recordings are read."""

STEPS_MAX = 10_000_000
"""Longest grid: eleven days of 100 ms; a longer one is a mistake in the times."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Depths:
    """Depths beyond the mid on the aggressor's side, positive ones only, with their observation.

    Arrays have one element per depth: half ticks > 0, ns, aggressor is buyer. The observation began
    at `started_at_ns` and lasted `duration_ns`; without it, counts would be no rates.
    """

    depth_half_ticks: NDArray[np.int64]
    at_ns: NDArray[np.int64]
    is_buy: NDArray[np.bool_]
    started_at_ns: int
    duration_ns: int


def positive_depths(
    *,
    depth_half_ticks: NDArray[np.int64],
    at_ns: NDArray[np.int64],
    is_buy: NDArray[np.bool_],
    started_at_ns: int,
    duration_ns: int,
) -> Depths:
    """Keep the depths beyond the mid; prints at or inside it say nothing about reach.

    Parameters
    ----------
    depth_half_ticks : signed, positive beyond the mid
    at_ns, is_buy : of the same trades
    started_at_ns, duration_ns : the observation, duration > 0

    Raises
    ------
    ValueError
        If the duration is not positive or the arrays differ in length.
    """
    if duration_ns <= 0:
        raise ValueError(f"duration must be positive, got {duration_ns} ns")
    if not depth_half_ticks.size == at_ns.size == is_buy.size:
        raise ValueError("depths, times and sides must be of one length")
    kept = depth_half_ticks > 0
    return Depths(
        depth_half_ticks=depth_half_ticks[kept],
        at_ns=at_ns[kept],
        is_buy=is_buy[kept],
        started_at_ns=started_at_ns,
        duration_ns=duration_ns,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class States:
    """Book states: times (ns, not falling) and mids (half ticks) after each depth message."""

    at_ns: NDArray[np.int64]
    mid_half_ticks: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trades:
    """Aggressive trades: times (ns), prices (ticks), aggressor is buyer."""

    at_ns: NDArray[np.int64]
    price_ticks: NDArray[np.int64]
    is_buy: NDArray[np.bool_]


def trade_depths(states: States, trades: Trades, *, started_at_ns: int, duration_ns: int) -> Depths:
    """Return each trade's depth from the mid of the last state strictly before it.

    Trades before the first state have no depth.

    Parameters
    ----------
    states, trades : on one clock
    started_at_ns, duration_ns : the observation, duration > 0
    """
    before = np.searchsorted(states.at_ns, trades.at_ns, side="left") - 1
    known = before >= 0
    mid = states.mid_half_ticks[before[known]]
    return positive_depths(
        depth_half_ticks=_signed(trades.price_ticks[known], mid, trades.is_buy[known]),
        at_ns=trades.at_ns[known],
        is_buy=trades.is_buy[known],
        started_at_ns=started_at_ns,
        duration_ns=duration_ns,
    )


def states_on_grid(states: States, *, step_ns: int = GRID_STEP_NS) -> NDArray[np.int64]:
    """Return which state holds at the end of each whole step from the first state on.

    Parameters
    ----------
    states : at least one
    step_ns : > 0

    Raises
    ------
    ValueError
        If there is no state or the grid is longer than `STEPS_MAX`.
    """
    if not states.at_ns.size:
        raise ValueError("a grid needs at least one book state")
    started_at_ns = int(states.at_ns[0])
    steps = (int(states.at_ns[-1]) - started_at_ns) // step_ns
    if steps > STEPS_MAX:
        raise ValueError(f"{steps} steps of {step_ns} ns are more than {STEPS_MAX}")
    ends_ns = started_at_ns + step_ns * np.arange(1, steps + 1, dtype=np.int64)
    return np.searchsorted(states.at_ns, ends_ns, side="right") - 1


def mid_on_grid(states: States, *, step_ns: int = GRID_STEP_NS) -> NDArray[np.int64]:
    """Return the mid at the end of each whole step from the first state on, carried forward.

    Parameters and errors are those of `states_on_grid`.
    """
    return states.mid_half_ticks[states_on_grid(states, step_ns=step_ns)]


def grid_depths(states: States, trades: Trades, *, step_ns: int = GRID_STEP_NS) -> Depths:
    """Return the deepest trade of each step, measured from the mid at the end of the step before.

    Parameters
    ----------
    states, trades : on one clock
    step_ns : > 0

    Raises
    ------
    ValueError
        If the states do not fill two steps.
    """
    mid = mid_on_grid(states, step_ns=step_ns)
    if mid.size < 2:
        raise ValueError(f"the book was seen for less than two steps of {step_ns} ns")
    started_at_ns = int(states.at_ns[0])
    step = (trades.at_ns - started_at_ns) // step_ns
    known = (step >= 1) & (step < mid.size)
    step, is_buy = step[known], trades.is_buy[known]
    depth = _signed(trades.price_ticks[known], mid[step - 1], is_buy)
    # By step, the deepest last: the last element of each step is the one to keep.
    order = np.lexsort((depth, step))
    step, depth, is_buy = step[order], depth[order], is_buy[order]
    deepest = np.append(step[1:] != step[:-1], True) if step.size else np.zeros(0, dtype=np.bool_)
    return positive_depths(
        depth_half_ticks=depth[deepest],
        at_ns=started_at_ns + step[deepest] * step_ns,
        is_buy=is_buy[deepest],
        started_at_ns=started_at_ns,
        duration_ns=mid.size * step_ns,
    )


def _signed(
    price_ticks: NDArray[np.int64], mid_half_ticks: NDArray[np.int64], is_buy: NDArray[np.bool_]
) -> NDArray[np.int64]:
    beyond = 2 * price_ticks - mid_half_ticks
    return np.where(is_buy, beyond, -beyond)

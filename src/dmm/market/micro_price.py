"""The micro-price as a fitted table: where the mid is heading, given imbalance and spread.

A state is (bucket of the imbalance at the touch, spread in ticks). From recorded states the chance
of each next state, and of a move of the mid, is counted; the expected mid after one, two, … moves
then follows from linear algebra, and the micro-price is its limit. Fitted on a tape and on its
mirror image, so that the table has no drift of its own: a falling tape does not teach it to fall.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dmm.market.fair_value import MICROTICKS_PER_HALF
from dmm.units.errors import UsageFault

BUCKETS = 10
"""Buckets of the imbalance, equally wide."""

SPREADS_MAX = 4
"""Spreads told apart, in ticks; a wider one counts as the widest."""

STATES_MIN = 100
"""Book states below which nothing is fitted."""

MOVES_MAX = 64
"""Moves of the mid summed at the most."""

STILL_HALF_TICKS = 1e-9
"""A further move that adds less than this ends the sum."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MicroPriceTable:
    """Adjustment of the mid in microticks by (imbalance bucket, spread in ticks − 1)."""

    adjust_microticks: NDArray[np.int64]
    states: int

    def adjustment(self, *, bid: int, bid_size: int, ask: int, ask_size: int) -> int:
        """Return what to add to the mid, in microticks.

        Parameters
        ----------
        bid, ask : ticks, bid < ask
        bid_size, ask_size : lots, >= 0; with both 0 the answer is 0
        """
        total = bid_size + ask_size
        if total <= 0:
            return 0
        buckets, spreads = self.adjust_microticks.shape
        bucket = min(buckets - 1, bid_size * buckets // total)
        return int(self.adjust_microticks[bucket, min(ask - bid, spreads) - 1])


def fit_micro_price(
    *,
    bid: NDArray[np.int64],
    bid_size: NDArray[np.int64],
    ask: NDArray[np.int64],
    ask_size: NDArray[np.int64],
) -> MicroPriceTable:
    """Fit the micro-price on successive book states.

    With Q the chances of the next state while the mid stands, R those of each move of the mid, K
    the moves and T those of the next state when it moves: G₁ = (1−Q)⁻¹·R·K is the expected first
    move, B = (1−Q)⁻¹·T the state after it, and the table is Σ Bⁱ·G₁.

    Parameters
    ----------
    bid, ask : ticks, bid < ask, one element a state
    bid_size, ask_size : lots at the touch, > 0

    Raises
    ------
    UsageFault
        If the arrays differ in length, are too short, or hold a crossed or empty state.

    References
    ----------
    Stoikov (2018), The micro-price, Quantitative Finance 18(12), sections 3 and 4. A departure: a
    move of the mid may have any size, not only half a tick or one.
    """
    _check(bid, bid_size, ask, ask_size)
    state = _state_of(bid, bid_size, ask, ask_size)
    mirrored = _state_of(bid, ask_size, ask, bid_size)
    moves = np.diff(bid + ask)
    before = np.concatenate([state[:-1], mirrored[:-1]])
    after = np.concatenate([state[1:], mirrored[1:]])
    moved = np.concatenate([moves, -moves])
    adjust = _adjustments(before, after, moved).reshape(BUCKETS, SPREADS_MAX)
    # An imbalance on the edge of two buckets falls to the upper one on both tapes: what is left of
    # a drift is taken out, so that mirrored states adjust by the same amount either way.
    adjust = (adjust - adjust[::-1]) / 2
    return MicroPriceTable(
        adjust_microticks=np.rint(adjust * MICROTICKS_PER_HALF).astype(np.int64),
        states=bid.size,
    )


def _check(
    bid: NDArray[np.int64],
    bid_size: NDArray[np.int64],
    ask: NDArray[np.int64],
    ask_size: NDArray[np.int64],
) -> None:
    sizes = {bid.size, bid_size.size, ask.size, ask_size.size}
    if len(sizes) != 1 or bid.size < STATES_MIN:
        raise UsageFault(
            f"a micro-price is fitted on {STATES_MIN} book states or more, each with four numbers; "
            f"got {sorted(sizes)}"
        )
    wrong = np.flatnonzero((bid <= 0) | (ask <= bid) | (bid_size <= 0) | (ask_size <= 0))
    if wrong.size:
        at = int(wrong[0])
        raise UsageFault(
            f"book state {at} is crossed or empty: bid {bid[at]} × {bid_size[at]}, "
            f"ask {ask[at]} × {ask_size[at]}; leave such states out"
        )


def _state_of(
    bid: NDArray[np.int64],
    bid_size: NDArray[np.int64],
    ask: NDArray[np.int64],
    ask_size: NDArray[np.int64],
) -> NDArray[np.int64]:
    bucket = np.minimum(BUCKETS - 1, bid_size * BUCKETS // (bid_size + ask_size))
    spread = np.minimum(ask - bid, SPREADS_MAX) - 1
    state: NDArray[np.int64] = bucket * SPREADS_MAX + spread
    return state


def _adjustments(
    before: NDArray[np.int64], after: NDArray[np.int64], moved: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return Σ Bⁱ·G₁ in half ticks for every state; states never seen adjust nothing."""
    count = BUCKETS * SPREADS_MAX
    stood = np.zeros((count, count))
    left = np.zeros((count, count))
    np.add.at(stood, (before[moved == 0], after[moved == 0]), 1)
    np.add.at(left, (before[moved != 0], after[moved != 0]), 1)
    drift = np.bincount(before, weights=moved, minlength=count)
    visits = np.maximum(1, stood.sum(axis=1) + left.sum(axis=1))[:, None]
    # A state that the mid never left would make the matrix singular: one move without direction,
    # to itself, is added to each.
    visits += 1
    left[np.diag_indices(count)] += 1
    solve = np.linalg.solve
    still = np.eye(count) - stood / visits
    step = solve(still, drift / visits[:, 0])
    onward = solve(still, left / visits)
    total = step.copy()
    for _ in range(MOVES_MAX):
        step = onward @ step
        total += step
        if np.abs(step).max() < STILL_HALF_TICKS:
            break
    return total

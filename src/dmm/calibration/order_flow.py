"""Order flow imbalance at the touch and what it says about the move of the mid.

References
----------
Cont, Kukanov & Stoikov (2014), Journal of Financial Econometrics 12(1), section 2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dmm.calibration.observation import Observation
from dmm.calibration.regression import Line, least_squares
from dmm.units.time import NS_PER_S

WINDOWS_MAX = 10_000_000
"""Most windows a tape is cut into; more are a mistake in the times."""


def flow_imbalance(seen: Observation) -> NDArray[np.int64]:
    """Return e_n of every state against the one before it, in lots; the first is 0.

    e = 1{b↑=}·q_b − 1{b↓=}·q_b' − 1{a↓=}·q_a + 1{a↑=}·q_a', primes being the state before: what
    was added at the bid or taken from the ask counts as buying.
    """
    bid, ask, at_bid, at_ask = seen.bid, seen.ask, seen.bid_size, seen.ask_size
    found = np.zeros(bid.size, dtype=np.int64)
    found[1:] = (
        np.where(bid[1:] >= bid[:-1], at_bid[1:], 0)
        - np.where(bid[1:] <= bid[:-1], at_bid[:-1], 0)
        - np.where(ask[1:] <= ask[:-1], at_ask[1:], 0)
        + np.where(ask[1:] >= ask[:-1], at_ask[:-1], 0)
    )
    return found


def windows_of(seen: Observation, *, window_s: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return each state's window since the first state, and the mid at the end of each window.

    The mid is the last one of the window in half ticks, carried forward over windows without any.

    Parameters
    ----------
    window_s : length of a window, > 0

    Raises
    ------
    ValueError
        If the tape has more than `WINDOWS_MAX` windows.
    """
    window = (seen.at_ns - seen.at_ns[0]) // (window_s * NS_PER_S)
    count = int(window[-1]) + 1
    if count > WINDOWS_MAX:
        raise ValueError(f"{count} windows of {window_s} s are more than {WINDOWS_MAX}")
    last = np.searchsorted(window, np.arange(count), side="right") - 1
    return window, seen.mid_half_ticks[last]


def impact_of_flow(seen: Observation, *, window_s: int, lot: float) -> Line | None:
    """Regress the mid's change per window, in ticks, on the window's flow imbalance.

    The first window has no change before it and is left out.

    Parameters
    ----------
    window_s : length of a window, > 0
    lot : base (contracts for inverse instruments) of one lot, so that β is ticks per base
    """
    window, mid = windows_of(seen, window_s=window_s)
    weights = flow_imbalance(seen) * lot
    flow = np.bincount(window, weights=weights, minlength=mid.size).astype(np.float64)
    return least_squares(flow[1:], np.diff(mid) / 2)


def square_root_impact(seen: Observation, *, window_s: int) -> Line | None:
    """Regress Δmid/σ on sign(Q)·√(|Q|/V) through the origin: the slope is Y of the square-root law.

    Q is the signed volume traded in a window, V the mean volume of a window, σ the standard
    deviation of Δmid over windows. None when nothing was traded or the mid never moved.

    Parameters
    ----------
    window_s : length of a window, > 0

    References
    ----------
    Tóth et al. (2011), Physical Review X 1, 021006, equation 1; there Q is one parent order, here
    it is the public net flow of a window, so Y compares tapes and prices no parent order of ours.
    """
    _window, mid = windows_of(seen, window_s=window_s)
    change = np.diff(mid) / 2
    at = (seen.trade_at_ns - seen.at_ns[0]) // (window_s * NS_PER_S)
    inside = (at >= 1) & (at < mid.size)
    signed = np.where(seen.trade_is_buy, seen.trade_size, -seen.trade_size)[inside]
    net = np.bincount(at[inside], weights=signed, minlength=mid.size)[1:]
    volume = float(np.sum(seen.trade_size[inside]))
    sigma = float(np.std(change)) if change.size else 0.0
    if volume == 0.0 or sigma == 0.0:
        return None
    rooted = np.sign(net) * np.sqrt(np.abs(net) * change.size / volume)
    return least_squares(rooted, change / sigma, through_origin=True)

"""What makers kept: spreads paid by takers, and where the mid went after each trade.

All values are per trade, seen by the maker, in ticks of price, weighted by size.

References
----------
Huang & Stoll (1996), Journal of Financial Economics 41(3): effective and realised spread.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dmm.calibration.bootstrap import Interval, ratio_ci95
from dmm.calibration.observation import Observation
from dmm.units.time import NS_PER_S

HORIZONS_S = (1, 5, 30)
"""Seconds after a trade at which the mid is looked at again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Markout:
    """After `horizon_s`: the maker's profit, twice of which is the realised spread.

    `toxicity` is the mean move against the maker over the mean half spread paid: 0 is harmless, 1
    eats the whole spread; below 0 is set to 0. Trades whose horizon the tape does not reach are
    left out.
    """

    horizon_s: int
    maker_ticks: Interval
    adverse_ticks: Interval
    toxicity: float


def effective_spread(seen: Observation, *, rng: np.random.Generator) -> Interval | None:
    """Return 2·s·(price − mid), s = +1 for buys, the mid being the last strictly before the trade.

    None without a trade after the first state.
    """
    at_ns, half_spread, _mid, weight, _sign = _reached(seen, horizon_ns=0)
    return ratio_ci95(2 * half_spread * weight, weight, at_ns, rng=rng)


def markouts(
    seen: Observation, *, rng: np.random.Generator, horizons_s: tuple[int, ...] = HORIZONS_S
) -> tuple[Markout, ...]:
    """Return one markout per horizon that a trade reached.

    Parameters
    ----------
    rng : draws the blocks of the intervals
    horizons_s : > 0
    """
    found = []
    for horizon_s in horizons_s:
        at_ns, half_spread, mid, weight, sign = _reached(seen, horizon_ns=horizon_s * NS_PER_S)
        after = np.searchsorted(seen.at_ns, at_ns + horizon_s * NS_PER_S, side="right") - 1
        adverse = sign * (seen.mid_half_ticks[after] - mid) / 2
        kept = ratio_ci95((half_spread - adverse) * weight, weight, at_ns, rng=rng)
        against = ratio_ci95(adverse * weight, weight, at_ns, rng=rng)
        if kept is None or against is None:
            continue
        paid = kept.value + against.value
        found.append(
            Markout(
                horizon_s=horizon_s,
                maker_ticks=kept,
                adverse_ticks=against,
                toxicity=max(0.0, against.value / paid) if paid > 0 else 0.0,
            )
        )
    return tuple(found)


_Columns = tuple[
    NDArray[np.int64],
    NDArray[np.float64],
    NDArray[np.int64],
    NDArray[np.float64],
    NDArray[np.int64],
]


def _reached(seen: Observation, *, horizon_ns: int) -> _Columns:
    """Return time, half spread paid, mid before, size, sign of the trades the horizon holds for."""
    before = np.searchsorted(seen.at_ns, seen.trade_at_ns, side="left") - 1
    known = (before >= 0) & (seen.trade_at_ns + horizon_ns <= seen.at_ns[-1])
    if not horizon_ns:
        known = before >= 0
    mid = seen.mid_half_ticks[before[known]]
    sign = np.where(seen.trade_is_buy[known], 1, -1)
    half_spread = sign * (2 * seen.trade_price[known] - mid) / 2
    return (
        seen.trade_at_ns[known],
        half_spread,
        mid,
        seen.trade_size[known].astype(np.float64),
        sign,
    )

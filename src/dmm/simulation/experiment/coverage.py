"""How often intervals cover the truth, with the uncertainty of that count.

References
----------
Clopper & Pearson (1934), Biometrika 26(4): exact binomial intervals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dmm.simulation.experiment.blocks import Figure, Floats
from dmm.units.errors import UsageFault

TRIALS_MAX = 1_000_000
HALVINGS = 60
"""Halvings of [0, 1]: past them a double holds no more digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """`hits` out of `total`, with the exact interval of the probability behind it."""

    hits: int
    total: int
    share: float
    low: float
    high: float

    def to_json(self) -> dict[str, Figure]:
        """Return the figures by name."""
        return {
            "hits": self.hits,
            "total": self.total,
            "share": self.share,
            "low": self.low,
            "high": self.high,
        }


def coverage(low: Floats, high: Floats, truth: Floats, *, confidence: float = 0.95) -> Share:
    """Return the share of intervals, ends included, that hold the truth.

    Parameters
    ----------
    low, high : ends of the intervals, one length, low <= high; may be infinite
    truth : true values, of the same length or a single one
    confidence : of the share's own interval, 0 < … < 1

    Raises
    ------
    UsageFault
        If there is none, lengths differ, or an interval is upside down or no interval.
    """
    if low.shape != high.shape or low.ndim != 1 or np.size(truth) not in (1, low.size):
        raise UsageFault(
            f"ends and truths must be rows of one length, got {low.shape}, {high.shape} and "
            f"{np.shape(truth)}"
        )
    # Written so that an end that is no number fails it too.
    if not np.all(low <= high):
        at = int(np.argmin(low <= high))
        raise UsageFault(f"interval {at} runs from {low[at]} to {high[at]}")
    hits = int(np.sum((low <= truth) & (truth <= high)))
    return binomial_share(hits, total=low.size, confidence=confidence)


def binomial_share(hits: int, *, total: int, confidence: float = 0.95) -> Share:
    """Return a share with its exact interval.

    The ends are the probabilities at which so many hits or more, or so few or fewer, have half the
    remaining chance.

    Parameters
    ----------
    hits : 0 to `total`
    total : 1 to `TRIALS_MAX`
    confidence : 0 < … < 1

    References
    ----------
    Clopper & Pearson (1934).
    """
    if not 0 <= hits <= total or not 1 <= total <= TRIALS_MAX or not 0 < confidence < 1:
        raise UsageFault(
            f"{hits} hits of {total} at confidence {confidence}: needs 1 to {TRIALS_MAX} trials, "
            "no more hits than trials, and a confidence between 0 and 1"
        )
    tail = (1 - confidence) / 2
    low = _root(hits - 1, total, 1 - tail) if hits else 0.0
    high = _root(hits, total, tail) if hits < total else 1.0
    return Share(hits=hits, total=total, share=hits / total, low=low, high=high)


def _root(hits: int, total: int, chance: float) -> float:
    """Return the probability at which at most `hits` of `total` have a given chance."""
    count = np.arange(1, total + 1, dtype=np.float64)
    log_ways = np.concatenate([np.zeros(1), np.cumsum(np.log((total - count + 1) / count))])
    k = np.arange(hits + 1, dtype=np.float64)
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        p = (low + high) / 2
        logs = log_ways[: hits + 1] + k * np.log(p) + (total - k) * np.log1p(-p)
        # The chance of at most so many hits falls as p rises.
        if float(np.sum(np.exp(logs))) > chance:
            low = p
        else:
            high = p
    return (low + high) / 2

"""Estimates for the time before any were adopted, cheap enough for every trade."""

from __future__ import annotations

import math
from collections import deque

from dmm.quoting.scale import MICRO, NANO

DEPTHS_MAX = 512
"""Trades that the online κ remembers."""

DEPTHS_MIN = 5
"""Trades below which there is no online κ."""

EWMA_KEEP = 0.97
"""Weight of the past in the variance, per second."""

STILL_CHANGES = 120
"""Seconds without any change of the mid after which the market stands still: the horizon T of the
models. A weighted variance only fades, it never says that nothing moves any more."""


class OnlineArrival:
    """κ = 1/mean depth of the last trades beyond the mid: the MLE of an exponential."""

    def __init__(self) -> None:
        self._depths: deque[int] = deque()
        self._sum_half_ticks = 0

    def observe(self, depth_half_ticks: int) -> None:
        """Take a trade's depth beyond the mid.

        Parameters
        ----------
        depth_half_ticks : half ticks; at or below 0 it is left out
        """
        if depth_half_ticks <= 0:
            return
        if len(self._depths) == DEPTHS_MAX:
            self._sum_half_ticks -= self._depths.popleft()
        self._depths.append(depth_half_ticks)
        self._sum_half_ticks += depth_half_ticks

    @property
    def kappa_nano(self) -> int:
        """Return κ per tick times 1e9; 0 while too few trades are known: nothing to quote on."""
        if len(self._depths) < DEPTHS_MIN:
            return 0
        return 2 * NANO * len(self._depths) // self._sum_half_ticks


class OnlineVolatility:
    """EWMA of squared mid changes over one second, corrected for its start from zero."""

    def __init__(self) -> None:
        self._variance = 0.0
        self._weight = 0.0
        self._unmoved = 0

    def observe(self, change_half_ticks: int) -> None:
        """Take the change of the mid over one second, in half ticks."""
        change = change_half_ticks / 2
        self._variance = EWMA_KEEP * self._variance + (1 - EWMA_KEEP) * change * change
        self._weight = EWMA_KEEP * self._weight + (1 - EWMA_KEEP)
        self._unmoved = 0 if change_half_ticks else self._unmoved + 1

    @property
    def is_still(self) -> bool:
        """Tell whether the mid has not moved over the last `STILL_CHANGES` seconds."""
        return self._unmoved >= STILL_CHANGES

    @property
    def sigma_microticks(self) -> int:
        """Return σ over one second in 1e-6 ticks; 0 before the first change."""
        if not self._weight:
            return 0
        return round(math.sqrt(self._variance / self._weight) * MICRO)

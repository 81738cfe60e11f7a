"""How old a quote may grow: the 90th percentile of the time a fill takes."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections import deque

from dmm.units.amount import BPS_ONE
from dmm.units.errors import UsageFault

SAMPLES_MAX = 512
"""Latest samples kept; older ones are forgotten, so that the limit follows the market."""

SAMPLES_MIN = 30
"""Fills needed before any quote is too old."""

PERCENTILE_BPS = 9_000


class FillTimes:
    """Times from placing to filling, and the age beyond which a quote is stale.

    A quote pulled by this very rule is a sample too: one whose fill would have come later than its
    age. Without those the percentile would be one of times already cut at the percentile, and the
    limit would shrink with every look at it. The percentile is therefore read off the product-limit
    estimate of Kaplan & Meier (1958), J. Am. Stat. Assoc. 53(282).
    """

    def __init__(self, *, samples_max: int = SAMPLES_MAX, samples_min: int = SAMPLES_MIN) -> None:
        """Start without samples.

        Parameters
        ----------
        samples_max : latest samples kept, >= `samples_min`
        samples_min : fills needed before there is a limit, > 0
        """
        if not 0 < samples_min <= samples_max:
            raise UsageFault(
                f"samples must be 0 < samples_min <= samples_max, got {samples_min} and "
                f"{samples_max}"
            )
        self._samples_min = samples_min
        self._latest: deque[tuple[int, bool]] = deque(maxlen=samples_max)
        self._fills: list[int] = []  # ages in order
        self._pulled: list[int] = []
        self._limit: dict[int, int | None] = {}

    def take_fill(self, time_to_fill_ns: int) -> None:
        """Take the time one of our quotes took to fill, ns; below 0 counts as 0."""
        self._take(time_to_fill_ns, was_pulled=False)

    def take_pulled(self, age_ns: int) -> None:
        """Take the age at which this rule pulled a quote, ns."""
        self._take(age_ns, was_pulled=True)

    def age_ns_max(self, *, percentile_bps: int = PERCENTILE_BPS) -> int | None:
        """Return the age beyond which a quote is stale, ns; None while there is no telling.

        None while fills are fewer than `samples_min`, and while so many quotes were pulled that the
        percentile lies beyond every fill seen: then none is pulled until fills tell more.

        Parameters
        ----------
        percentile_bps : share of fills that come sooner, 1 to 9_999
        """
        if not 0 < percentile_bps < BPS_ONE:
            raise UsageFault(f"percentile_bps must be 1 to {BPS_ONE - 1}, got {percentile_bps}")
        if percentile_bps not in self._limit:
            self._limit = {percentile_bps: self._percentile(percentile_bps)}
        return self._limit[percentile_bps]

    def _take(self, age_ns: int, *, was_pulled: bool) -> None:
        age_ns = max(0, age_ns)
        if len(self._latest) == self._latest.maxlen:
            oldest_ns, oldest_was_pulled = self._latest[0]
            ages = self._pulled if oldest_was_pulled else self._fills
            del ages[bisect_left(ages, oldest_ns)]
        self._latest.append((age_ns, was_pulled))
        insort(self._pulled if was_pulled else self._fills, age_ns)
        self._limit = {}

    def _percentile(self, percentile_bps: int) -> int | None:
        fills, pulled = self._fills, self._pulled
        count, left = len(fills), len(pulled)
        if count < self._samples_min:
            return None
        # Survival as a fraction of integers would grow without bound; a double is exact enough for
        # a share in basis points over some hundred factors, and the same on every run.
        survival, first = 1.0, 0
        target = (BPS_ONE - percentile_bps) / BPS_ONE + 1e-12
        for end in (*(bisect_right(fills, age_ns) for age_ns in pulled), count):
            # The factors (r − 1)/r of fills with no pulled quote between them cancel. Quotes
            # pulled at a fill's very age were still there to be filled.
            at_risk = count - first + left
            after = survival * ((count - end + left) / at_risk) if end > first else survival
            if after <= target:
                place = math.ceil(count - 1 + left - target * at_risk / survival)
                return fills[max(first, place)]
            survival, first = after, max(first, end)
            left -= 1
        return None

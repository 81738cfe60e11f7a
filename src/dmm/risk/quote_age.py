"""How old a quote may grow: the 90th percentile of the time a fill takes."""

from __future__ import annotations

from bisect import insort
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
        self._ordered: list[tuple[int, bool]] = []
        self._fills = 0
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
        # Fills sort before quotes pulled at the same age: those were still there to be filled.
        sample = (max(0, age_ns), was_pulled)
        if len(self._latest) == self._latest.maxlen:
            oldest = self._latest[0]
            self._ordered.remove(oldest)
            self._fills -= not oldest[1]
        self._latest.append(sample)
        insort(self._ordered, sample)
        self._fills += not was_pulled
        self._limit = {}

    def _percentile(self, percentile_bps: int) -> int | None:
        if self._fills < self._samples_min:
            return None
        # Survival as a fraction of integers would grow without bound; a double is exact enough for
        # a share in basis points over some hundred factors, and the same on every run.
        survival, at_risk = 1.0, len(self._ordered)
        target = (BPS_ONE - percentile_bps) / BPS_ONE
        for age_ns, was_pulled in self._ordered:
            if not was_pulled:
                survival *= (at_risk - 1) / at_risk
                if survival <= target + 1e-12:
                    return age_ns
            at_risk -= 1
        return None

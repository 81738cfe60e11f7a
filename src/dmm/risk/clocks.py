"""How far our clock is from each venue's, each chain's and the host's reference."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum

from dmm.risk.limits import CLOCK_OFFSET_NS_MAX
from dmm.units.errors import UsageFault
from dmm.units.time import NS_PER_S

SAMPLES_MAX = 15
"""Samples a median is taken of; odd, so that it is one of them."""

ROUND_TRIP_NS_MAX = 1 * NS_PER_S
"""A sample slower than this tells less than what is asked of it, and is dropped."""

AGE_NS_MAX = 120 * NS_PER_S
"""A source silent for longer is not measured."""

SOURCES_MAX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSample:
    """One exchange of time with a source, ns: when we asked, what it said, when we heard."""

    sent_at_ns: int
    source_at_ns: int
    heard_at_ns: int

    @property
    def round_trip_ns(self) -> int:
        """Return how long it took by our clock; the offset is wrong by at most half of it."""
        return self.heard_at_ns - self.sent_at_ns

    @property
    def offset_ns(self) -> int:
        """Return the source's time less ours: halfway between sending and hearing, rounded down.

        References
        ----------
        RFC 5905 (2010), section 8, with the source's processing time taken as nought.
        """
        return self.source_at_ns - (self.sent_at_ns + self.heard_at_ns) // 2


class ClockVerdict(StrEnum):
    """Whether a clock may be signed or quoted by."""

    OK = "ok"
    NOT_MEASURED = "not_measured"
    OFF = "off"


class ClockOffsets:
    """Sources by name, each with the median of its latest samples."""

    def __init__(self, *, samples_max: int = SAMPLES_MAX, sources_max: int = SOURCES_MAX) -> None:
        """Start without samples.

        Parameters
        ----------
        samples_max : per source, odd and > 0
        sources_max : > 0
        """
        if samples_max <= 0 or samples_max % 2 == 0:
            raise UsageFault(f"samples_max must be odd and above 0, got {samples_max}")
        self._samples_max = samples_max
        self._sources_max = sources_max
        self._sources: dict[str, deque[ClockSample]] = {}

    def take(self, source: str, sample: ClockSample) -> bool:
        """Take a sample; False when it is too slow to tell anything, or ends before it began.

        Raises
        ------
        UsageFault
            If there are too many sources.
        """
        if not 0 <= sample.round_trip_ns <= ROUND_TRIP_NS_MAX:
            return False
        if source not in self._sources:
            if len(self._sources) >= self._sources_max:
                raise UsageFault(f"clock source {source} is one more than {self._sources_max}")
            self._sources[source] = deque(maxlen=self._samples_max)
        self._sources[source].append(sample)
        return True

    def offset_ns(self, source: str, *, now_ns: int, age_ns_max: int = AGE_NS_MAX) -> int | None:
        """Return a source's time less ours: the median of its fresh samples; None without any.

        Parameters
        ----------
        source : its name
        now_ns : by our clock
        age_ns_max : ns a sample may be old, >= 0
        """
        fresh = sorted(
            sample.offset_ns
            for sample in self._sources.get(source, ())
            if abs(now_ns - sample.heard_at_ns) <= age_ns_max
        )
        return fresh[(len(fresh) - 1) // 2] if fresh else None

    def worst_ns(self, sources: tuple[str, ...], *, now_ns: int) -> int | None:
        """Return the offset furthest from nought among sources, None when one is not measured.

        Parameters
        ----------
        sources : whose clocks the act depends on, at least one: venue, chain, host
        now_ns : by our clock
        """
        offsets = [self.offset_ns(source, now_ns=now_ns) for source in sources]
        known = [offset for offset in offsets if offset is not None]
        if not known or len(known) < len(offsets):
            return None
        return max(known, key=abs)

    def verdict(
        self,
        sources: tuple[str, ...],
        *,
        now_ns: int,
        offset_ns_max: int = CLOCK_OFFSET_NS_MAX,
    ) -> ClockVerdict:
        """Tell whether these clocks allow signing and quoting; exactly at the bound they do.

        Parameters
        ----------
        sources : whose clocks the act depends on
        now_ns : by our clock
        offset_ns_max : ns either way, >= 0
        """
        worst_ns = self.worst_ns(sources, now_ns=now_ns)
        if worst_ns is None:
            return ClockVerdict.NOT_MEASURED
        return ClockVerdict.OK if abs(worst_ns) <= offset_ns_max else ClockVerdict.OFF

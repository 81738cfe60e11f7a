from __future__ import annotations

import pytest

from dmm.risk.clocks import AGE_NS_MAX, ClockOffsets, ClockSample, ClockVerdict
from dmm.units.errors import UsageFault
from dmm.units.time import NS_PER_MS, NS_PER_S

NOW_NS = 1_700_000_000 * NS_PER_S


def sample(offset_ms: int, *, heard_ns: int = NOW_NS, trip_ms: int = 20) -> ClockSample:
    sent_ns = heard_ns - trip_ms * NS_PER_MS
    return ClockSample(
        sent_at_ns=sent_ns,
        source_at_ns=(sent_ns + heard_ns) // 2 + offset_ms * NS_PER_MS,
        heard_at_ns=heard_ns,
    )


def measured(*offsets_ms: int, source: str = "venue") -> ClockOffsets:
    clocks = ClockOffsets()
    for offset_ms in offsets_ms:
        assert clocks.take(source, sample(offset_ms))
    return clocks


def test_a_source_never_measured_or_silent_too_long_allows_nothing() -> None:
    clocks = measured(0, 0, 0)
    assert clocks.verdict(("venue", "chain"), now_ns=NOW_NS) is ClockVerdict.NOT_MEASURED
    assert clocks.verdict((), now_ns=NOW_NS) is ClockVerdict.NOT_MEASURED
    at_the_edge = NOW_NS + AGE_NS_MAX
    assert clocks.verdict(("venue",), now_ns=at_the_edge) is ClockVerdict.OK
    assert clocks.verdict(("venue",), now_ns=at_the_edge + 1) is ClockVerdict.NOT_MEASURED


def test_samples_from_the_future_are_no_samples() -> None:
    assert measured(0).offset_ns("venue", now_ns=NOW_NS - AGE_NS_MAX - 1) is None


@pytest.mark.parametrize(("offset_ms", "verdict"), [(250, "ok"), (-250, "ok"), (251, "off")])
def test_a_quarter_of_a_second_is_the_bound(offset_ms: int, verdict: str) -> None:
    assert measured(offset_ms).verdict(("venue",), now_ns=NOW_NS).value == verdict


def test_the_median_ignores_a_wild_sample() -> None:
    assert measured(3, 9_000, 5, -9_000, 4).offset_ns("venue", now_ns=NOW_NS) == 4 * NS_PER_MS


def test_only_the_latest_samples_count() -> None:
    clocks = measured(*[400] * 15, *[1] * 8)
    assert clocks.offset_ns("venue", now_ns=NOW_NS) == 1 * NS_PER_MS


def test_the_worst_of_all_clocks_decides_whichever_way_it_is_off() -> None:
    clocks = measured(10)
    clocks.take("chain", sample(-300))
    assert clocks.worst_ns(("venue", "chain"), now_ns=NOW_NS) == -300 * NS_PER_MS
    assert clocks.verdict(("venue", "chain"), now_ns=NOW_NS) is ClockVerdict.OFF
    assert clocks.verdict(("venue",), now_ns=NOW_NS) is ClockVerdict.OK


@pytest.mark.parametrize("trip_ms", [-1, 1_001])
def test_a_sample_too_slow_or_ending_before_it_began_is_dropped(trip_ms: int) -> None:
    assert not ClockOffsets().take("venue", sample(0, trip_ms=trip_ms))


def test_the_error_is_at_most_half_of_the_round_trip() -> None:
    late_answer = ClockSample(sent_at_ns=0, source_at_ns=80, heard_at_ns=80)
    assert late_answer.offset_ns == late_answer.round_trip_ns // 2


def test_bounds_are_kept() -> None:
    with pytest.raises(UsageFault, match="got 4"):
        ClockOffsets(samples_max=4)
    clocks = ClockOffsets(sources_max=1)
    clocks.take("a", sample(0))
    with pytest.raises(UsageFault, match="clock source b"):
        clocks.take("b", sample(0))

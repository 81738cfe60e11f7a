from __future__ import annotations

import pytest

from dmm.market.health import FEED_AGE_NS_MAX, deviation_ubps, is_stale, venues_agree
from dmm.units.time import NS_PER_S

STARTED_NS = 1_700_000_000 * NS_PER_S
BP = 1_000_000


def test_a_feed_is_stale_only_beyond_three_seconds() -> None:
    assert FEED_AGE_NS_MAX == 3 * NS_PER_S
    for silence_ns, stale in ((0, False), (FEED_AGE_NS_MAX, False), (FEED_AGE_NS_MAX + 1, True)):
        now_ns = STARTED_NS + silence_ns
        assert (
            is_stale(received_at_ns=STARTED_NS, now_ns=now_ns, age_ns_max=FEED_AGE_NS_MAX) is stale
        )


@pytest.mark.parametrize(
    ("mids", "agree"),
    [
        ((), True),
        ((777,), True),
        ((0,), False),
        ((-5, 10_000), False),
        ((10_000, 10_030), True),
        ((10_030, 10_012, 10_000), True),
        ((10_000, 10_012, 10_031), False),
    ],
)
def test_venues_agree_while_the_widest_gap_is_within_tolerance(
    mids: tuple[int, ...], agree: bool
) -> None:
    assert venues_agree(mids, ubps_max=30 * BP) is agree


def test_a_deviation_is_measured_from_the_reference_either_way_and_rounded_up() -> None:
    assert deviation_ubps(10_030, reference=10_000) == 30 * BP
    assert deviation_ubps(9_970, reference=10_000) == 30 * BP
    assert deviation_ubps(7, reference=3) == 13_333_333_334
    with pytest.raises(ValueError, match="got 0"):
        deviation_ubps(5, reference=0)

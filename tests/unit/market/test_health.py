from __future__ import annotations

from dmm.market.health import FEED_AGE_NS_MAX, is_stale
from dmm.units.time import NS_PER_S

STARTED_NS = 1_700_000_000 * NS_PER_S


def test_a_feed_is_stale_only_beyond_three_seconds() -> None:
    assert FEED_AGE_NS_MAX == 3 * NS_PER_S
    for silence_ns, stale in ((0, False), (FEED_AGE_NS_MAX, False), (FEED_AGE_NS_MAX + 1, True)):
        now_ns = STARTED_NS + silence_ns
        assert (
            is_stale(received_at_ns=STARTED_NS, now_ns=now_ns, age_ns_max=FEED_AGE_NS_MAX) is stale
        )

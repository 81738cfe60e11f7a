from __future__ import annotations

from dmm.market.health import FEED_AGE_NS_MAX, FRESH_TICKS_MIN, FeedHealth, is_stale
from dmm.units.time import NS_PER_S, Nanos

STARTED_NS = 1_700_000_000 * NS_PER_S


def ticked(count: int, *, step_ns: int = NS_PER_S) -> FeedHealth:
    health = FeedHealth()
    for tick in range(count):
        health = health.after_tick(Nanos(STARTED_NS + tick * step_ns))
    return health


def test_a_feed_is_stale_only_beyond_three_seconds() -> None:
    assert FEED_AGE_NS_MAX == 3 * NS_PER_S
    assert not is_stale(received_at_ns=STARTED_NS, now_ns=STARTED_NS + 3 * NS_PER_S)
    assert is_stale(received_at_ns=STARTED_NS, now_ns=STARTED_NS + 3 * NS_PER_S + 1)


def test_a_feed_that_never_ticked_earns_no_quotes() -> None:
    assert not FeedHealth().may_quote(STARTED_NS)


def test_quotes_wait_for_five_fresh_ticks() -> None:
    assert FRESH_TICKS_MIN == 5
    assert not ticked(4).may_quote(STARTED_NS + 3 * NS_PER_S)
    assert ticked(5).may_quote(STARTED_NS + 4 * NS_PER_S)


def test_a_silent_feed_loses_its_quotes_without_a_tick() -> None:
    health = ticked(9)
    last_ns = STARTED_NS + 8 * NS_PER_S
    assert health.may_quote(last_ns + FEED_AGE_NS_MAX)
    assert not health.may_quote(last_ns + FEED_AGE_NS_MAX + 1)


def test_a_stale_pause_starts_the_count_again() -> None:
    health = ticked(9)
    at_ns = STARTED_NS + 8 * NS_PER_S + FEED_AGE_NS_MAX + 1
    for fresh in range(1, FRESH_TICKS_MIN):
        health = health.after_tick(Nanos(at_ns))
        assert health.fresh_ticks == fresh
        assert not health.may_quote(at_ns)
    assert health.after_tick(Nanos(at_ns)).may_quote(at_ns)


def test_ticks_that_are_all_too_far_apart_never_count_up() -> None:
    assert ticked(20, step_ns=FEED_AGE_NS_MAX + 1).fresh_ticks == 1

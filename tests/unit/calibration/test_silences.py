"""What was not observed counts for nothing: sessions of a market, a recorder that was away."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from observed import LINEAR, Print, State, observed

from dmm.calibration.arrival import ArrivalFit
from dmm.calibration.measure import Calibration, measure, observed_depths
from dmm.calibration.observation import RAW_READING, SILENCE_LEFT_NS, ArrivalMode, Reading
from dmm.units.errors import TapeFault
from dmm.units.time import NS_PER_MS, NS_PER_S

TRADE_READING = Reading(
    by_exchange=False, snapshot_is_state=True, on_grid=True, arrival=ArrivalMode.TRADE
)
NIGHT_MS = 16 * 3_600_000
SESSION_MS = 600_000


def session(began_ms: int, *, mid: int, seed: int = 3) -> tuple[list[State], list[Print]]:
    """Ten minutes of a walking mid with trades whose depth falls exponentially."""
    rng = np.random.default_rng(seed)
    walk = mid + np.cumsum(rng.integers(-1, 2, size=SESSION_MS // 500))
    states = [(began_ms + 500 * at, m - 1, 5, m + 1, 5) for at, m in enumerate(walk.tolist())]
    trades: list[Print] = []
    for at in sorted(rng.integers(1_000, SESSION_MS, size=3_000).tolist()):
        depth, is_buy = 1 + int(rng.exponential(6)), bool(rng.integers(2))
        price = walk[(at - 1) // 500] + (depth if is_buy else -depth)
        trades.append((began_ms + at, int(price), 1, is_buy))
    return states, trades


def calibrated(states: list[State], trades: list[Print], reading: Reading) -> Calibration:
    return measure(observed(states, trades), LINEAR, reading=reading, seed=1)


@pytest.mark.parametrize("reading", [TRADE_READING, RAW_READING], ids=["trade", "grid"])
def test_two_sessions_with_a_night_between_measure_like_one_session(reading: Reading) -> None:
    states, trades = session(0, mid=10_000)
    once = calibrated(states, trades, reading)
    # The second day opens far away, which is no volatility of a second.
    late, more = session(SESSION_MS + NIGHT_MS, mid=14_000)
    twice = calibrated(states + late, trades + more, reading)
    assert once.book is not None
    assert twice.book is not None
    assert twice.book.sigma_ticks_1s.value == pytest.approx(
        once.book.sigma_ticks_1s.value, rel=0.05
    )
    assert isinstance(once.arrival, ArrivalFit)
    assert isinstance(twice.arrival, ArrivalFit)
    assert twice.arrival.kappa_per_tick == pytest.approx(once.arrival.kappa_per_tick, rel=0.02)
    assert twice.arrival.a_per_s == pytest.approx(once.arrival.a_per_s, rel=0.02)
    assert [line for line in twice.warnings if "1 silences longer than 60 s" in line]


def test_a_trade_in_a_silence_has_no_depth() -> None:
    states, trades = session(0, mid=10_000)
    late, more = session(SESSION_MS + NIGHT_MS, mid=14_000)
    in_the_night: Print = (SESSION_MS + NIGHT_MS // 2, 14_000, 1, True)
    with_it = observed(states + late, [*trades, in_the_night, *more])
    without = observed(states + late, trades + more)
    for seen in (with_it, without):
        assert observed_depths(seen, reading=TRADE_READING).depth_half_ticks.max() < 300
    assert with_it.awake().trade_at_ns.size == without.awake().trade_at_ns.size


def test_states_that_are_all_far_apart_say_nothing_per_second() -> None:
    with pytest.raises(TapeFault, match="within 60 s"):
        calibrated([(0, 9, 1, 11, 1), (61_000, 9, 1, 11, 1)], [], TRADE_READING)


@given(st.lists(st.integers(1, 200_000), min_size=1, max_size=40), st.integers(0, 2**20))
def test_an_awake_clock_keeps_the_order_and_loses_only_the_silences(
    gaps_ms: list[int], seed: int
) -> None:
    at_ms = np.concatenate(([5], 5 + np.cumsum(gaps_ms)))
    rng = np.random.default_rng(seed)
    trade_ms = np.sort(rng.integers(0, at_ms[-1] + 100_000, size=30))
    seen = observed(
        [(int(at), 9, 1, 11, 1) for at in at_ms], [(int(at), 10, 1, True) for at in trade_ms]
    )
    awake = seen.awake()
    cut_ns = [gap * NS_PER_MS - SILENCE_LEFT_NS for gap in gaps_ms if gap > 60_000]
    assert awake.at_ns[-1] - awake.at_ns[0] == seen.at_ns[-1] - seen.at_ns[0] - sum(cut_ns)
    assert (np.diff(awake.at_ns) > 0).all()
    assert (np.diff(awake.at_ns) <= 60 * NS_PER_S).all()
    assert (np.diff(awake.trade_at_ns) >= 0).all()
    # Whatever is kept lies between the same two states as before.
    in_silence = [
        bool(((at_ms[:-1] < at) & (at < at_ms[1:]) & (np.diff(at_ms) > 60_000)).any())
        for at in trade_ms
    ]
    kept = seen.trade_at_ns[~np.array(in_silence)]
    assert awake.trade_at_ns.size == kept.size
    assert np.array_equal(
        np.searchsorted(awake.at_ns, awake.trade_at_ns), np.searchsorted(seen.at_ns, kept)
    )

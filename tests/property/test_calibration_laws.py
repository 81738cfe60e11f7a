"""Laws of the estimators on any market."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from observed import LINEAR, Print, State, observed

from dmm.calibration.arrival import ArrivalFit, fit_arrival
from dmm.calibration.depth import positive_depths
from dmm.calibration.intensity import fit_intensity
from dmm.calibration.liquidity import vwap_ticks
from dmm.calibration.markout import markouts
from dmm.calibration.observation import Observation
from dmm.calibration.order_flow import flow_imbalance
from dmm.calibration.vpin import vpin
from dmm.units.time import NS_PER_S

sizes = st.integers(1, 10**6)


@st.composite
def markets(draw: st.DrawFn) -> Observation:
    """A market of some states and trades at any prices."""
    count = draw(st.integers(2, 20))
    states: list[State] = []
    for at in range(count):
        bid = draw(st.integers(1, 10**6))
        states.append((at * 700, bid, draw(sizes), bid + draw(st.integers(1, 50)), draw(sizes)))
    trades: list[Print] = [
        (draw(st.integers(1, count * 700)), draw(st.integers(1, 10**6)), draw(sizes), buy)
        for buy in draw(st.lists(st.booleans(), max_size=12))
    ]
    return observed(states, sorted(trades))


def mirrored(seen: Observation) -> Observation:
    """The same market seen from the other side: prices negated about a constant, sides swapped."""
    about = int(max(seen.ask.max(), seen.trade_price.max(initial=0)) + 1)
    states = zip(
        seen.at_ns // 10**6,
        about - seen.ask,
        seen.ask_size,
        about - seen.bid,
        seen.bid_size,
        strict=True,
    )
    trades = zip(
        seen.trade_at_ns // 10**6,
        about - seen.trade_price,
        seen.trade_size,
        ~seen.trade_is_buy,
        strict=True,
    )
    return observed(list(states), list(trades))


@given(markets())
def test_the_mirror_of_a_market_has_the_opposite_flow(seen: Observation) -> None:
    assert flow_imbalance(mirrored(seen)).tolist() == (-flow_imbalance(seen)).tolist()


@given(markets())
def test_the_mirror_of_a_market_pays_its_makers_the_same(seen: Observation) -> None:
    rng = np.random.default_rng
    ours, theirs = (markouts(one, rng=rng(1), horizons_s=(1,)) for one in (seen, mirrored(seen)))
    assert [one.maker_ticks.value for one in theirs] == pytest.approx(
        [one.maker_ticks.value for one in ours], rel=1e-9, abs=1e-9
    )


@given(markets())
def test_a_vwap_lies_between_the_lowest_and_the_highest_trade(seen: Observation) -> None:
    found = vwap_ticks(seen, LINEAR)
    if found is None:
        assert not seen.trade_size.size
        return
    low, high = int(seen.trade_price.min()), int(seen.trade_price.max())
    assert low * (1 - 1e-12) <= found <= high * (1 + 1e-12)


@given(st.lists(st.tuples(sizes, st.booleans()), min_size=1, max_size=40), st.integers(2, 9))
def test_vpin_is_a_share_and_the_same_for_the_other_side(
    trades: list[tuple[int, bool]], buckets: int
) -> None:
    lots = np.array([size for size, _buy in trades])
    buys = np.array([buy for _size, buy in trades])
    ours = vpin(lots, buys, rng=np.random.default_rng(1), buckets=buckets)
    theirs = vpin(lots, ~buys, rng=np.random.default_rng(1), buckets=buckets)
    if ours is None or theirs is None:
        assert lots.sum() < buckets
        return
    assert 0 <= ours.share.value <= 1
    assert ours.share == theirs.share


@given(st.lists(st.booleans(), min_size=2, max_size=30))
def test_splitting_every_trade_changes_no_vpin(buys: list[bool]) -> None:
    lots, side = np.full(len(buys), 10), np.array(buys)
    whole = vpin(lots, side, rng=np.random.default_rng(1), buckets=2)
    split = vpin(
        np.repeat(lots // 2, 2), np.repeat(side, 2), rng=np.random.default_rng(1), buckets=2
    )
    assert whole == split


@given(
    alpha=st.floats(1e-3, 1e6),
    kappa=st.floats(0.01, 5.0),
    distances=st.lists(st.integers(1, 60), min_size=3, max_size=20, unique=True),
)
@settings(max_examples=100)
def test_any_exact_exponential_is_found(alpha: float, kappa: float, distances: list[int]) -> None:
    d = np.array(sorted(distances)) / 10
    assume(kappa * (d[-1] - d[0]) > 0.05)
    fit = fit_intensity(d, alpha * np.exp(-kappa * d))
    assert fit is not None
    assert fit.kappa == pytest.approx(kappa, rel=1e-6)
    assert fit.alpha == pytest.approx(alpha, rel=1e-6)


@given(
    st.lists(st.integers(1, 30), min_size=6, max_size=60),
    st.integers(2, 9),
)
@settings(max_examples=30)
def test_more_of_the_same_trades_change_rates_and_never_kappa(half: list[int], times: int) -> None:
    def fitted(depths: list[int]) -> ArrivalFit | None:
        found = fit_arrival(
            positive_depths(
                depth_half_ticks=np.array(depths),
                at_ns=np.linspace(0, 100 * NS_PER_S - 1, len(depths)).astype(np.int64),
                is_buy=np.arange(len(depths)) % 2 == 0,
                started_at_ns=0,
                duration_ns=100 * NS_PER_S,
            ),
            rng=np.random.default_rng(1),
            resamples=5,
        )
        return found if isinstance(found, ArrivalFit) else None

    once, often = fitted(half), fitted(half * times)
    assert (once is None) == (often is None)
    if once is None or often is None:
        return
    assert often.kappa_per_tick == pytest.approx(once.kappa_per_tick, rel=1e-9, abs=1e-12)
    assert often.a_per_s == pytest.approx(times * once.a_per_s, rel=1e-9)

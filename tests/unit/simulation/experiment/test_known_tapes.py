"""Intervals of κ, A and σ on tapes whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from dmm.calibration.arrival import FitRange
from dmm.simulation.experiment.known_tapes import KnownMarket, covered, simulated_depths
from dmm.units.errors import UsageFault

MARKETS = [
    (KnownMarket(kappa_per_tick=0.3, a_per_s=2, sigma_ticks_1s=3, duration_s=600), 10),
    (KnownMarket(kappa_per_tick=0.1, a_per_s=1, sigma_ticks_1s=7, duration_s=1_800), 20),
]


def test_a_market_that_cannot_be_is_refused() -> None:
    with pytest.raises(UsageFault, match="above 0"):
        KnownMarket(kappa_per_tick=0, a_per_s=2, sigma_ticks_1s=3, duration_s=600)
    with pytest.raises(UsageFault, match="more than one second"):
        KnownMarket(kappa_per_tick=1, a_per_s=2, sigma_ticks_1s=3, duration_s=1)
    rng = np.random.default_rng(1)
    with pytest.raises(UsageFault, match="tapes"):
        covered(MARKETS[0][0], tapes=0, rng=rng, fit_range=FitRange())
    rare = KnownMarket(kappa_per_tick=3, a_per_s=1e-3, sigma_ticks_1s=3, duration_s=30)
    with pytest.raises(UsageFault, match="no tape had a fit"):
        covered(rare, tapes=3, rng=rng, fit_range=FitRange())


def test_simulated_trades_come_and_reach_as_often_as_they_should() -> None:
    market, _ = MARKETS[0]
    depths = simulated_depths(market, np.random.default_rng(7))
    rate = depths.depth_half_ticks.size / market.duration_s
    assert rate == pytest.approx(market.a_per_s, rel=0.1)
    beyond = np.mean(depths.depth_half_ticks > 2 * 2.5)
    assert beyond == pytest.approx(np.exp(-0.3 * 2.5), abs=0.05)


@pytest.mark.parametrize(("market", "to_ticks"), MARKETS)
def test_most_intervals_hold_the_truth(market: KnownMarket, to_ticks: int) -> None:
    found = covered(
        market, tapes=40, rng=np.random.default_rng(5), fit_range=FitRange(to_ticks=to_ticks)
    )
    for share in (found.kappa, found.a, found.sigma):
        # Forty tapes cannot tell 93 % from 97 %; a wrong interval misses far more often.
        assert share.hits >= 34


@pytest.mark.deep
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize(("market", "to_ticks"), MARKETS)
def test_of_a_thousand_intervals_93_to_97_percent_hold_the_truth(
    market: KnownMarket, to_ticks: int
) -> None:
    found = covered(
        market, tapes=1_000, rng=np.random.default_rng(1), fit_range=FitRange(to_ticks=to_ticks)
    )
    assert found.unfitted == 0
    for share in (found.kappa, found.a, found.sigma):
        assert 0.93 <= share.share <= 0.97

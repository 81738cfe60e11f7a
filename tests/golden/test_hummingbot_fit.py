"""Trailing estimators as Hummingbot publishes them; source: shared/truth/hummingbot_as.json."""

from __future__ import annotations

import numpy as np
import pytest

from dmm.calibration.intensity import amounts_by_distance, fit_intensity, instant_volatility

# The last window of that project's test of a liquid market: distance from the mid, amount there.
DISTANCES = [
    *(0.050813408361065626, 0.05071376310705489, 0.050619589856154334, 0.050598148695442546),
    *(0.05054405519155125, 0.05052826470014793, 0.05047798460979891, 0.05046288117102904),
    *(0.050288495323428606, 0.05027859695040604, 0.05015171598303425, 0.050084907850688865),
    *(0.050055011965355334, 0.04998462569189144, 0.04987100867485594, 0.04985912871943299),
    *(0.04938198804971705, 0.04937498167224419, 0.04936327891054759, 0.049238575502727144),
]
AMOUNTS = [
    *(101.05759809170898, 99.44596019144917, 99.24998484719481, 99.35999466036793),
    *(99.75158248396268, 98.68215921473458, 99.32779860207822, 101.92310346784804),
    *(101.77563994251807, 100.62099460420077, 99.66187944843303, 99.66921812351795),
    *(100.38327668155956, 100.90869764152465, 100.28455987709451, 99.1603450013867),
    *(100.61664470275932, 101.24490895431695, 99.74740158686205, 100.22283434550758),
]


def test_the_published_fit_of_a_liquid_market_is_found() -> None:
    fit = fit_intensity(np.array(DISTANCES), np.array(AMOUNTS))
    assert fit is not None
    assert fit.alpha == pytest.approx(118.53441791741469, abs=1e-3)
    assert fit.kappa == pytest.approx(3.3607256761562003, abs=1e-3)
    assert fit.r_squared < 0.1  # distances that hardly differ explain next to nothing


def test_an_exact_exponential_is_found_to_the_last_digits() -> None:
    levels = np.array([1.0, 2.0, 3.0, 4.0])
    fit = fit_intensity(levels, 2 * np.exp(-0.1 * levels))
    assert fit is not None
    assert fit.alpha == pytest.approx(2, abs=1e-10)
    assert fit.kappa == pytest.approx(0.1, abs=1e-10)


def test_the_published_instant_volatility_is_reproduced() -> None:
    samples = np.random.RandomState(3141592653).normal(100, 10, 10_000)
    assert instant_volatility(samples) == pytest.approx(14.068197250366211, abs=1e-4)


def test_the_volatility_of_the_published_quote_is_reproduced() -> None:
    samples = np.random.RandomState(3141592653).normal(100, 0.05, 400)
    assert samples[-1] == pytest.approx(100.01597157966833, rel=1e-12)
    assert instant_volatility(samples[-200:]) == pytest.approx(0.0732879548492693, rel=1e-9)


def test_amounts_are_summed_where_distances_repeat() -> None:
    distances, amounts = amounts_by_distance(np.array([3.0, 2.0, 3.0]), np.array([5.0, 7.0, 11.0]))
    assert distances.tolist() == [2.0, 3.0]
    assert amounts.tolist() == [7.0, 16.0]

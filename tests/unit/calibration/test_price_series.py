"""Volatility of prices without a book: by hand, and what is refused."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from dmm.calibration.price_series import PriceSeries, measure_series, sigma_horizon_bps
from dmm.units.errors import TapeFault
from dmm.units.time import NS_PER_S

MINUTES = PriceSeries(
    symbol="X",
    kind="minute bars",
    tick_size=0.5,
    interval_s=60.0,
    is_dated=True,
    at_ns=np.arange(1, 6, dtype=np.int64) * 60 * NS_PER_S,
    price=np.array([200.0, 203.0, 201.0, 206.0, 204.0]),
    low=np.array([198.0, 199.0, 200.0, 201.0, 203.0]),
    high=np.array([202.0, 204.0, 203.0, 207.0, 206.0]),
)


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_sigma_over_a_second_is_that_of_the_step_over_the_root_of_its_length() -> None:
    # Changes 3, −2, 5, −2: mean 1, squared deviations 4, 9, 16, 9 → variance 9.5 a minute.
    found = measure_series(MINUTES, rng=rng())
    assert found.sigma_ticks_1s.value == pytest.approx(math.sqrt(9.5 / 60), rel=1e-12)
    assert sigma_horizon_bps(found) == pytest.approx(math.sqrt(9.5 * 2) / 204 * 1e4, rel=1e-12)


def test_a_missing_minute_counts_as_the_longer_step_it_is() -> None:
    # Changes 3 in 60 s and 3 in 120 s: per √s 3/√60 and 3/√120.
    at_ns = np.array([60, 120, 240], dtype=np.int64) * NS_PER_S
    gapped = replace(MINUTES, at_ns=at_ns, price=np.array([200.0, 203.0, 206.0]), low=None)
    one, other = 3 / math.sqrt(60), 3 / math.sqrt(120)
    found = measure_series(gapped, rng=rng())
    assert found.sigma_ticks_1s.value == pytest.approx(abs(one - other) / 2, rel=1e-12)
    assert found.range_bps is None


def test_realised_and_range_volatility_are_the_sums_of_their_definitions() -> None:
    found = measure_series(MINUTES, rng=rng())
    prices = MINUTES.price.tolist()
    squares = [math.log(b / a) ** 2 for a, b in pairwise(prices)]
    assert found.realised_bps == pytest.approx(1e4 * math.sqrt(sum(squares)), rel=1e-12)
    weights = [0.03 * 0.97**age for age in (3, 2, 1, 0)]
    ewma = math.sqrt(sum(w * r for w, r in zip(weights, squares, strict=True)))
    assert found.ewma_sigma_bps == pytest.approx(1e4 * ewma, rel=1e-12)
    assert MINUTES.low is not None
    assert MINUTES.high is not None
    ranges = [math.log(h / low) ** 2 for h, low in zip(MINUTES.high, MINUTES.low, strict=True)]
    parkinson = math.sqrt(sum(ranges) / 5 / (4 * math.log(2)))
    assert found.range_bps == pytest.approx(1e4 * parkinson, rel=1e-12)


def test_parkinsons_range_finds_the_volatility_of_a_random_walk() -> None:
    draws = np.random.default_rng(3).normal(scale=1e-4, size=(3_000, 600))
    walks = np.cumsum(draws, axis=1)
    series = replace(
        MINUTES,
        at_ns=np.arange(3_000, dtype=np.int64) * 60 * NS_PER_S,
        price=1_000 * np.exp(walks[:, -1]),
        low=1_000 * np.exp(np.minimum(walks.min(axis=1), 0)),
        high=1_000 * np.exp(np.maximum(walks.max(axis=1), 0)),
    )
    found = measure_series(series, rng=rng())
    # 600 steps of 1 bp; between the steps the range is not seen, which costs some per cent.
    assert found.range_bps == pytest.approx(math.sqrt(600), rel=0.06)


def test_a_logarithmic_tick_is_the_same_share_of_any_price() -> None:
    pool = replace(MINUTES, tick_size=1e-4, log_price=True)
    found = measure_series(pool, rng=rng())
    assert found.sigma_ticks_1s.value == pytest.approx(math.sqrt(9.5 / 60), rel=1e-12)
    assert sigma_horizon_bps(found) == pytest.approx(math.sqrt(9.5 * 2), rel=1e-12)
    assert found.realised_bps == pytest.approx(
        math.sqrt(9 + 4 + 25 + 4) * math.log(1.0001) * 1e4, rel=1e-12
    )


def test_a_series_says_what_it_cannot_say() -> None:
    told = " ".join(measure_series(replace(MINUTES, is_dated=False), rng=rng()).warnings)
    assert "nothing is said of arrivals (κ, A)" in told
    assert "60 s apart" in told
    assert "no times" in told
    still = measure_series(replace(MINUTES, price=np.full(5, 200.0)), rng=rng())
    assert "σ is 0: the price never moved" in " ".join(still.warnings)


def test_one_price_or_times_that_do_not_rise_are_refused() -> None:
    with pytest.raises(TapeFault, match="X: 1 prices, 2 are needed"):
        measure_series(
            replace(MINUTES, at_ns=MINUTES.at_ns[:1], price=MINUTES.price[:1]), rng=rng()
        )
    with pytest.raises(TapeFault, match="do not rise"):
        measure_series(replace(MINUTES, at_ns=MINUTES.at_ns[::-1].copy()), rng=rng())

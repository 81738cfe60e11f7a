from __future__ import annotations

import math
import statistics
from itertools import pairwise

import numpy as np
import pytest

from dmm.calibration.volatility import (
    HORIZON_S,
    SIGMA_BPS_MAX,
    SIGMA_BPS_MIN,
    Clamped,
    clamp,
    ewma_sigma_bps,
    ewma_sigma_ticks,
    ewma_variance,
    horizon_bps,
    sigma_ticks,
)

MIDS = np.array([56_363, 56_365, 56_364, 56_370, 56_361, 56_362, 56_380], dtype=np.int64)


@pytest.mark.parametrize("measure", [sigma_ticks, ewma_sigma_bps, ewma_sigma_ticks])
@pytest.mark.parametrize("mids", [[], [56_363]])
def test_volatility_without_a_change_is_refused(measure: object, mids: list[int]) -> None:
    with pytest.raises(ValueError, match="two mids that no silence parts"):
        measure(np.array(mids, dtype=np.int64))  # type: ignore[operator]


@pytest.mark.parametrize(("value", "low", "high"), [(math.nan, 2.0, 3.0), (2.5, 3.0, 2.0)])
def test_a_clamp_refuses_what_has_no_answer(value: float, low: float, high: float) -> None:
    with pytest.raises(ValueError, match="cannot clamp"):
        clamp(value, low=low, high=high)


def test_a_clamp_tells_which_way_it_moved() -> None:
    assert clamp(4.2, low=5.0, high=120.0) == Clamped(value=5.0, moved=-1)
    assert clamp(14.1, low=5.0, high=120.0) == Clamped(value=14.1, moved=0)
    assert clamp(130.0, low=5.0, high=120.0) == Clamped(value=120.0, moved=1)


def test_sigma_is_the_population_deviation_in_whole_ticks() -> None:
    changes = [(b - a) / 2 for a, b in pairwise(MIDS.tolist())]
    assert sigma_ticks(MIDS) == pytest.approx(statistics.pstdev(changes), rel=1e-12)


def test_the_ewma_is_its_recursion() -> None:
    mids = MIDS.tolist()
    variance = 0.0
    for before, after in pairwise(mids):
        variance = 0.97 * variance + 0.03 * math.log(after / before) ** 2
    assert ewma_sigma_bps(MIDS) == pytest.approx(1e4 * math.sqrt(variance), rel=1e-12)


def test_the_ewma_continues_from_where_it_stood() -> None:
    changes = np.log(MIDS[1:] / MIDS[:-1])
    first = ewma_variance(changes[:4], start=3e-9)
    assert ewma_variance(changes[4:], start=first) == pytest.approx(
        ewma_variance(changes, start=3e-9), rel=1e-12
    )


def test_equal_changes_give_their_size_however_few_there_are() -> None:
    for count in (2, 5, 300):
        zigzag = np.array([56_363 + 14 * (at % 2) for at in range(count)], dtype=np.int64)
        assert ewma_sigma_ticks(zigzag) == pytest.approx(7.0, rel=1e-12)


def test_recent_changes_weigh_more() -> None:
    calm, wild = [56_363 + 2 * (at % 2) for at in range(60)], [56_363, 56_463] * 10
    assert ewma_sigma_ticks(np.array(calm + wild)) > ewma_sigma_ticks(np.array(wild + calm))


def test_both_public_tapes_lie_inside_the_clamp_over_the_horizon() -> None:
    # Source: design/quoting.md section 1, 6.6 and 14.1 basis points over 120 s.
    assert HORIZON_S == 120
    ethbtc_ticks = 0.6072369419086372 * 1e-4 * 28_200.5
    assert horizon_bps(ethbtc_ticks, mid_ticks=28_200.5) == pytest.approx(6.65, abs=0.01)
    perp = horizon_bps(79.68400628880417, mid_ticks=617_300.0)
    assert perp == pytest.approx(14.14, abs=0.01)
    assert SIGMA_BPS_MIN < perp < SIGMA_BPS_MAX

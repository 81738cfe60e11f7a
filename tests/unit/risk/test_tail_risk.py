"""VaR and CVaR: the convention, by hand, and intervals that cover what they say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dmm.risk.var import (
    InsufficientData,
    Interval,
    TailRisk,
    cvar_interval,
    simulated_pnl,
    tail_risk,
    var_interval,
)
from dmm.units.errors import UsageFault


def figures(pnl: list[int], level_bps: int) -> tuple[int, int]:
    found = tail_risk(pnl, level_bps=level_bps)
    assert isinstance(found, TailRisk)
    return found.var_atoms, found.cvar_atoms


def test_a_tail_thinner_than_one_scenario_is_not_guessed() -> None:
    assert tail_risk(range(99), level_bps=9_900) == InsufficientData(
        scenarios=99, scenarios_min=100
    )
    assert isinstance(tail_risk([], level_bps=5_000), InsufficientData)


@pytest.mark.parametrize("level", [0, 10_000, -5])
def test_a_level_that_is_none_is_refused(level: int) -> None:
    with pytest.raises(UsageFault, match=f"got {level}"):
        tail_risk([1, 2, 3], level_bps=level)


@pytest.mark.parametrize(
    ("returns", "text"),
    [
        (np.array([[0.1], [np.nan]]), "nan in period 1 of asset 0"),
        (np.array([[0.1], [-1.5]]), "-1.5 in period 1 of asset 0"),
        (np.array([0.1, 0.2]), "do not fit 1 exposures"),
        (np.array([[0.1, 0.2]]), "do not fit 1 exposures"),
    ],
)
def test_returns_that_are_none_are_refused_by_place(returns: np.ndarray, text: str) -> None:
    with pytest.raises(UsageFault, match=text):
        simulated_pnl([100], returns)


def test_exposures_beyond_64_bits_are_refused() -> None:
    with pytest.raises(UsageFault, match="too large"):
        simulated_pnl([10**25], np.array([[0.1]]))


def test_var_is_a_loss_that_happened_and_cvar_the_mean_of_the_tail() -> None:
    # Losses 1 … 20. At 90 % the quantile is the 18th; beyond it lie 19 and 20: their mean is 19.5.
    losses = [-loss for loss in range(1, 21)]
    assert figures(losses, 9_000) == (18, 20)
    # At 93 % rank ⌈18.6⌉ = 19: (20 + 0.4·19) / 1.4 = 19.714…, rounded up.
    assert figures(losses, 9_300) == (19, 20)
    # The same by a thousand, so that nothing hides in the rounding.
    assert figures([1_000 * pnl for pnl in losses], 9_300) == (19_000, 19_715)
    assert figures([1_000 * pnl for pnl in losses], 9_000) == (18_000, 19_500)


def test_a_book_that_cannot_lose_has_a_negative_figure() -> None:
    assert figures(list(range(1, 21)), 9_000) == (-3, -1)


def test_the_order_of_scenarios_does_not_matter() -> None:
    pnl = [7, -3, 12, -41, 5, 0, -8, 2, 9, -17]
    assert figures(pnl, 8_000) == figures(sorted(pnl), 8_000) == (8, 29)


def test_exposures_meet_returns_row_by_row_and_round_against_us() -> None:
    returns = np.array([[0.25, -0.5], [0.0, 0.125], [-0.1, 0.0]])
    assert simulated_pnl([1_001, -200], returns).tolist() == [350, -25, -101]
    assert simulated_pnl([], np.empty((0, 0))).tolist() == []


def test_a_normal_sample_meets_the_closed_form() -> None:
    sample = (np.random.default_rng(5).standard_normal(200_000) * 1_000_000).astype(int).tolist()
    var, cvar = figures(sample, 9_900)
    density = math.exp(-(2.326347874**2) / 2) / math.sqrt(2 * math.pi)
    assert var / 1e6 == pytest.approx(2.326347874, rel=0.01)
    assert cvar / 1e6 == pytest.approx(density / 0.01, rel=0.01)


def test_an_interval_from_too_short_a_sample_is_not_given() -> None:
    assert var_interval(list(range(50)), level_bps=9_900) is None


def test_order_statistics_bound_the_median_as_tables_say() -> None:
    # n = 10, median: the 2nd and 9th of ten cover it with 1 − 22/1024 = 97.85 %, the 3rd and 8th
    # with 89.06 % only: sums of binomial coefficients over 2¹⁰.
    found = var_interval([-loss for loss in range(1, 11)], level_bps=5_000)
    assert found == Interval(low_atoms=2, high_atoms=9, confidence_bps=9_785)


def test_the_var_interval_covers_the_true_quantile_as_often_as_it_says() -> None:
    rng = np.random.default_rng(11)
    hits = 0
    rounds = 400
    for _ in range(rounds):
        sample = (rng.exponential(size=400) * -1_000_000).astype(int).tolist()
        found = var_interval(sample, level_bps=9_500)
        assert found is not None
        hits += found.low_atoms <= 1_000_000 * math.log(20) <= found.high_atoms
    # 95 % asked for, a little more given; four standard errors are 4.4 %.
    assert 0.92 <= hits / rounds <= 0.995


def test_the_bootstrap_interval_holds_its_estimate_and_repeats_with_its_seed() -> None:
    sample = (np.random.default_rng(2).standard_normal(500) * 10_000).astype(int).tolist()
    _, cvar = figures(sample, 9_500)
    first, second = (
        cvar_interval(sample, level_bps=9_500, rng=np.random.default_rng(9), block_scenarios=5)
        for _ in range(2)
    )
    assert isinstance(first, Interval)
    assert first == second
    assert first.low_atoms < cvar < first.high_atoms


def test_clustered_losses_widen_the_interval_when_blocks_are_drawn() -> None:
    rng = np.random.default_rng(4)
    clustered = np.repeat((rng.standard_normal(50) * 10_000).astype(int), 20).tolist()

    def width(block: int) -> int:
        found = cvar_interval(
            clustered, level_bps=9_000, rng=np.random.default_rng(1), block_scenarios=block
        )
        assert isinstance(found, Interval)
        return found.high_atoms - found.low_atoms

    assert width(20) > 2 * width(1)


def test_a_bootstrap_of_too_few_scenarios_is_not_given() -> None:
    found = cvar_interval([1, 2], level_bps=9_900, rng=np.random.default_rng(1))
    assert isinstance(found, InsufficientData)


@pytest.mark.parametrize(("block", "resamples"), [(0, 10), (101, 10), (1, 0), (1, 10_001)])
def test_a_bootstrap_without_sense_is_refused(block: int, resamples: int) -> None:
    with pytest.raises(UsageFault, match=f"got {block} and {resamples}"):
        cvar_interval(
            list(range(100)),
            level_bps=9_000,
            rng=np.random.default_rng(1),
            block_scenarios=block,
            resamples=resamples,
        )

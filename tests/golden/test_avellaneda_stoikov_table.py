"""The paper's simulation; source: shared/truth/as2008_table.json (table 1, 200,000 own paths)."""

from __future__ import annotations

import math
from functools import cache

import pytest

from dmm.simulation.paper_table import PaperTable, StrategyRow, simulate_table

PATHS, REFERENCE_PATHS, PUBLISHED_PATHS = 50_000, 200_000, 1_000
STRATEGIES = ("inventory", "symmetric")
# strategy: spread, profit, its deviation, deviation of the final inventory
REFERENCE = {
    "inventory": (1.4918, 64.91, 6.55, 2.92),
    "symmetric": (1.4918, 68.30, 13.48, 8.39),
}
# strategy: spread, profit, its deviation, final inventory, its deviation
PUBLISHED = {
    "inventory": (1.49, 65.0, 6.6, 0.08, 2.9),
    "symmetric": (1.49, 68.4, 12.7, 0.26, 8.4),
}


@cache
def table() -> PaperTable:
    return simulate_table(gamma=0.1, paths=PATHS, seed=2008)


def row(strategy: str) -> StrategyRow:
    found: StrategyRow = getattr(table(), strategy)
    return found


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_reference_is_met_within_four_standard_errors(strategy: str) -> None:
    spread, profit, deviation, inventory_deviation = REFERENCE[strategy]
    ours = row(strategy)
    both = math.sqrt(1 / PATHS + 1 / REFERENCE_PATHS)
    assert ours.spread == pytest.approx(spread, abs=5e-5)
    # Half a unit of the last printed digit comes on top of the sampling error.
    assert ours.profit_mean == pytest.approx(profit, abs=4 * deviation * both + 0.005)
    # The error of a standard deviation is s/√(2n) for a normal sample, more with fat tails.
    assert ours.profit_std == pytest.approx(deviation, abs=4 * deviation * both + 0.005)
    assert ours.final_q_mean == pytest.approx(0, abs=4 * inventory_deviation / math.sqrt(PATHS))
    assert ours.final_q_std == pytest.approx(
        inventory_deviation, abs=4 * inventory_deviation * both + 0.005
    )


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_published_sample_is_one_that_ours_could_have_drawn(strategy: str) -> None:
    spread, profit, deviation, final_q, inventory_deviation = PUBLISHED[strategy]
    ours = row(strategy)
    assert ours.spread == pytest.approx(spread, abs=5e-3)
    error = 3 * ours.profit_std / math.sqrt(PUBLISHED_PATHS)
    assert ours.profit_mean == pytest.approx(profit, abs=error)
    assert ours.profit_std == pytest.approx(deviation, rel=0.08)
    assert final_q == pytest.approx(0, abs=3 * ours.final_q_std / math.sqrt(PUBLISHED_PATHS))
    assert ours.final_q_std == pytest.approx(inventory_deviation, rel=0.08)


@pytest.mark.parametrize("gamma", [0.01, 0.1, 0.5])
def test_the_spread_is_the_time_average_of_the_formula(gamma: float) -> None:
    # mean of T−t over t = 0, dt, …, T−dt is (1 + dt)/2
    expected = gamma * 4 * 1.005 / 2 + 2 / gamma * math.log(1 + gamma / 1.5)
    few = simulate_table(gamma=gamma, paths=2, seed=5)
    assert few.inventory.spread == pytest.approx(expected, rel=1e-12)
    assert few.symmetric.spread == few.inventory.spread


def test_more_risk_aversion_leaves_less_inventory_and_less_profit() -> None:
    rows = [
        simulate_table(gamma=gamma, paths=4_000, seed=9).inventory for gamma in (0.01, 0.1, 0.5)
    ]
    assert rows[0].final_q_std > rows[1].final_q_std > rows[2].final_q_std
    assert rows[0].profit_mean > rows[1].profit_mean > rows[2].profit_mean

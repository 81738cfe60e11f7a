from __future__ import annotations

import json
import math

import numpy as np
import pytest

from dmm.simulation.experiment.blocks import BLOCK_NS, BlockResults
from dmm.simulation.experiment.performance import (
    annualised,
    inventory_variance_at_volume,
    max_drawdown,
    moments,
    performance,
    sharpe_ratios,
)
from dmm.units.errors import UsageFault


def run(**columns: list[int]) -> BlockResults:
    filled = {
        "pnl_atoms": [30, -50, 20, 60],
        "markout_atoms": [25, -15, 30, 20],
        "fees_atoms": [3, 2, 4, -1],
        "volume_atoms": [20_000, 10_000, 30_000, 40_000],
        "inventory_lots": [2, 5, -1, 4],
        "fills": [2, 1, 3, 4],
        "orders": [5, 6, 7, 7],
    } | columns
    return BlockResults(**{name: np.array(values) for name, values in filled.items()})


def test_figures_are_those_worked_out_on_paper() -> None:
    found = performance(run())
    assert found.blocks == 4
    assert found.pnl_atoms == 60
    assert found.volume_atoms == 100_000
    assert (found.fees_atoms, found.fills) == (8, 10)
    # Mean 15; squares of 15, −65, 5, 45 add up to 6,500.
    assert found.sharpe_per_block == pytest.approx(15 / math.sqrt(6_500 / 3))
    # 60 over 100,000 is 6 bps, twice that before fees; 52 after fees.
    assert found.realised_spread_bps == pytest.approx(12.0)
    assert found.markout_net_bps == pytest.approx(5.2)
    assert found.fill_ratio == pytest.approx(0.4)
    # Mean 2.5; squares of −0.5, 2.5, −3.5, 1.5 add up to 21.
    assert found.inventory_variance_lots2 == pytest.approx(21 / 4)
    assert found.max_drawdown_atoms == 50


def test_a_run_without_trades_has_no_figures_rather_than_false_ones() -> None:
    idle = dict.fromkeys(
        ("pnl_atoms", "markout_atoms", "fees_atoms", "volume_atoms", "fills", "orders"), [0] * 4
    )
    found = performance(run(**idle, inventory_lots=[3] * 4))
    assert found.sharpe_per_block is None
    assert found.sharpe_per_year is None
    assert found.realised_spread_bps is None
    assert found.markout_net_bps is None
    assert found.fill_ratio is None
    assert found.skew is None
    assert found.inventory_variance_lots2 == 0
    assert "NaN" not in json.dumps(found.to_json())


def test_a_run_of_one_block_has_no_ratio() -> None:
    with pytest.raises(UsageFault, match="needs 2 to"):
        performance(run(**{name: [1] for name in run().__dataclass_fields__ if name != "block_ns"}))


@pytest.mark.parametrize(
    ("pnl", "fall"),
    [([5, 7], 0), ([-4, 2, -3], 5), ([10, -4, 3, -8, 20], 9), ([-7], 7)],
)
def test_a_drawdown_is_measured_from_the_highest_point_before(pnl: list[int], fall: int) -> None:
    assert max_drawdown(np.array(pnl)) == fall


def test_large_amounts_are_summed_exactly() -> None:
    pnl = np.array([2**60, -(2**60) - 3, 2])
    assert max_drawdown(pnl) == 2**60 + 3


def test_moments_are_those_worked_out_on_paper() -> None:
    # Values 2, 2, 2, 6: mean 3, squares 1, 1, 1, 9 → m₂ 3, m₃ (−3+27)/4 = 6, m₄ (3+81)/4 = 21.
    skew, kurtosis = moments(np.array([2.0, 2.0, 2.0, 6.0])) or (0, 0)
    assert skew == pytest.approx(6 / 3**1.5)
    assert kurtosis == pytest.approx(21 / 9)


def test_ratios_of_sets_that_do_not_vary_are_none() -> None:
    ratios = sharpe_ratios(np.array([[1.0, 4.0], [1.0, 8.0], [1.0, 6.0]]))
    assert math.isnan(ratios[0])
    assert ratios[1] == pytest.approx(3.0)


def test_a_year_has_as_many_blocks_as_it_says() -> None:
    # 365·86,400/10 = 3,153,600 blocks of ten seconds.
    assert annualised(0.002, block_ns=BLOCK_NS) == pytest.approx(0.002 * math.sqrt(3_153_600))
    assert annualised(0.1, block_ns=3, year_ns=75) == pytest.approx(0.5)
    with pytest.raises(UsageFault, match="lengths must be positive"):
        annualised(1.0, block_ns=0)


def test_a_position_is_compared_at_equal_volume() -> None:
    # At a quarter of the volume the position is a quarter, its variance a sixteenth.
    found = inventory_variance_at_volume(run(), volume_atoms=25_000)
    assert found == pytest.approx(21 / 4 / 16)
    assert inventory_variance_at_volume(run(volume_atoms=[0] * 4), volume_atoms=9) is None
    with pytest.raises(UsageFault, match="must be positive, got 0"):
        inventory_variance_at_volume(run(), volume_atoms=0)

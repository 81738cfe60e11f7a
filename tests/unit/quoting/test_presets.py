"""The default policy follows its market."""

from __future__ import annotations

import pytest
from trading_values import INSTRUMENTS, LINEAR, depth

from dmm.market.instrument import Instrument
from dmm.quoting.presets import paper_cex_policy, scale_of
from dmm.units.errors import UsageFault


def test_a_snapshot_with_an_empty_side_gives_no_scale() -> None:
    with pytest.raises(UsageFault, match="empty side"):
        scale_of(depth(0, [(100, 5)], [(101, 0)], is_snapshot=True))


def test_the_scale_is_the_mid_and_the_median_displayed_size() -> None:
    scale = scale_of(depth(0, [(99, 7), (100, 500)], [(103, 20), (104, 9)], is_snapshot=True))
    assert (scale.mid, scale.typical_size) == (203, 9)


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda instrument: instrument.symbol)
def test_the_default_policy_is_consistent(instrument: Instrument) -> None:
    snapshot = depth(0, [(618_002, 30)], [(618_003, 40)], is_snapshot=True)
    policy = paper_cex_policy(
        instrument, scale_of(snapshot), reward_budget_atoms=5, buyback_budget_atoms_max=6
    )
    assert policy.quote_size_lots == 30
    assert 0 < policy.hedge_threshold_lots < policy.inventory_soft_lots < policy.inventory_hard_lots
    assert policy.spread_floor_ubps == 200_000
    assert policy.drawdown_atoms_max > 0


def test_fees_raise_the_floor_and_a_rebate_does_not_lower_it() -> None:
    scale = scale_of(depth(0, [(618_002, 3)], [(618_003, 4)], is_snapshot=True))
    floors = [
        paper_cex_policy(
            LINEAR,
            scale,
            reward_budget_atoms=0,
            buyback_budget_atoms_max=0,
            maker_fee_ubps=fee,
        ).spread_floor_ubps
        for fee in (2_000_000, -1_000_000)
    ]
    assert floors == [4_200_000, 200_000]

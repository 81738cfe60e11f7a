"""The default policy follows its market."""

from __future__ import annotations

import pytest
from trading_values import INSTRUMENTS, LINEAR, depth

from dmm.governance.policy import Policy
from dmm.market.instrument import Instrument
from dmm.quoting.presets import Preset, VenueKind, paper_cex_policy, preset_policy, scale_of
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


def preset(which: Preset, venue: VenueKind, *, fee: int = 0, float_lots: int = 0) -> Policy:
    snapshot = depth(0, [(618_002, 30)], [(618_003, 40)], is_snapshot=True)
    return preset_policy(
        which,
        venue,
        LINEAR,
        scale_of(snapshot),
        reward_budget_atoms=1_000,
        buyback_budget_atoms_max=0,
        fee_ubps=fee,
        float_lots=float_lots,
    )


@pytest.mark.parametrize("venue", list(VenueKind))
def test_presets_move_rewards_floors_and_hedge_thresholds_together(venue: VenueKind) -> None:
    bold, steady, careful = (preset(which, venue) for which in Preset)
    assert bold.reward_budget_atoms > steady.reward_budget_atoms > careful.reward_budget_atoms
    assert bold.spread_floor_ubps < steady.spread_floor_ubps < careful.spread_floor_ubps
    assert bold.hedge_threshold_lots > steady.hedge_threshold_lots > careful.hedge_threshold_lots
    assert bold.gamma_nano_per_bp < steady.gamma_nano_per_bp < careful.gamma_nano_per_bp
    assert bold.inventory_hard_lots > steady.inventory_hard_lots > careful.inventory_hard_lots


def test_the_ton_floor_is_fees_three_basis_points_and_a_gas_cushion_of_two_to_five() -> None:
    ton = preset(Preset.STEADY, VenueKind.TON_DEX, fee=30_000_000)
    assert ton.floor_fee_ubps == 60_000_000
    assert (ton.floor_gas_ubps, ton.floor_gas_ubps_max) == (2_000_000, 5_000_000)
    assert ton.spread_floor_ubps == 65_000_000
    assert (ton.refresh_ms, ton.refresh_ms * ton.gas_stretch_bps_max // 10_000) == (1_000, 3_000)


def test_a_governed_float_bounds_the_limits_at_four_and_six_percent() -> None:
    governed = preset(Preset.STEADY, VenueKind.TON_DEX, float_lots=2_000)
    assert (governed.soft_long_lots, governed.hard_long_lots) == (80, 120)

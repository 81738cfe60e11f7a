"""The four rows of the quote optimisation checklist, each on the decision that would be sent."""

from __future__ import annotations

import pytest
from decision_values import decision_inputs
from trading_values import LINEAR, depth

from dmm.governance.policy import Policy
from dmm.market.instrument import Side
from dmm.quoting.decide import decide
from dmm.quoting.decision import Decision
from dmm.quoting.presets import Preset, VenueKind, preset_policy, scale_of

SIZE = 40
MID_TICKS = 618_002.5
CALM_SIGMA, LIVELY_SIGMA = 50_000_000, 150_000_000  # 0.81 and 2.43 bps over one second
KAPPA = 8_090_000  # 0.5 per basis point


def ton_policy() -> Policy:
    snapshot = depth(0, [(618_002, SIZE)], [(618_003, SIZE)], is_snapshot=True)
    return preset_policy(
        Preset.STEADY,
        VenueKind.TON_DEX,
        LINEAR,
        scale_of(snapshot),
        reward_budget_atoms=1_000,
        buyback_budget_atoms_max=0,
    )


def decided(*, sigma: int = CALM_SIGMA, **changes: object) -> Decision:
    inputs = decision_inputs(
        estimated_sigma_microticks=sigma,
        online_sigma_microticks=sigma,
        estimated_kappa_nano=changes.pop("kappa", KAPPA),
        **changes,
    )
    return decide(inputs, policy=ton_policy(), instrument=LINEAR)


def spread_bps(decision: Decision) -> float:
    return 2 * decision.half_spread_microticks / 1e6 / MID_TICKS * 1e4


def lots(decision: Decision, side: Side) -> int:
    return sum(quote.size for quote in decision.quotes if quote.side is side)


def test_calm_and_balanced_shrinks_the_floor_by_one_to_two_basis_points() -> None:
    # κ so high that the floor binds: 3 bps margin and 2 bps gas, the margin cut while calm.
    kappa = 10**12
    calm, lively = decided(kappa=kappa), decided(kappa=kappa, sigma=LIVELY_SIGMA)
    loaded = decided(kappa=kappa, inventory=70)
    assert spread_bps(lively) == pytest.approx(5.0, rel=1e-4)
    assert 1.0 <= spread_bps(lively) - spread_bps(calm) <= 2.0
    assert spread_bps(loaded) == pytest.approx(5.0, rel=1e-4)


def test_calm_and_balanced_lowers_the_risk_aversion() -> None:
    sigma = 600_000_000

    def per_lot(inventory: int) -> float:
        moved = decided(sigma=sigma, inventory=inventory)
        return (moved.fair_microticks - moved.reservation_microticks) / inventory

    # Up to 0.3 of the soft limit of 200 half of γ holds, all of it at the limit, twice at the hard.
    assert per_lot(60) == pytest.approx(per_lot(10), rel=1e-6)
    assert per_lot(200) == pytest.approx(2 * per_lot(60), rel=1e-6)
    assert per_lot(60) < per_lot(130) < per_lot(200) < per_lot(300)
    assert per_lot(399) == pytest.approx(4 * per_lot(60), rel=0.01)


@pytest.mark.parametrize("sign", [1, -1])
def test_near_the_soft_limit_the_adding_side_stands_30_to_50_percent_of_the_spread_further_off(
    sign: int,
) -> None:
    policy = ton_policy()
    near = decided(inventory=sign * policy.inventory_soft_lots)
    pull = abs(near.shift_microticks) - policy.skew_beta_ubps * MID_TICKS / 1e4
    share = pull / (2 * near.half_spread_microticks)
    assert near.shift_microticks * sign > 0
    assert 0.3 <= share <= 0.5
    # It goes on quoting both sides.
    assert lots(near, Side.BUY) > 0
    assert lots(near, Side.SELL) > 0


def test_toxic_flow_widens_by_one_plus_tau_for_as_many_cycles() -> None:
    cool = decided()
    cycles = ton_policy().toxicity_cycles
    seen = []
    for _ in range(cycles + 1):
        after = decided(toxic_cycles_before=cycles)
        seen.append(after.half_spread_microticks / cool.half_spread_microticks)
        cycles = after.toxic_cycles_left
    assert seen[:-1] == pytest.approx([1.5] * (len(seen) - 1), rel=1e-6)
    assert seen[-1] == 1.0


def test_a_gas_spike_lengthens_the_cadence_and_shrinks_the_tiers_without_leaving_the_book() -> None:
    normal, spike = decided(), decided(gas_ratio_bps=25_000)
    assert (normal.refresh_ms, spike.refresh_ms) == (1_000, 2_500)
    for side in Side:
        assert lots(normal, side) == SIZE
        assert lots(spike, side) == SIZE // 2
        assert len([quote for quote in spike.quotes if quote.side is side]) == 3
    assert decided(gas_ratio_bps=90_000).refresh_ms == 3_000


def test_a_gas_spike_raises_the_gas_cushion_to_five_basis_points_at_the_most() -> None:
    floors = [
        spread_bps(decided(kappa=10**12, sigma=LIVELY_SIGMA, gas_ratio_bps=ratio))
        for ratio in (10_000, 20_000, 90_000)
    ]
    assert floors == pytest.approx([5.0, 7.0, 8.0], rel=1e-4)

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmm.adapters.evm.fees import FeeCaps, burn_fees, fees
from dmm.settlement.lifecycle import BUMP_MAX, BURN_BUMP_MAX
from dmm.units.errors import Permanent


def test_the_ladder_of_a_cap_of_200_gwei() -> None:
    caps = FeeCaps.from_gwei(fee_max=200, tip=2)
    ladder = [fees(caps, bump=bump) for bump in range(BUMP_MAX + 1)]
    assert [fee // 10**6 for fee, _ in ladder] == [140_466, 158_024, 177_777, 200_000]
    assert [tip for _, tip in ladder] == [
        2_000_000_000,
        2_250_000_000,
        2_531_250_000,
        2_847_656_250,
    ]


@given(cap=st.integers(10, 10_000), tip=st.integers(1, 5))
def test_every_bump_raises_both_by_an_eighth_and_none_exceeds_the_cap(cap: int, tip: int) -> None:
    caps = FeeCaps.from_gwei(fee_max=cap, tip=tip)
    ladder = [fees(caps, bump=bump) for bump in range(BUMP_MAX + 1)]
    for (fee, tips), (higher_fee, higher_tips) in itertools.pairwise(ladder):
        assert 8 * higher_fee >= 9 * fee
        assert 8 * higher_tips >= 9 * tips
    assert all(tips <= fee <= caps.fee_wei_max for fee, tips in ladder)
    assert ladder[-1][0] == caps.fee_wei_max


@pytest.mark.parametrize("bump", [-1, BUMP_MAX + 1])
def test_a_bump_outside_the_ladder_is_refused(bump: int) -> None:
    with pytest.raises(Permanent, match="bump must be in"):
        fees(FeeCaps.from_gwei(fee_max=200, tip=1), bump=bump)


def test_burns_go_on_where_payments_end_each_an_eighth_more_up_to_their_own_cap() -> None:
    caps = FeeCaps.from_gwei(fee_max=200, tip=2)
    ladder = [burn_fees(caps, bump=bump) for bump in range(BURN_BUMP_MAX + 1)]
    assert ladder[: BUMP_MAX + 1] == [fees(caps, bump=bump) for bump in range(BUMP_MAX + 1)]
    for (fee, tip), (higher_fee, higher_tip) in itertools.pairwise(ladder):
        assert 8 * higher_fee >= 9 * fee
        assert 8 * higher_tip >= 9 * tip
    assert ladder[-1][0] // 10**6 == 320_361
    assert ladder[-1][0] < 2 * caps.fee_wei_max


@pytest.mark.parametrize("bump", [-1, BURN_BUMP_MAX + 1])
def test_a_burn_outside_its_ladder_is_refused(bump: int) -> None:
    with pytest.raises(Permanent, match="burn's bump must be in"):
        burn_fees(FeeCaps.from_gwei(fee_max=200, tip=1), bump=bump)

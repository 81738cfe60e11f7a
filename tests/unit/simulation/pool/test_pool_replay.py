"""Positions over a few minutes, worked out by hand, and what is refused."""

from __future__ import annotations

import pytest

from dmm.market.series import PoolMinute
from dmm.simulation.pool.liquidity import (
    Range,
    liquidity_for,
    loss_against_holding,
    range_loss_against_holding,
    root_at,
)
from dmm.simulation.pool.replay import PoolTerms, PositionSet, replay_pool
from dmm.units.amount import Atoms
from dmm.units.errors import UsageFault
from dmm.units.time import NS_PER_S, Nanos

TERMS = PoolTerms(fee_ppm=3_000, decimals0=6, decimals1=6)
DEPOSIT = PositionSet(deposit_atoms0=Atoms(2_000_000_000), half_ticks=100)


def minute(
    number: int, open_tick: int, close_tick: int, *, paid: int = 0, liquidity: int = 0
) -> PoolMinute:
    return PoolMinute(
        at_ns=Nanos(number * 60 * NS_PER_S),
        open_tick=open_tick,
        close_tick=close_tick,
        lowest_tick=min(open_tick, close_tick),
        highest_tick=max(open_tick, close_tick),
        liquidity=liquidity,
        net_amount0=Atoms(paid),
        net_amount1=Atoms(0),
        in_amount0=Atoms(paid),
        in_amount1=Atoms(0),
    )


def test_fewer_than_two_minutes_are_refused() -> None:
    with pytest.raises(UsageFault, match="2 minutes"):
        replay_pool([minute(0, 0, 0)], [DEPOSIT], terms=TERMS)
    with pytest.raises(UsageFault, match="2 minutes"):
        replay_pool([], [DEPOSIT], terms=TERMS)


def test_no_position_and_impossible_ones_are_refused() -> None:
    with pytest.raises(UsageFault, match="got 0"):
        replay_pool([minute(0, 0, 0)], [], terms=TERMS)
    with pytest.raises(UsageFault, match="deposit above 0"):
        PositionSet(deposit_atoms0=Atoms(0))
    with pytest.raises(UsageFault, match="half_ticks"):
        PositionSet(deposit_atoms0=Atoms(1), half_ticks=-1)
    with pytest.raises(UsageFault, match="fee"):
        PoolTerms(fee_ppm=1_000_000, decimals0=6, decimals1=6)
    with pytest.raises(UsageFault, match="must rise"):
        Range(lower=5, upper=5)
    with pytest.raises(UsageFault, match="no pool's"):
        root_at(887_273)
    with pytest.raises(UsageFault, match="positive number"):
        loss_against_holding(0)
    with pytest.raises(UsageFault, match="below"):
        range_loss_against_holding(1.1, below=1.2, above=1.5)


def test_alone_in_the_pool_a_position_earns_the_whole_fee() -> None:
    one = replay_pool([minute(0, 0, 0), minute(1, 0, 0, paid=7_000_000)], [DEPOSIT], terms=TERMS)[0]
    assert one.fees == 21_000
    assert one.impermanent == 0
    assert one.pnl == 21_000


def test_beside_as_much_liquidity_it_earns_half_and_half_of_a_way_half_in_its_range() -> None:
    own = liquidity_for(DEPOSIT.deposit_atoms0, span=Range(lower=-100, upper=100), root=root_at(0))
    both = [minute(0, 0, 0), minute(1, 0, 0, paid=7_000_000, liquidity=own)]
    assert replay_pool(both, [DEPOSIT], terms=TERMS)[0].fees == 10_500
    # Ticks 0 to 99 of 0 to 199 lie in the range.
    leaving = [minute(0, 0, 0), minute(1, 0, 199, paid=7_000_000, liquidity=own)]
    one = replay_pool(leaving, [DEPOSIT], terms=TERMS)[0]
    assert one.fees == 5_250
    outside = [*leaving, minute(2, 199, 250, paid=7_000_000, liquidity=own)]
    after = replay_pool(outside, [DEPOSIT], terms=TERMS)[0]
    assert (after.fees, after.minutes_active) == (5_250, 1)


def test_the_deposit_minute_earns_nothing() -> None:
    path = [minute(0, 0, 0, paid=10**12), minute(1, 0, 0)]
    assert replay_pool(path, [DEPOSIT], terms=TERMS)[0].fees == 0


def test_a_range_left_behind_is_laid_anew_at_the_cost_of_swap_and_gas() -> None:
    position = PositionSet(
        deposit_atoms0=Atoms(2_000_000_000),
        half_ticks=100,
        recentre_minutes=2,
        gas_atoms0=Atoms(300),
    )
    path = [minute(0, 0, 0), minute(1, 0, 150), minute(2, 150, 160), minute(3, 160, 160)]
    one = replay_pool(path, [position], terms=TERMS)[0]
    assert one.recentred == 1
    # Above its range it holds token 1 only: about half of it is swapped at 3,000 ppm.
    assert one.costs == pytest.approx(300 + 0.003 * one.value_last / 2, rel=0.02)
    assert one.pnl == one.holding + one.impermanent - one.costs
    left = replay_pool(path, [DEPOSIT], terms=TERMS)[0]
    assert left.recentred == left.costs == 0


def test_blocks_add_up_to_the_whole() -> None:
    path = [minute(n, 3 * n, 3 * n + 3, paid=1_000_003 * n, liquidity=10**9) for n in range(13)]
    one = replay_pool(path, [DEPOSIT], terms=TERMS, block_minutes=4)[0]
    assert one.blocks.blocks == 3
    assert int(one.blocks.pnl_atoms.sum()) == one.pnl
    assert -int(one.blocks.fees_atoms.sum()) == one.fees
    assert int(one.blocks.markout_atoms.sum()) == one.rebalancing

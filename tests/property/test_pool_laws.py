"""Laws of liquidity positions: nothing is made from nothing, and profit adds up to the atom."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from dmm.market.series import PoolMinute
from dmm.simulation.pool.liquidity import (
    EVERYWHERE,
    Range,
    holding,
    liquidity_for,
    root_at,
)
from dmm.simulation.pool.replay import PoolTerms, PositionOutcome, PositionSet, replay_pool
from dmm.units.amount import Atoms
from dmm.units.time import NS_PER_S, Nanos

TERMS = PoolTerms(fee_ppm=500, decimals0=6, decimals1=18)
TICKS = st.integers(195_000, 207_000)


@st.composite
def spans(draw: st.DrawFn) -> Range:
    lower = draw(TICKS)
    return Range(lower=lower, upper=lower + draw(st.integers(1, 8_000)))


def minute(number: int, open_tick: int, close_tick: int, **changes: int) -> PoolMinute:
    given_fields = {
        "lowest_tick": min(open_tick, close_tick),
        "highest_tick": max(open_tick, close_tick),
        "liquidity": 4 * 10**17,
        "net_amount0": 0,
        "net_amount1": 0,
        "in_amount0": 31_415_926_535,
        "in_amount1": 27 * 10**18,
        **changes,
    }
    return PoolMinute(
        at_ns=Nanos(number * 60 * NS_PER_S),
        open_tick=open_tick,
        close_tick=close_tick,
        **given_fields,  # type: ignore[arg-type]
    )


@st.composite
def paths(draw: st.DrawFn) -> list[PoolMinute]:
    tick = 201_000
    made = []
    for number in range(draw(st.integers(2, 40))):
        close = tick + draw(st.integers(-300, 300))
        paid = draw(st.sampled_from((0, 17, 31_415_926_535)))
        made.append(minute(number, tick, close, in_amount0=paid))
        tick = close
    return made


POSITIONS = st.builds(
    PositionSet,
    deposit_atoms0=st.integers(1_000, 10**13),
    half_ticks=st.sampled_from((0, 60, 400)),
    recentre_minutes=st.sampled_from((0, 1, 5)),
    gas_atoms0=st.sampled_from((0, 50_000)),
)


@given(value=st.integers(0, 10**15), span=spans() | st.just(EVERYWHERE), tick=TICKS)
def test_a_deposit_never_takes_more_than_the_sum_and_comes_out_no_larger(
    value: int, span: Range, tick: int
) -> None:
    root = root_at(tick)
    liquidity = liquidity_for(Atoms(value), span=span, root=root)
    asked = holding(liquidity, span=span, root=root, is_paid_in=True)
    back = holding(liquidity, span=span, root=root)
    assert asked.value0(root) <= value
    assert back.amount0 <= asked.amount0 <= back.amount0 + 1
    assert back.amount1 <= asked.amount1 <= back.amount1 + 1


@given(span=spans(), low=TICKS, rise=st.integers(0, 3_000), liquidity=st.integers(0, 10**24))
def test_a_rising_price_sells_token_0_for_token_1(
    span: Range, low: int, rise: int, liquidity: int
) -> None:
    before = holding(liquidity, span=span, root=root_at(low))
    after = holding(liquidity, span=span, root=root_at(low + rise))
    assert after.amount0 <= before.amount0
    assert after.amount1 >= before.amount1


@given(path=paths(), position=POSITIONS)
def test_profit_is_holding_and_loss_against_it_and_fees_less_costs(
    path: list[PoolMinute], position: PositionSet
) -> None:
    one = replay_pool(path, [position], terms=TERMS, block_minutes=7)[0]
    assert one.pnl == one.holding + one.impermanent + one.fees - one.costs
    assert one.value_last + one.fees - one.value_first == one.pnl


@given(path=paths(), half_ticks=st.sampled_from((0, 60, 400)))
def test_a_position_left_alone_is_never_worth_more_than_its_deposit_held(
    path: list[PoolMinute], half_ticks: int
) -> None:
    position = PositionSet(deposit_atoms0=Atoms(10**11), half_ticks=half_ticks)
    one = replay_pool(path, [position], terms=TERMS)[0]
    # Amounts come out rounded down, worth is rounded down: never more than two atoms above.
    assert one.impermanent <= 2
    assert one.rebalancing <= len(path)


@given(path=paths(), position=POSITIONS)
def test_where_the_price_comes_back_to_nothing_is_lost_against_holding(
    path: list[PoolMinute], position: PositionSet
) -> None:
    position = replace(position, recentre_minutes=0, deposit_atoms0=Atoms(10**11))
    back = minute(len(path), path[-1].close_tick, path[0].close_tick)
    one = replay_pool([*path, back], [position], terms=TERMS)[0]
    assert abs(one.impermanent) <= 3


@given(path=paths(), position=POSITIONS, change=st.integers(-250, 250))
def test_what_comes_later_changes_nothing_before_it(
    path: list[PoolMinute], position: PositionSet, change: int
) -> None:
    last = path[-1]
    other = [*path[:-1], minute(len(path) - 1, last.open_tick, last.close_tick + change)]

    def seen(minutes: list[PoolMinute]) -> PositionOutcome:
        return replay_pool(minutes, [position], terms=TERMS, block_minutes=1)[0]

    first, second = seen(path).blocks, seen(other).blocks
    assert first.pnl_atoms[:-1].tolist() == second.pnl_atoms[:-1].tolist()
    assert first.fees_atoms[:-1].tolist() == second.fees_atoms[:-1].tolist()


@given(path=paths(), position=POSITIONS, other=POSITIONS)
def test_positions_replayed_together_are_what_they_are_alone(
    path: list[PoolMinute], position: PositionSet, other: PositionSet
) -> None:
    alone = replay_pool(path, [position], terms=TERMS)[0].to_json()
    assert replay_pool(path, [other, position], terms=TERMS)[1].to_json() == alone

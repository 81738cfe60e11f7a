"""Loss of a constant-product position against holding; source: shared/truth/impermanent_loss.json.

Uniswap v2 documentation, "Understanding Returns": the table by price ratio, and the worked pool of
100 ETH and 10,000 DAI whose price goes from 100 to 120.
"""

from __future__ import annotations

import math

import pytest

from dmm.simulation.pool.liquidity import (
    EVERYWHERE,
    Q96,
    Holding,
    Range,
    holding,
    loss_against_holding,
    range_loss_against_holding,
    root_at,
)

PUBLISHED = [(1.25, 0.6), (1.5, 2.0), (1.75, 3.8), (2, 5.7), (3, 13.4), (4, 20.0), (5, 25.5)]


@pytest.mark.parametrize(("ratio", "percent"), PUBLISHED)
def test_the_published_losses_are_met_in_both_directions(ratio: float, percent: float) -> None:
    assert -100 * loss_against_holding(ratio) == pytest.approx(percent, abs=0.05)
    assert loss_against_holding(1 / ratio) == pytest.approx(loss_against_holding(ratio), abs=1e-12)


@pytest.mark.parametrize(("ratio", "percent"), PUBLISHED)
def test_positions_in_whole_atoms_lose_what_the_formula_says(ratio: float, percent: float) -> None:
    start = 3 * Q96
    now = start * math.isqrt(round(ratio * 10**24)) // 10**12
    liquidity = 7 * 10**24
    put = holding(liquidity, span=EVERYWHERE, root=start)
    held, kept = (one.value0(now) for one in (holding(liquidity, span=EVERYWHERE, root=now), put))
    assert 100 * (1 - held / kept) == pytest.approx(percent, abs=0.05)
    assert held / kept - 1 == pytest.approx(loss_against_holding(ratio), abs=1e-9)


def test_the_worked_pool_ends_with_the_published_tokens() -> None:
    # Token 0 is DAI, token 1 is ETH, 18 decimals each, so that the price is in ETH per DAI.
    unit = 10**18
    liquidity = math.isqrt(100 * unit * 10_000 * unit)
    start, now = (Q96 * 10**6 // math.isqrt(price * 10**12) for price in (100, 120))
    before, after = (holding(liquidity, span=EVERYWHERE, root=root) for root in (start, now))
    assert before.amount1 / unit == pytest.approx(100, abs=1e-4)
    assert after.amount1 / unit == pytest.approx(91.2871, abs=1e-4)
    assert after.amount0 / unit == pytest.approx(10_954.4511, abs=1e-4 * 1.01)
    share = Holding(
        amount0=type(after.amount0)(after.amount0 // 100),
        amount1=type(after.amount1)(after.amount1 // 100),
    )
    assert share.value0(now) / unit == pytest.approx(219.09, abs=5e-3)
    assert 220 - share.value0(now) / unit == pytest.approx(0.91, abs=5e-3)


# Roots of Uniswap v3 core's TickMath at its least and greatest tick, and at 0: published constants.
def test_roots_of_ticks_are_the_pools_own() -> None:
    assert root_at(0) == Q96
    assert root_at(-887_272) == pytest.approx(4_295_128_739, rel=1e-9)
    assert root_at(887_272) == pytest.approx(
        1_461_446_703_485_210_103_287_273_052_203_988_822_378_723_970_342, rel=1e-9
    )


@pytest.mark.parametrize("ratio", [0.31, 0.84, 1.27, 1.9, 5.3])
def test_a_range_loses_what_its_closed_form_says(ratio: float) -> None:
    span = Range(lower=-4_000, upper=5_500)
    below, above = 1.0001**-4_000, 1.0001**5_500
    liquidity = 10**25
    now = math.isqrt(round(ratio * 10**24) * Q96 * Q96) // 10**12
    put = holding(liquidity, span=span, root=Q96)
    held = holding(liquidity, span=span, root=now)
    expected = range_loss_against_holding(ratio, below=below, above=above)
    assert held.value0(now) / put.value0(now) - 1 == pytest.approx(expected, abs=1e-9)
    # A range loses more than all prices do: it works with more of its tokens.
    assert expected < loss_against_holding(ratio)

"""Named bad days: each part of a loss by hand, and none of them a gain by mistake."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from trading_values import INVERSE, LINEAR, levels

from dmm.risk.stress import SCENARIOS, Scenario, StressBook, StressResult, run, stress, worst
from dmm.units.amount import Lots
from dmm.units.errors import UsageFault
from dmm.units.time import NS_PER_S

BOOK = StressBook(
    instrument=LINEAR,
    inventory=Lots(30),
    bids=levels((999, 20), (998, 50)),
    asks=levels((1_001, 20), (1_002, 50)),
    sigma_microticks_1s=0,
    hold_ns=4 * NS_PER_S,
    gas_atoms=700,
    stable_atoms=1_000_001,
)
STILL = Scenario(name="still", gas_bps=0)


def parts(result: StressResult) -> tuple[int, int, int, int, int]:
    return (
        result.price_atoms,
        result.volatility_atoms,
        result.liquidation_atoms,
        result.gas_atoms,
        result.depeg_atoms,
    )


@pytest.mark.parametrize(
    "bad",
    [
        {"price_shock_bps": -9_001},
        {"sigma_bps": -1},
        {"depth_bps": -1},
        {"gas_bps": -1},
        {"depeg_ppm": -1},
        {"depeg_ppm": 1_000_001},
    ],
)
def test_a_scenario_that_cannot_be_is_refused_by_its_name(bad: dict[str, int]) -> None:
    with pytest.raises(UsageFault, match="scenario odd"):
        Scenario(name="odd", **bad)


@pytest.mark.parametrize("bad", [{"bids": ()}, {"asks": ()}, {"bids": levels((1_001, 1))}])
def test_a_book_with_one_side_or_crossed_is_not_stressed(bad: dict[str, Any]) -> None:
    with pytest.raises(UsageFault, match="BTCUSDT needs a book with both sides"):
        replace(BOOK, **bad)


def test_no_scenario_has_no_worst() -> None:
    with pytest.raises(UsageFault, match="no scenario"):
        worst([])


def test_nothing_held_loses_nothing_but_gas_and_cash() -> None:
    flat = replace(BOOK, inventory=Lots(0))
    for scenario in SCENARIOS:
        assert parts(run(flat, scenario))[:3] == (0, 0, 0)


def test_on_a_still_day_winding_down_costs_the_spread() -> None:
    # 20 lots at 1 tick and 10 at 2 ticks below the mid of 1,000; a tick times a lot is 100 atoms.
    assert parts(run(BOOK, STILL)) == (0, 0, -4_000, 0, 0)
    short = replace(BOOK, inventory=Lots(-30))
    assert parts(run(short, STILL)) == (0, 0, -4_000, 0, 0)


def test_a_fall_hurts_a_long_and_helps_a_short() -> None:
    fall = replace(STILL, price_shock_bps=-1_000)
    assert run(BOOK, fall).price_atoms == -30 * 100 * 100
    assert run(replace(BOOK, inventory=Lots(-30)), fall).price_atoms == 30 * 100 * 100


def test_levels_move_with_the_mid_and_round_against_us() -> None:
    fall = replace(STILL, price_shock_bps=-1_000)
    # Bids of 899.1 and 898.2 become 899 and 898 against a mid of 900.
    assert run(BOOK, fall).liquidation_atoms == -(20 * 1 + 10 * 2) * 100
    # Asks of 900.9 and 901.8 become 901 and 902.
    assert run(replace(BOOK, inventory=Lots(-30)), fall).liquidation_atoms == -4_000


def test_volatility_moves_the_market_against_whatever_is_held() -> None:
    # σ = 2 ticks over 1 s, 4 over 4 s; 2.326 of these at the threefold are 27.9 ticks: 55.8 half
    # ticks, rounded up to 56.
    wild = replace(BOOK, sigma_microticks_1s=2_000_000)
    tripled = replace(STILL, sigma_bps=30_000)
    assert run(wild, tripled).volatility_atoms == -30 * 28 * 100
    assert run(replace(wild, inventory=Lots(-30)), tripled).volatility_atoms == -30 * 28 * 100


def test_what_a_thin_book_does_not_show_goes_a_tenth_beyond_it() -> None:
    thin = replace(STILL, depth_bps=1_000)
    # 2 at 999, 5 at 998, and 23 at 898 (a tenth below 998, rounded down).
    assert run(BOOK, thin).liquidation_atoms == -(2 * 1 + 5 * 2 + 23 * 102) * 100
    # 2 at 1,001, 5 at 1,002, and 23 at 1,102.
    short = replace(BOOK, inventory=Lots(-30))
    assert run(short, thin).liquidation_atoms == -(2 * 1 + 5 * 2 + 23 * 102) * 100


def test_a_book_without_any_depth_is_all_beyond() -> None:
    empty = replace(STILL, depth_bps=0)
    assert run(BOOK, empty).liquidation_atoms == -30 * 102 * 100


def test_gas_and_a_stable_coin_are_losses_of_their_own() -> None:
    found = run(BOOK, replace(STILL, gas_bps=100_000, depeg_ppm=100_000))
    assert (found.gas_atoms, found.depeg_atoms) == (-7_000, -100_001)


def test_a_price_never_falls_to_nought() -> None:
    wild = replace(BOOK, sigma_microticks_1s=10**12)
    found = run(wild, replace(STILL, price_shock_bps=-9_000, sigma_bps=10**6))
    assert found.total_atoms >= -30 * 1_000 * 100


def test_the_parts_of_every_scenario_sum_to_its_total_and_the_worst_comes_first() -> None:
    wild = replace(BOOK, sigma_microticks_1s=500_000)
    results = stress(wild)
    assert {one.scenario for one in results} == {one.name for one in SCENARIOS}
    assert [one.total_atoms for one in results] == sorted(sum(parts(one)) for one in results)
    assert worst(results) is results[0]
    assert results[0].scenario == "crash"
    assert stress(replace(wild, inventory=Lots(-30)))[0].scenario == "squeeze"


def test_an_inverse_long_loses_more_coins_in_a_fall_than_it_gains_in_a_rise() -> None:
    # 30 contracts of 100 USD at 100.0: worth −30 coins; at 70.0 −42.857…, at 130.0 −23.077.
    book = replace(
        BOOK,
        instrument=INVERSE,
        bids=levels((999, 1_000)),
        asks=levels((1_001, 1_000)),
    )
    fall = run(book, replace(STILL, price_shock_bps=-3_000)).price_atoms
    rise = run(book, replace(STILL, price_shock_bps=3_000)).price_atoms
    assert fall == -1_285_714_286
    assert rise == 692_307_692

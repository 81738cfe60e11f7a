from __future__ import annotations

import pytest
from trading_values import at_ms

from dmm.risk.depeg import AT_PAR, PegRules, PegState, after_price, value_atoms
from dmm.units.amount import Atoms
from dmm.units.errors import UsageFault
from dmm.units.time import NS_PER_S

RULES = PegRules(calm_ns=10 * NS_PER_S)


def look(state: PegState, price: int | None, *, at: int, made: int | None = None) -> PegState:
    return after_price(
        state,
        price_ppm=price,
        priced_at_ns=at_ms(at if made is None else made),
        now_ns=at_ms(at),
        rules=RULES,
    )


@pytest.mark.parametrize("price", [None, 0, -1, 994_999, 1_005_001])
def test_no_price_or_one_off_par_breaks_the_peg_at_once(price: int | None) -> None:
    assert look(AT_PAR, price, at=0).is_broken


def test_an_old_price_is_no_price() -> None:
    assert not look(AT_PAR, 1_000_000, at=60_000, made=0).is_broken
    assert look(AT_PAR, 1_000_000, at=60_001, made=0).is_broken


@pytest.mark.parametrize("price", [995_000, 1_005_000])
def test_a_price_exactly_at_the_bound_does_not_break_it(price: int) -> None:
    assert look(AT_PAR, price, at=0) is AT_PAR


def test_a_broken_peg_heals_only_after_a_calm_without_a_break() -> None:
    state = look(look(AT_PAR, 990_000, at=0), 998_000, at=1_000)
    assert look(state, 998_000, at=10_999).is_broken
    assert not look(state, 998_000, at=11_000).is_broken
    hovering = look(state, 997_999, at=5_000)
    state = look(hovering, 999_000, at=6_000)
    assert look(state, 999_000, at=15_999).is_broken
    assert look(state, 999_000, at=16_000) == AT_PAR


def test_a_fresh_break_starts_the_calm_afresh() -> None:
    state = look(look(AT_PAR, 990_000, at=0), 1_000_000, at=1_000)
    state = look(look(state, 1_010_000, at=9_000), 1_000_000, at=9_500)
    assert look(state, 1_000_000, at=12_000).is_broken


def test_a_coin_is_worth_its_price_and_not_its_name() -> None:
    assert value_atoms(Atoms(1_001), price_ppm=987_654, rounded_up=False) == 988
    assert value_atoms(Atoms(1_001), price_ppm=987_654, rounded_up=True) == 989
    assert value_atoms(Atoms(-1_001), price_ppm=987_654, rounded_up=False) == -989
    with pytest.raises(UsageFault, match="got 0 ppm"):
        value_atoms(Atoms(1), price_ppm=0, rounded_up=True)


def test_rules_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(UsageFault, match="got 6000 and 5000"):
        PegRules(clear_ppm=6_000)

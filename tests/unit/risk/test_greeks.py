"""What an option may be made of, and how a book of them adds up."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, replace

import pytest

from dmm.risk.greeks import Greeks, Option, OptionKind, greeks, net_greeks
from dmm.units.errors import UsageFault

CALL = Option(
    kind=OptionKind.CALL,
    spot=61_800.0,
    strike=65_000.0,
    expiry_years=0.2,
    volatility=0.55,
    rate=0.04,
    dividend=0.013,
)
PUT = replace(CALL, kind=OptionKind.PUT)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("spot", 0.0),
        ("spot", math.inf),
        ("strike", -7.0),
        ("expiry_years", 0.0),
        ("expiry_years", 101.0),
        ("volatility", 0.0),
        ("volatility", 20.0),
        ("volatility", 55.0),
        ("spot", 1e-300),
        ("spot", 1e300),
        ("strike", 1e16),
        ("rate", 5.0),
        ("rate", math.nan),
        ("dividend", -10.5),
    ],
)
def test_an_option_made_of_nonsense_is_refused_by_name_and_value(name: str, value: float) -> None:
    with pytest.raises(UsageFault, match=rf"{name} of an option .*{re.escape(str(value))}"):
        replace(CALL, **{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"expiry_years": 5e-324, "volatility": 1e-300},
        {"expiry_years": 100.0, "dividend": -9.5},
        {"spot": 1e-14, "strike": 1e-14, "expiry_years": 1e-300, "volatility": 1e-300},
    ],
)
def test_greeks_that_no_double_holds_are_refused_with_what_was_given(
    changes: dict[str, float],
) -> None:
    option = replace(CALL, **changes)  # type: ignore[arg-type]
    with pytest.raises(
        UsageFault, match=rf"no finite Greeks .*expiry_years = {option.expiry_years}"
    ):
        greeks(option)


@pytest.mark.parametrize("quantity", [1e31, -1e308, math.inf, math.nan])
def test_a_quantity_beyond_any_book_is_refused(quantity: float) -> None:
    with pytest.raises(UsageFault, match="quantity of an option must be"):
        net_greeks([(quantity, greeks(CALL))])
    with pytest.raises(UsageFault, match="spot_units must be"):
        net_greeks([], spot_units=quantity)


def test_far_from_the_money_a_put_keeps_its_last_digits() -> None:
    far = greeks(replace(PUT, spot=650_000.0, volatility=0.4))
    assert 0 < far.value < 1e-30
    assert far.delta < 0


def test_a_call_less_a_put_is_the_forward() -> None:
    call, put = greeks(CALL), greeks(PUT)
    held = CALL.spot * math.exp(-CALL.dividend * CALL.expiry_years)
    owed = CALL.strike * math.exp(-CALL.rate * CALL.expiry_years)
    assert call.value - put.value == pytest.approx(held - owed, rel=1e-12)
    assert call.gamma == pytest.approx(put.gamma, rel=1e-12)
    assert call.vega == pytest.approx(put.vega, rel=1e-12)


@pytest.mark.parametrize("option", [CALL, PUT])
@pytest.mark.parametrize(
    ("greek", "field", "sign"),
    [
        ("delta", "spot", 1),
        ("vega", "volatility", 1),
        ("theta", "expiry_years", -1),
        ("rho", "rate", 1),
        ("phi", "dividend", 1),
    ],
)
def test_each_greek_is_the_slope_of_the_value(
    option: Option, greek: str, field: str, sign: int
) -> None:
    at = float(getattr(option, field))
    step = 1e-4 * at
    up, down = (
        greeks(replace(option, **{field: at + move})).value  # type: ignore[arg-type]
        for move in (step, -step)
    )
    slope = sign * (up - down) / (2 * step)
    assert getattr(greeks(option), greek) == pytest.approx(slope, rel=1e-5)


def test_gamma_is_the_slope_of_delta() -> None:
    up, down = (greeks(replace(CALL, spot=CALL.spot + move)).delta for move in (5.0, -5.0))
    assert greeks(CALL).gamma == pytest.approx((up - down) / 10.0, rel=1e-5)


def test_a_book_adds_up_and_a_hedge_takes_the_delta_out() -> None:
    call, put = greeks(CALL), greeks(PUT)
    unhedged = net_greeks([(3.0, call), (-2.0, put)])
    assert unhedged.vega == pytest.approx(3 * call.vega - 2 * put.vega, rel=1e-12)
    hedged = net_greeks([(3.0, call), (-2.0, put)], spot_units=-unhedged.delta)
    assert hedged.delta == pytest.approx(0.0, abs=1e-12)
    assert replace(hedged, delta=0.0) == replace(unhedged, delta=0.0)
    assert set(asdict(net_greeks([])).values()) == {0.0}


def test_inventory_alone_has_delta_and_nothing_else() -> None:
    assert net_greeks([], spot_units=-4.5) == Greeks(
        value=0.0, delta=-4.5, gamma=0.0, vega=0.0, theta=0.0, rho=0.0, phi=0.0
    )

"""Published numbers of the model; source: shared/truth/as2008_table.json, closed forms."""

from __future__ import annotations

import pytest

from dmm.quoting.models.avellaneda_stoikov import half_spread, reservation_price
from dmm.quoting.models.evaluate import Model, evaluate

# Avellaneda & Stoikov (2008), Quantitative Finance 8(3), section 3 and table 1: the parameters.
MID, SIGMA, GAMMA, KAPPA = 100.0, 2.0, 0.1, 1.5
PAPER = {"mid_price": 100, "gamma": 0.1, "sigma": 2, "horizon_s": 1, "kappa": 1.5}


@pytest.mark.parametrize(
    ("inventory", "reservation", "bid", "ask"),
    [
        (0, 100.0, 99.1546147886, 100.8453852114),
        (1, 99.6, 98.7546147886, 100.4453852114),
        (-3, 101.2, 100.3546147886, 102.0453852114),
    ],
)
def test_the_closed_form_of_2008_is_met(
    inventory: int, reservation: float, bid: float, ask: float
) -> None:
    half = half_spread(risk_aversion=GAMMA, variance=SIGMA**2, arrival_decay=KAPPA)
    r = reservation_price(
        mid_price=MID, inventory=inventory, risk_aversion=GAMMA, variance=SIGMA**2
    )
    assert half == pytest.approx(0.8453852114, abs=1e-9)
    assert (r, r - half, r + half) == pytest.approx((reservation, bid, ask), abs=1e-9)


@pytest.mark.parametrize(
    ("model", "bid", "ask"),
    [
        (Model.AS2008, 98.7546147886, 100.4453852114),
        (Model.DCT, 98.9546147886, 100.6453852114),
    ],
)
def test_each_convention_quotes_as_its_document_says(model: Model, bid: float, ask: float) -> None:
    quote = evaluate(model, PAPER | {"inventory": 1})
    assert (quote.bid, quote.ask) == pytest.approx((bid, ask), abs=1e-9)
    assert quote.half_spread == pytest.approx(0.8453852114, abs=1e-9)
    assert quote.value is None


def test_time_left_scales_the_variance() -> None:
    # A third of the horizon at σ√3 is the whole horizon at σ.
    whole = evaluate(Model.AS2008, PAPER | {"inventory": -3})
    third = evaluate(
        Model.AS2008, PAPER | {"inventory": -3, "sigma": 2 * 3**0.5, "horizon_s": 1 / 3}
    )
    assert third.reservation_price == pytest.approx(101.2, abs=1e-12)
    assert third.bid == pytest.approx(whole.bid, abs=1e-12)


def test_the_inventory_shift_is_not_halved() -> None:
    # A write-up of the model carries a stray ½, which would give 99.8 here.
    r = reservation_price(mid_price=MID, inventory=1, risk_aversion=GAMMA, variance=SIGMA**2)
    assert r == pytest.approx(99.6, abs=1e-12)


def test_a_small_risk_aversion_quotes_one_over_kappa() -> None:
    assert half_spread(risk_aversion=1e-9, variance=7.0, arrival_decay=0.37) == pytest.approx(
        1 / 0.37, rel=1e-7
    )


@pytest.mark.parametrize("gamma", [1e-12, 1e-60, 1e-100])
def test_no_digits_are_lost_however_small_the_risk_aversion(gamma: float) -> None:
    quote = evaluate(Model.AS2008, PAPER | {"inventory": 2, "gamma": gamma, "kappa": 1.7})
    assert quote.half_spread == pytest.approx(1 / 1.7, rel=1e-11)

"""Published option prices and Greeks, each to half a unit of its last printed digit."""

from __future__ import annotations

import pytest

from dmm.risk.greeks import Option, OptionKind, d1_d2, greeks

CALL, PUT = OptionKind.CALL, OptionKind.PUT


def option(
    kind: OptionKind,
    spot: float,
    strike: float,
    years: float,
    rate: float,
    sigma: float,
    dividend: float = 0.0,
) -> Option:
    return Option(
        kind=kind,
        spot=spot,
        strike=strike,
        expiry_years=years,
        volatility=sigma,
        rate=rate,
        dividend=dividend,
    )


# Hull, Options, Futures and Other Derivatives, 7th edition: example 13.6, and 17.1 to 17.7.
HULL_13_6 = (42.0, 40.0, 0.5, 0.1, 0.2)
HULL_17 = (49.0, 50.0, 0.3846, 0.05, 0.2)


def test_hulls_example_13_6_is_met() -> None:
    d1, d2 = d1_d2(option(CALL, *HULL_13_6))
    assert d1 == pytest.approx(0.7693, abs=5e-5)
    assert d2 == pytest.approx(0.6278, abs=5e-5)
    assert greeks(option(CALL, *HULL_13_6)).value == pytest.approx(4.76, abs=5e-3)
    assert greeks(option(PUT, *HULL_13_6)).value == pytest.approx(0.81, abs=5e-3)


@pytest.mark.parametrize(
    ("name", "value", "tolerance"),
    [
        ("delta", 0.522, 5e-4),
        ("theta", -4.31, 5e-3),
        ("gamma", 0.066, 5e-4),
        ("vega", 12.1, 5e-2),
        ("rho", 8.91, 5e-3),
    ],
)
def test_hulls_greeks_of_chapter_17_are_met(name: str, value: float, tolerance: float) -> None:
    assert getattr(greeks(option(CALL, *HULL_17)), name) == pytest.approx(value, abs=tolerance)


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (CALL, "delta", 0.521601633972),
        (CALL, "theta", -4.30538996455),
        (PUT, "theta", -1.8530056722),
        (CALL, "gamma", 0.0655453772525),
        (PUT, "gamma", 0.0655453772525),
        (CALL, "vega", 12.1052427542),
        (CALL, "rho", 8.9065740988),
    ],
)
def test_the_same_greeks_agree_with_an_independent_program_to_its_last_digit(
    kind: OptionKind, name: str, value: float
) -> None:
    # py_vollib 9fbc623, black_scholes/greeks/analytical.py.
    assert getattr(greeks(option(kind, *HULL_17)), name) == pytest.approx(value, rel=5e-12)


def test_a_price_agrees_with_an_independent_program_to_its_last_digit() -> None:
    # py_vollib 9fbc623, the doctest of its reference implementation.
    found = greeks(option(CALL, 60.0, 65.0, 0.25, 0.08, 0.3)).value
    assert found == pytest.approx(2.13336844492, abs=1e-11)


@pytest.mark.parametrize(
    ("case", "name", "value"),
    [
        # Haug (1998), The Complete Guide to Option Pricing Formulas, pages 2 to 8 and 11 to 16, as
        # QuantLib's European option tests quote them: a share with a yield, a future (its yield
        # is the rate), a currency, and Greeks.
        (option(PUT, 100.0, 95.0, 0.5, 0.10, 0.20, 0.05), "value", 2.4648),
        (option(CALL, 19.0, 19.0, 0.75, 0.10, 0.28, 0.10), "value", 1.7011),
        (option(PUT, 19.0, 19.0, 0.75, 0.10, 0.28, 0.10), "value", 1.7011),
        (option(CALL, 1.56, 1.6, 0.5, 0.06, 0.12, 0.08), "value", 0.0291),
        (option(CALL, 105.0, 100.0, 0.5, 0.10, 0.36, 0.10), "delta", 0.5946),
        (option(PUT, 105.0, 100.0, 0.5, 0.10, 0.36, 0.10), "delta", -0.3566),
        (option(CALL, 55.0, 60.0, 0.75, 0.10, 0.30), "gamma", 0.0278),
        (option(CALL, 55.0, 60.0, 0.75, 0.10, 0.30), "vega", 18.9358),
        (option(PUT, 430.0, 405.0, 1 / 12, 0.07, 0.20, 0.05), "theta", -31.1924),
        (option(CALL, 72.0, 75.0, 1.0, 0.09, 0.19), "rho", 38.7325),
        (option(PUT, 500.0, 490.0, 0.25, 0.08, 0.15, 0.05), "phi", 42.2254),
    ],
)
def test_options_with_a_cost_of_carry_are_met(case: Option, name: str, value: float) -> None:
    assert getattr(greeks(case), name) == pytest.approx(value, abs=5e-5)

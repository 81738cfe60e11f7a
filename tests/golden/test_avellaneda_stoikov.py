"""Published numbers of the model, and of a well-known program that uses it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dmm.quoting.avellaneda_stoikov import half_spread, reservation_price

# Avellaneda & Stoikov (2008), Quantitative Finance 8(3), section 3 and table 1: the parameters.
MID, SIGMA, GAMMA, KAPPA, ARRIVALS = 100.0, 2.0, 0.1, 1.5, 140.0


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


def test_the_inventory_shift_is_not_halved() -> None:
    # A write-up of the model carries a stray ½, which would give 99.8 here.
    r = reservation_price(mid_price=MID, inventory=1, risk_aversion=GAMMA, variance=SIGMA**2)
    assert r == pytest.approx(99.6, abs=1e-12)


def test_hummingbots_published_quote_follows_from_its_own_convention() -> None:
    # hummingbot, test_avellaneda_market_making.py: it puts σ where the paper has σ², so its number
    # tests our functions with σ passed as the variance.
    volatility, inventory = 0.0732879548492693, -0.333311
    r = reservation_price(
        mid_price=100.01597157966833, inventory=inventory, risk_aversion=1.0, variance=volatility
    )
    half = half_spread(risk_aversion=1.0, variance=volatility, arrival_decay=3.3607256761562003)
    assert r == pytest.approx(100.040399, abs=1e-6)
    assert 2 * half == pytest.approx(0.594251, abs=1e-6)
    assert (r - half, r + half) == pytest.approx((99.743274, 100.337525), abs=1e-6)


def test_a_small_risk_aversion_quotes_one_over_kappa() -> None:
    assert half_spread(risk_aversion=1e-9, variance=7.0, arrival_decay=0.37) == pytest.approx(
        1 / 0.37, rel=1e-7
    )


@pytest.mark.parametrize(
    ("inventory_matters", "profit", "profit_deviation", "inventory_deviation"),
    [(True, 64.91, 6.55, 2.92), (False, 68.30, 13.48, 8.39)],
)
def test_the_papers_simulation_is_reproduced(
    inventory_matters: bool,
    profit: float,
    profit_deviation: float,
    inventory_deviation: float,
) -> None:
    # Table 1 prints one sample of 1,000 paths; these are means of 200,000 paths of the same set-up.
    paths, steps, dt = 20_000, 200, 0.005
    rng = np.random.default_rng(20080425)
    price, cash = np.full(paths, MID), np.zeros(paths)
    inventory = np.zeros(paths)
    left_s = 1 - dt * np.arange(steps)
    halves = [
        half_spread(risk_aversion=GAMMA, variance=SIGMA**2 * left, arrival_decay=KAPPA)
        for left in left_s
    ]
    mean_half = float(np.mean(halves))
    assert 2 * mean_half == pytest.approx(1.4918, abs=1e-4)
    for left, own_half in zip(left_s, halves, strict=True):
        half = own_half if inventory_matters else mean_half
        skew = GAMMA * SIGMA**2 * left * inventory if inventory_matters else 0.0
        ask_distance, bid_distance = half - skew, half + skew
        sold = rng.random(paths) < ARRIVALS * np.exp(-KAPPA * ask_distance) * dt
        bought = rng.random(paths) < ARRIVALS * np.exp(-KAPPA * bid_distance) * dt
        cash += sold * (price + ask_distance) - bought * (price - bid_distance)
        inventory += bought.astype(float) - sold
        price += np.where(rng.random(paths) < 0.5, 1, -1) * SIGMA * math.sqrt(dt)
    wealth = cash + inventory * price
    errors = 4 * profit_deviation / math.sqrt(paths)
    assert wealth.mean() == pytest.approx(profit, abs=errors)
    assert wealth.std() == pytest.approx(profit_deviation, rel=0.04)
    assert inventory.std() == pytest.approx(inventory_deviation, rel=0.04)

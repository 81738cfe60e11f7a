"""Guéant–Lehalle–Fernandez-Tapia; source: shared/truth/glft_closed_form.json, glft_hftbacktest."""

from __future__ import annotations

import pytest

from dmm.quoting.models.evaluate import Model, evaluate
from dmm.quoting.models.glft import closed_form_depths, exact_depths, sized_quote

# arXiv 1105.3115, the parameters of its third figure: σ, A, k, γ, T, Q
SIGMA, A, KAPPA, GAMMA, HORIZON_S, LIMIT = 0.3, 0.9, 0.3, 0.01, 600.0, 30


@pytest.mark.parametrize(
    ("inventory", "bid", "ask"),
    [(0, 3.3130454098, 3.3130454098), (1, 3.3811680739, 3.2449191548)],
)
def test_the_exact_quotes_are_met(inventory: int, bid: float, ask: float) -> None:
    depths = exact_depths(
        inventory=inventory,
        risk_aversion=GAMMA,
        volatility=SIGMA,
        arrival_decay=KAPPA,
        arrival_rate=A,
        horizon_s=HORIZON_S,
        inventory_max=LIMIT,
    )
    assert (depths.bid, depths.ask) == pytest.approx((bid, ask), abs=1e-8)


@pytest.mark.parametrize(
    ("inventory", "bid", "ask"),
    [(0, 3.3129151986, 3.3129151986), (1, 3.3807810311, 3.245049366)],
)
def test_the_closed_form_is_met(inventory: int, bid: float, ask: float) -> None:
    depths = closed_form_depths(
        inventory=inventory,
        risk_aversion=GAMMA,
        volatility=SIGMA,
        arrival_decay=KAPPA,
        arrival_rate=A,
    )
    assert (depths.bid, depths.ask) == pytest.approx((bid, ask), abs=1e-9)


def test_the_spread_lies_where_the_papers_figure_shows_it() -> None:
    given = {
        "mid_price": 100,
        "inventory": 0,
        "gamma": GAMMA,
        "sigma": SIGMA,
        "kappa": KAPPA,
        "A": A,
        "horizon_s": HORIZON_S,
        "q_max": LIMIT,
    }
    quote = evaluate(Model.GLFT_EXACT, given)
    assert quote.half_spread == pytest.approx(6.6260908196 / 2, abs=1e-8)
    assert quote.half_spread is not None
    assert 6.55 < 2 * quote.half_spread < 6.64


def test_the_tutorials_half_spread_and_skew_are_met() -> None:
    # hftbacktest's tutorial of arXiv 1605.01862, equations 4.6 and 4.7, in ticks.
    quote = sized_quote(
        risk_aversion=0.05,
        sizing_aversion=0.05,
        order_size=1,
        volatility=10.69,
        arrival_decay=0.04235741115084049,
        arrival_rate=2.986162360812285,
    )
    assert quote.c1 == pytest.approx(15.590451013297573, rel=1e-12)
    assert quote.c2 == pytest.approx(0.9133085734604556, rel=1e-12)
    assert quote.half_spread == pytest.approx(20.47208533844371, rel=1e-12)
    assert quote.skew == pytest.approx(9.76326865029227, rel=1e-12)


def test_without_aversion_to_sizing_the_edge_is_one_over_kappa() -> None:
    def quote(sizing_aversion: float) -> tuple[float, float]:
        made = sized_quote(
            risk_aversion=0.07,
            sizing_aversion=sizing_aversion,
            order_size=2.5,
            volatility=1.9,
            arrival_decay=0.4,
            arrival_rate=3.1,
        )
        return made.c1, made.c2

    # c₂ = √(γe/(2AΔκ)) at ξ = 0
    expected = (0.07 * 2.718281828459045 / (2 * 3.1 * 2.5 * 0.4)) ** 0.5
    assert quote(0.0) == pytest.approx((2.5, expected), rel=1e-12)
    assert quote(1e-9) == pytest.approx(quote(0.0), rel=1e-8)

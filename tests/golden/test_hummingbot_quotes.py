"""Hummingbot's published quote by its own convention; source: shared/truth/hummingbot_as.json."""

from __future__ import annotations

import pytest

from dmm.quoting.models.evaluate import Model, evaluate

# γ, volatility, mid, κ and normalised inventory of its test of the strategy
GIVEN = {
    "mid_price": 100.01597157966833,
    "inventory": -0.333311,
    "gamma": 1,
    "sigma": 0.0732879548492693,
    "horizon_s": 1,
    "kappa": 3.3607256761562003,
}


def test_the_published_quote_is_met() -> None:
    quote = evaluate(Model.HUMMINGBOT, GIVEN)
    assert quote.reservation_price == pytest.approx(100.04, abs=5e-3)
    assert (quote.bid, quote.ask) == pytest.approx((99.743, 100.337), abs=5e-3)
    assert quote.half_spread == pytest.approx(0.594 / 2, abs=5e-3)


def test_the_recomputed_quote_is_met_to_six_digits() -> None:
    quote = evaluate(Model.HUMMINGBOT, GIVEN)
    assert quote.reservation_price == pytest.approx(100.040399, abs=1e-6)
    assert (quote.bid, quote.ask) == pytest.approx((99.743274, 100.337525), abs=1e-6)
    assert quote.half_spread == pytest.approx(0.594251 / 2, abs=1e-6)


def test_it_is_the_papers_quote_only_where_the_deviation_is_its_own_square() -> None:
    # σ in place of σ² makes no difference at σ = 1, and halves the variance at σ = 2.
    one, two = GIVEN | {"sigma": 1.0}, GIVEN | {"sigma": 2.0}
    assert evaluate(Model.HUMMINGBOT, one).bid == evaluate(Model.AS2008, one).bid
    hummingbot, paper = evaluate(Model.HUMMINGBOT, two), evaluate(Model.AS2008, two)
    assert hummingbot.reservation_price is not None
    assert paper.reservation_price is not None
    mid = 100.01597157966833
    assert paper.reservation_price - mid == pytest.approx(
        2 * (hummingbot.reservation_price - mid), rel=1e-9
    )

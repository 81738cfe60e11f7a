"""T−t = 0, worked out by hand: what each formula says at the end of its horizon.

Avellaneda & Stoikov (2008), section 3: every term in σ²(T−t) is gone, (1/γ)·ln(1+γ/κ) stays.
Guéant, Lehalle & Fernandez-Tapia (2013), arXiv 1105.3115: v(T) = 1, so both depths are that term.
Cartea, Jaimungal & Penalva (2015), chapter 10: h(T, q) = −αq², so the depths are
1/κ + α((q+1)² − q²) = 1/κ + α(1 + 2q) for the bid and 1/κ + α(1 − 2q) for the ask.
"""

from __future__ import annotations

import pytest

from dmm.quoting.models.evaluate import Model, evaluate

GIVEN: dict[str, object] = {
    "mid_price": 97.5,
    "inventory": 3,
    "gamma": 0.25,
    "sigma": 2.2,
    "horizon_s": 0,
    "kappa": 1.25,
    "A": 140,
    "q_max": 7,
    "phi": 0.013,
    "alpha": 0.02,
}
# 4·ln(1 + 0.25/1.25) = 4·ln 1.2, ln 1.2 = 0.1823215567939546
EDGE = 0.7292862271758184


@pytest.mark.parametrize("model", [Model.AS2008, Model.DCT, Model.HUMMINGBOT, Model.GLFT_EXACT])
@pytest.mark.parametrize("inventory", [3, -5])
def test_at_the_end_inventory_no_longer_moves_the_quote(model: Model, inventory: int) -> None:
    quote = evaluate(model, GIVEN | {"inventory": inventory})
    assert (quote.bid_depth, quote.ask_depth) == pytest.approx((EDGE, EDGE), rel=1e-14)
    assert quote.reservation_price == pytest.approx(97.5, rel=1e-15)
    assert quote.half_spread == pytest.approx(EDGE, rel=1e-14)


@pytest.mark.parametrize(
    ("inventory", "value", "bid_depth", "ask_depth"),
    [
        # 1/κ = 0.8; h(q) = −0.02·q²
        (0, 0.0, 0.82, 0.82),
        (3, -0.18, 0.94, 0.70),
        (-5, -0.5, 0.62, 1.02),
        (7, -0.98, None, 0.54),
        (-7, -0.98, 0.54, None),
    ],
)
def test_at_the_end_cartea_jaimungal_pays_its_terminal_penalty(
    inventory: int, value: float, bid_depth: float | None, ask_depth: float | None
) -> None:
    quote = evaluate(Model.CARTEA_JAIMUNGAL, GIVEN | {"inventory": inventory})
    assert quote.value == pytest.approx(value, abs=1e-14)
    assert (quote.bid_depth is None, quote.ask_depth is None) == (
        bid_depth is None,
        ask_depth is None,
    )
    for found, expected in ((quote.bid_depth, bid_depth), (quote.ask_depth, ask_depth)):
        assert expected is None or found == pytest.approx(expected, abs=1e-13)


@pytest.mark.parametrize("model", [model for model in Model if model is not Model.GLFT])
def test_the_end_is_the_limit_of_ever_less_time(model: Model) -> None:
    end, near = (evaluate(model, GIVEN | {"horizon_s": horizon_s}) for horizon_s in (0, 1e-12))
    assert (near.bid, near.ask) == pytest.approx((end.bid, end.ask), abs=1e-9)

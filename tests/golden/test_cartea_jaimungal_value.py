"""Value and depths of Cartea–Jaimungal; source: shared/truth/cartea_jaimungal.json."""

from __future__ import annotations

import pytest

from dmm.quoting.models.cartea_jaimungal import ValueFunction, value_function
from dmm.quoting.models.evaluate import Model, evaluate

# φ, α and Q of the published notebook
PHI, ALPHA, LIMIT = 0.01, 0.001, 100


def solved(arrival_rate: float, arrival_decay: float) -> ValueFunction:
    return value_function(
        arrival_rate=arrival_rate,
        arrival_decay=arrival_decay,
        running_penalty=PHI,
        terminal_penalty=ALPHA,
        horizon_s=1.0,
        inventory_max=LIMIT,
    )


@pytest.mark.parametrize(
    ("arrival_rate", "arrival_decay", "value"),
    [(140.0, 1.5, 68.25583476), (100.0, 1.0, 73.22586344)],
)
def test_the_published_value_is_met(
    arrival_rate: float, arrival_decay: float, value: float
) -> None:
    assert solved(arrival_rate, arrival_decay).at(0) == pytest.approx(value, abs=1e-8)


@pytest.mark.parametrize(
    ("inventory", "bid", "ask"), [(0, 0.67213715, 0.67213715), (1, 0.68307778, 0.66119618)]
)
def test_the_depths_are_met(inventory: int, bid: float, ask: float) -> None:
    depths = solved(140.0, 1.5).depths(inventory)
    assert (depths.bid, depths.ask) == pytest.approx((bid, ask), abs=1e-8)


def test_by_name_the_same_numbers_come_out() -> None:
    given = {
        "mid_price": 100,
        "inventory": 1,
        "horizon_s": 1,
        "kappa": 1.5,
        "A": 140,
        "q_max": LIMIT,
        "phi": PHI,
        "alpha": ALPHA,
    }
    quote = evaluate(Model.CARTEA_JAIMUNGAL, given)
    assert quote.value == pytest.approx(solved(140.0, 1.5).at(1), abs=1e-12)
    assert quote.bid == pytest.approx(100 - 0.68307778, abs=1e-8)
    assert quote.ask == pytest.approx(100 + 0.66119618, abs=1e-8)
    assert quote.reservation_price == pytest.approx(100 + (0.66119618 - 0.68307778) / 2, abs=1e-8)


def test_at_the_end_only_the_terminal_penalty_is_left() -> None:
    ended = value_function(
        arrival_rate=140.0,
        arrival_decay=1.5,
        running_penalty=PHI,
        terminal_penalty=0.03,
        horizon_s=0.0,
        inventory_max=7,
    )
    assert [ended.at(q) for q in (0, 2, -5)] == pytest.approx([0, -0.12, -0.75], abs=1e-12)


def test_without_penalties_a_wide_limit_leaves_the_risk_neutral_depth() -> None:
    # φ = α = 0 far from the limit: every depth is 1/κ and h(0) = 2λT/(κe).
    free = value_function(
        arrival_rate=3.0,
        arrival_decay=1.7,
        running_penalty=0.0,
        terminal_penalty=0.0,
        horizon_s=2.0,
        inventory_max=60,
    )
    depths = free.depths(4)
    assert (depths.bid, depths.ask) == pytest.approx((1 / 1.7, 1 / 1.7), abs=1e-12)
    assert free.at(0) == pytest.approx(2 * 3.0 * 2.0 / (1.7 * 2.718281828459045), abs=1e-12)

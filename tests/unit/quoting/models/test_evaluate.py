"""Models by name: what they take, and what they refuse."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from dmm.quoting.models.evaluate import REQUIRED, Model, evaluate
from dmm.quoting.models.guard import require_half_spread, require_right_units
from dmm.quoting.models.inputs import MODEL_INPUTS, InputRefused
from dmm.units.errors import UsageFault

GIVEN: dict[str, object] = {
    "mid_price": 100,
    "inventory": 1,
    "gamma": 0.1,
    "sigma": 2,
    "horizon_s": 1,
    "kappa": 1.5,
    "A": 140,
    "q_max": 30,
    "phi": 0.01,
    "alpha": 0.001,
}
FLOATS = {name: float(str(value)) for name, value in GIVEN.items()}
NO_NUMBERS = [math.nan, math.inf, -math.inf, "1.5", True, None, [1], {}, 10**400]
POSITIVE = ("mid_price", "gamma", "sigma", "kappa", "A", "q_max")
NEEDED = [(model, name) for model in Model for name in REQUIRED[model]]


@pytest.mark.parametrize(("model", "name"), NEEDED)
def test_what_the_formula_needs_is_missed_by_name(model: Model, name: str) -> None:
    given = {key: value for key, value in GIVEN.items() if key != name}
    with pytest.raises(InputRefused, match=f"^{name} is missing: {MODEL_INPUTS[name].meaning}"):
        evaluate(model, given)


@pytest.mark.parametrize("model", Model)
def test_what_the_formula_does_not_need_is_not_looked_at(model: Model) -> None:
    needed = {name: GIVEN[name] for name in REQUIRED[model]}
    junk = {name: "junk" for name in GIVEN if name not in needed} | {"another": None}
    assert evaluate(model, needed | junk) == evaluate(model, GIVEN)


@pytest.mark.parametrize(("model", "name"), NEEDED)
@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: str(value)[:9])
def test_what_is_no_finite_number_is_refused_by_name_value_and_range(
    model: Model, name: str, value: object
) -> None:
    with pytest.raises(InputRefused) as refused:
        evaluate(model, GIVEN | {name: value})
    assert str(refused.value).startswith(f"{name} = {repr(value)[:60]}")
    assert MODEL_INPUTS[name].meaning in str(refused.value)
    assert MODEL_INPUTS[name].takes in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in POSITIVE for value in (0, -1, -0.5)),
        *(
            ("phi", -0.01),
            ("alpha", -1),
            ("horizon_s", -0.5),
            ("q_max", 2.5),
            ("q_max", 1_001),
            ("gamma", 1e-300),
        ),
    ],
)
def test_a_number_out_of_range_is_refused_by_name(name: str, value: float) -> None:
    model = next(model for model in Model if name in REQUIRED[model])
    with pytest.raises(InputRefused, match=f"^{name} = {value}: "):
        evaluate(model, GIVEN | {name: value})


@pytest.mark.parametrize("model", [Model.GLFT_EXACT, Model.CARTEA_JAIMUNGAL])
@pytest.mark.parametrize("inventory", [0.5, 31, -31, 1e9])
def test_inventory_off_the_models_grid_is_refused(model: Model, inventory: float) -> None:
    with pytest.raises(InputRefused, match=r"inventory = .* whole number from -30 to 30"):
        evaluate(model, GIVEN | {"inventory": inventory})


@pytest.mark.parametrize("model", [Model.GLFT_EXACT, Model.CARTEA_JAIMUNGAL])
def test_at_the_limit_the_side_that_adds_is_null_and_the_other_quoted(model: Model) -> None:
    long, short = (evaluate(model, GIVEN | {"inventory": q, "q_max": 3}) for q in (3, -3))
    assert long.bid is long.bid_depth is long.reservation_price is long.half_spread is None
    assert short.ask is short.ask_depth is short.reservation_price is short.half_spread is None
    assert long.ask is not None
    assert short.bid is not None
    assert 100 - short.bid == pytest.approx(long.ask - 100)
    inside = evaluate(model, GIVEN | {"inventory": 2, "q_max": 3})
    assert inside.ask is not None
    assert long.ask < inside.ask


@pytest.mark.parametrize("model", [Model.AS2008, Model.DCT, Model.GLFT, Model.HUMMINGBOT])
def test_parameters_per_wrong_unit_of_price_are_refused_by_name(model: Model) -> None:
    # The source document's γ = 0.1 and κ = 1 on a price near 1: a half-spread of 0.95.
    wrong = GIVEN | {"mid_price": 1.05, "kappa": 1.0, "sigma": 0.01, "inventory": 0}
    with pytest.raises(
        InputRefused, match=r"half_spread = 0\.95.* exceeds 10% of mid_price = 1\.05: gamma"
    ):
        evaluate(model, wrong)
    with pytest.raises(InputRefused, match="half_spread"):
        evaluate(model, wrong, guard_share=0.9)
    assert evaluate(model, wrong, guard_share=0.92).bid is not None


def test_the_depth_of_an_exact_model_is_guarded_too() -> None:
    with pytest.raises(InputRefused, match=r"half_spread = .* kappa = 0\.01"):
        evaluate(Model.CARTEA_JAIMUNGAL, GIVEN | {"kappa": 0.01})
    with pytest.raises(InputRefused, match=r"half_spread = .* kappa = 0\.005"):
        evaluate(Model.CARTEA_JAIMUNGAL, GIVEN | {"kappa": 0.005, "inventory": 30})


CENTS: dict[str, object] = {
    **GIVEN,
    "mid_price": 1.0,
    "kappa": 3.0,
    "phi": 0.0,
    "alpha": 0.0,
}
SHALLOW: dict[str, object] = {
    **GIVEN,
    "mid_price": 1.05,
    "sigma": 0.001,
    "horizon_s": 120,
    "kappa": 2,
    "A": 1,
    "q_max": 5,
}


@pytest.mark.parametrize("model", [Model.CARTEA_JAIMUNGAL, Model.GLFT_EXACT])
@pytest.mark.parametrize("given", [CENTS, SHALLOW])
def test_a_unit_refused_inside_the_limit_is_refused_at_it(
    model: Model, given: dict[str, object]
) -> None:
    limit = int(str(given["q_max"]))
    for inventory in (0, 1 - limit, limit - 1, -limit, limit):
        with pytest.raises(InputRefused, match=r"half_spread = .* exceeds 10% of mid_price"):
            evaluate(model, given | {"inventory": inventory})


def test_the_only_side_left_is_held_to_the_guard_as_well() -> None:
    # At the limit the ask stands nearer than inside it, but not within so narrow a guard.
    far = GIVEN | {"phi": 0, "alpha": 0, "q_max": 2, "A": 1e6, "inventory": 2}
    with pytest.raises(
        InputRefused, match=r"the one side left stands .* more than 0% of mid_price"
    ):
        require_right_units(evaluate(Model.CARTEA_JAIMUNGAL, far), {**FLOATS, "kappa": 1.5}, 1e-9)


@pytest.mark.parametrize("model", [Model.AS2008, Model.DCT, Model.HUMMINGBOT])
def test_a_bid_that_is_no_price_is_refused(model: Model) -> None:
    wide = {"mid_price": 1, "inventory": 3, "gamma": 0.1, "sigma": 1, "horizon_s": 1, "kappa": 1.02}
    with pytest.raises(InputRefused, match=r"^bid = -0\.\d+ is not positive: .* inventory = 3\.0"):
        evaluate(model, wide, guard_share=1.0)


@pytest.mark.parametrize("half", [-1e-9, math.nan])
def test_a_crossed_half_spread_is_refused_and_one_that_is_no_number(half: float) -> None:
    quote = replace(evaluate(Model.AS2008, GIVEN), half_spread=half)
    with pytest.raises(InputRefused, match=r"half_spread = .* a crossed quote: gamma"):
        require_half_spread(quote, FLOATS, 0.1)


@pytest.mark.parametrize("inventory", [4_750, -(10**9)])
def test_inventory_in_atoms_or_lots_is_refused_by_name(inventory: int) -> None:
    with pytest.raises(InputRefused, match=r"inventory = .* moves the quote by .* nor lots"):
        evaluate(Model.AS2008, GIVEN | {"inventory": inventory})


@pytest.mark.parametrize("model", [Model.AS2008, Model.GLFT_EXACT])
def test_what_no_double_holds_is_refused_instead_of_printed(model: Model) -> None:
    huge = GIVEN | {"sigma": 1e100, "horizon_s": 1e100, "gamma": 1e100, "kappa": 1e100}
    with pytest.raises(UsageFault, match="finite"):
        evaluate(model, huge)


def test_a_refusal_is_a_usage_fault_and_a_value_error() -> None:
    assert issubclass(InputRefused, UsageFault)
    assert issubclass(InputRefused, ValueError)


def test_a_misspelt_name_is_shown_beside_the_missing_one() -> None:
    given = {"gama" if name == "gamma" else name: value for name, value in GIVEN.items()}
    with pytest.raises(InputRefused, match=r"gamma is missing.*not known: 'gama'"):
        evaluate(Model.AS2008, given)


def test_the_models_know_no_other_part_of_the_desk() -> None:
    folder = Path(__file__).resolve().parents[4] / "src/dmm/quoting/models"
    for path in folder.glob("*.py"):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("from dmm."):
                assert line.startswith(("from dmm.quoting.models", "from dmm.units")), path

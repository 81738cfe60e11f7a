"""Laws of the models: what inventory, risk and units do to a quote."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from dmm.entrypoints.cli import app
from dmm.quoting.models.avellaneda_stoikov import half_spread, reservation_price
from dmm.quoting.models.cartea_jaimungal import ValueFunction, value_function
from dmm.quoting.models.evaluate import REQUIRED, Model, ModelQuote, evaluate
from dmm.quoting.models.glft import closed_form_depths, exact_depths, sized_quote
from dmm.quoting.models.inputs import InputRefused
from dmm.units.errors import UsageFault
from dynamic.trading.algo import DCTMarketMakerInputs, DCTMarketMakerService

AROUND_RESERVATION = (Model.AS2008, Model.DCT, Model.HUMMINGBOT)
Inputs = dict[str, float]


def numbers(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(min_value=low, max_value=high, allow_nan=False)


@st.composite
def model_inputs(draw: st.DrawFn) -> Inputs:
    """Parameters like the papers': a quote that stands a few per cent from the mid at most."""
    limit = draw(st.integers(min_value=2, max_value=25))
    return {
        "mid_price": draw(numbers(90, 110)),
        "inventory": float(draw(st.integers(min_value=1 - limit, max_value=limit - 1))),
        "gamma": draw(numbers(0.001, 0.5)),
        "sigma": draw(numbers(0.1, 1.5)),
        "horizon_s": draw(numbers(0.01, 1.5)),
        "kappa": draw(numbers(0.5, 5)),
        "A": draw(numbers(1, 200)),
        "q_max": float(limit),
        "phi": draw(numbers(0, 0.05)),
        "alpha": draw(numbers(0, 0.01)),
    }


def both_sides(model: Model, given_inputs: Inputs) -> tuple[float, float, ModelQuote]:
    quote = evaluate(model, given_inputs, guard_share=1.0)
    assert quote.bid is not None
    assert quote.ask is not None
    return quote.bid, quote.ask, quote


@pytest.mark.parametrize("model", Model)
@given(inputs=model_inputs())
def test_a_long_desk_lowers_both_quotes_and_a_short_one_raises_both(
    model: Model, inputs: Inputs
) -> None:
    assume(inputs["inventory"] != 0)
    bid, ask, _ = both_sides(model, inputs)
    flat_bid, flat_ask, flat = both_sides(model, inputs | {"inventory": 0.0})
    # Without penalties, or far from the limit, the exact models' answer is below the last digit.
    digit = 1e-9 * inputs["mid_price"]
    if inputs["inventory"] > 0:
        assert bid <= flat_bid + digit
        assert ask <= flat_ask + digit
    else:
        assert bid >= flat_bid - digit
        assert ask >= flat_ask - digit
    assert flat.reservation_price == pytest.approx(inputs["mid_price"], rel=1e-12)
    if model not in (Model.GLFT_EXACT, Model.CARTEA_JAIMUNGAL):
        assert bid != flat_bid
        assert ask != flat_ask


@pytest.mark.parametrize("model", Model)
@given(inputs=model_inputs())
def test_long_and_short_are_mirror_images(model: Model, inputs: Inputs) -> None:
    _, _, quote = both_sides(model, inputs)
    _, _, mirrored = both_sides(model, inputs | {"inventory": -inputs["inventory"]})
    assert mirrored.bid_depth == pytest.approx(quote.ask_depth, rel=1e-12, abs=1e-12)
    assert mirrored.ask_depth == pytest.approx(quote.bid_depth, rel=1e-12, abs=1e-12)
    assert mirrored.value == quote.value


@pytest.mark.parametrize("model", Model)
@given(inputs=model_inputs())
def test_the_parts_of_a_quote_agree(model: Model, inputs: Inputs) -> None:
    bid, ask, quote = both_sides(model, inputs)
    assert quote.reservation_price == pytest.approx((bid + ask) / 2, rel=1e-12)
    assert quote.half_spread == pytest.approx((ask - bid) / 2, rel=1e-9)
    assert quote.bid_depth == pytest.approx(inputs["mid_price"] - bid, abs=1e-10)
    assert quote.ask_depth == pytest.approx(ask - inputs["mid_price"], abs=1e-10)
    assert bid < ask


@given(inputs=model_inputs(), factor=numbers(1.01, 3))
def test_more_volatility_widens_every_model_that_knows_it(inputs: Inputs, factor: float) -> None:
    # Flat, for a long inventory under wild volatility is refused as being in the wrong unit.
    inputs = inputs | {"inventory": 0.0}
    wilder = inputs | {"sigma": inputs["sigma"] * factor}
    for model in (Model.AS2008, Model.DCT, Model.HUMMINGBOT, Model.GLFT):
        _, _, calm = both_sides(model, inputs)
        _, _, wild = both_sides(model, wilder)
        assert calm.half_spread is not None
        assert wild.half_spread is not None
        assert wild.half_spread > calm.half_spread


@given(inputs=model_inputs(), factor=numbers(1.5, 4))
def test_more_risk_aversion_widens_where_risk_and_not_the_edge_leads(
    inputs: Inputs, factor: float
) -> None:
    # The edge ln(1+γ/κ)/γ falls with γ by less than 1/(2κ²) per γ; the risk term gains σ²T/2.
    variance = inputs["sigma"] ** 2 * inputs["horizon_s"]
    assume(variance * inputs["kappa"] ** 2 > 1)
    _, _, calm = both_sides(Model.AS2008, inputs)
    _, _, averse = both_sides(Model.AS2008, inputs | {"gamma": inputs["gamma"] * factor})
    assert calm.half_spread is not None
    assert averse.half_spread is not None
    assert averse.half_spread > calm.half_spread


@pytest.mark.parametrize("model", [model for model in Model if model is not Model.HUMMINGBOT])
@given(inputs=model_inputs(), scale=st.sampled_from([1e-6, 0.01, 7.0, 1e5]))
def test_another_unit_of_price_gives_the_same_quote_in_that_unit(
    model: Model, inputs: Inputs, scale: float
) -> None:
    # Prices and σ, φ, α scale with the unit, γ and κ against it.
    other = dict(inputs)
    for name in ("mid_price", "sigma", "phi", "alpha"):
        other[name] *= scale
    for name in ("gamma", "kappa"):
        other[name] /= scale
    bid, ask, quote = both_sides(model, inputs)
    other_bid, other_ask, other_quote = both_sides(model, other)
    assert other_bid == pytest.approx(scale * bid, rel=1e-9)
    assert other_ask == pytest.approx(scale * ask, rel=1e-9)
    assert other_quote.half_spread == pytest.approx(scale * (quote.half_spread or 0), rel=1e-7)


def test_hummingbots_convention_depends_on_the_unit_of_price() -> None:
    dollars = {
        "mid_price": 100.0,
        "inventory": 0.3,
        "gamma": 0.2,
        "sigma": 2.0,
        "horizon_s": 1.0,
        "kappa": 1.5,
    }
    cents = dollars | {"mid_price": 1e4, "sigma": 200.0, "gamma": 0.002, "kappa": 0.015}
    shift = [100 - (evaluate(Model.HUMMINGBOT, dollars).reservation_price or 0)]
    shift.append(100 - (evaluate(Model.HUMMINGBOT, cents).reservation_price or 0) / 100)
    assert shift[1] == pytest.approx(shift[0] / 100, rel=1e-6)


@given(inputs=model_inputs())
def test_the_literal_rule_shifts_half_as_far(inputs: Inputs) -> None:
    _, _, paper = both_sides(Model.AS2008, inputs)
    _, _, literal = both_sides(Model.DCT, inputs)
    assert literal.half_spread == paper.half_spread
    assert paper.bid_depth is not None
    assert paper.half_spread is not None
    assert literal.bid_depth is not None
    assert literal.half_spread is not None
    assert paper.bid_depth - paper.half_spread == pytest.approx(
        2 * (literal.bid_depth - literal.half_spread), rel=1e-9, abs=1e-12
    )


@given(inputs=model_inputs())
def test_by_name_the_formulas_themselves_are_quoted(inputs: Inputs) -> None:
    variance = inputs["sigma"] * inputs["sigma"] * inputs["horizon_s"]
    _, _, quote = both_sides(Model.AS2008, inputs)
    assert quote.reservation_price == reservation_price(
        mid_price=inputs["mid_price"],
        inventory=inputs["inventory"],
        risk_aversion=inputs["gamma"],
        variance=variance,
    )
    assert quote.half_spread == half_spread(
        risk_aversion=inputs["gamma"], variance=variance, arrival_decay=inputs["kappa"]
    )


@given(
    inventory=st.integers(min_value=-2, max_value=2),
    gamma=numbers(0.001, 0.1),
    sigma=numbers(0.05, 0.5),
    kappa=numbers(0.1, 1),
    rate=numbers(20, 200),
)
def test_after_a_long_time_the_exact_quote_is_near_the_closed_form(
    inventory: int, gamma: float, sigma: float, kappa: float, rate: float
) -> None:
    shape = {"risk_aversion": gamma, "volatility": sigma, "arrival_decay": kappa}
    closed = closed_form_depths(inventory=inventory, arrival_rate=rate, **shape)
    exact = exact_depths(
        inventory=inventory, arrival_rate=rate, horizon_s=1e6, inventory_max=80, **shape
    )
    later = exact_depths(
        inventory=inventory, arrival_rate=rate, horizon_s=1e9, inventory_max=80, **shape
    )
    assert exact.bid is not None
    assert exact.ask is not None
    assert closed.bid is not None
    assert closed.ask is not None
    # The closed form is the continuous limit: its error is of the order of C²κ, and vanishes with
    # C, the step per unit of inventory. A narrow well (C ≪ 1/(κQ²)) would feel the limit instead.
    step = closed.bid - closed.ask if inventory == 0 else (closed.bid - closed.ask) / inventory / 2
    step = abs(step) or (closed.bid - _edge(gamma, kappa)) * 2
    assume(step * kappa * 80**2 > 20)
    assert exact.bid == pytest.approx(closed.bid, abs=3 * step * step * kappa)
    assert exact.ask == pytest.approx(closed.ask, abs=3 * step * step * kappa)
    assert (later.bid, later.ask) == pytest.approx((exact.bid, exact.ask), abs=1e-9)


def _edge(gamma: float, kappa: float) -> float:
    return math.log1p(gamma / kappa) / gamma


@given(inputs=model_inputs())
def test_with_one_aversion_and_unit_orders_the_sized_form_is_the_closed_one(inputs: Inputs) -> None:
    quote = sized_quote(
        risk_aversion=inputs["gamma"],
        sizing_aversion=inputs["gamma"],
        order_size=1.0,
        volatility=inputs["sigma"],
        arrival_decay=inputs["kappa"],
        arrival_rate=inputs["A"],
    )
    depths = closed_form_depths(
        inventory=inputs["inventory"],
        risk_aversion=inputs["gamma"],
        volatility=inputs["sigma"],
        arrival_decay=inputs["kappa"],
        arrival_rate=inputs["A"],
    )
    skew = quote.skew * inputs["inventory"]
    assert quote.half_spread + skew == pytest.approx(depths.bid, rel=1e-9, abs=1e-12)
    assert quote.half_spread - skew == pytest.approx(depths.ask, rel=1e-9, abs=1e-12)


@given(inputs=model_inputs(), more_s=numbers(0.01, 2))
def test_value_falls_with_inventory_and_rises_with_time(inputs: Inputs, more_s: float) -> None:
    def solved(horizon_s: float) -> ValueFunction:
        return value_function(
            arrival_rate=inputs["A"],
            arrival_decay=inputs["kappa"],
            running_penalty=inputs["phi"],
            terminal_penalty=inputs["alpha"],
            horizon_s=horizon_s,
            inventory_max=6,
        )

    now, later = solved(inputs["horizon_s"]), solved(inputs["horizon_s"] + more_s)
    values = [now.at(q) for q in range(7)]
    assert all(b <= a + 1e-12 for a, b in pairwise(values))
    assert later.at(0) > now.at(0)
    assert now.at(-4) == now.at(4)


@pytest.mark.parametrize("model", Model)
@given(data=st.data())
def test_any_numbers_give_finite_prices_or_a_refusal(model: Model, data: st.DataObject) -> None:
    anything = st.one_of(
        st.floats(), st.integers(min_value=-(10**320), max_value=10**320), numbers(0.01, 100)
    )
    given_inputs: dict[str, object] = {name: data.draw(anything) for name in REQUIRED[model]}
    if "q_max" in given_inputs:
        given_inputs["q_max"] = data.draw(st.integers(min_value=-1, max_value=40))
    try:
        quote = evaluate(model, given_inputs, guard_share=1.0)
    except UsageFault:
        return
    for value in asdict(quote).values():
        assert not isinstance(value, float) or math.isfinite(value)


@st.composite
def telemetry(draw: st.DrawFn) -> DCTMarketMakerInputs:
    """Markets whose reference lies where no depth can carry the fair value beyond the guard."""
    mid = draw(numbers(1e-6, 1e6))
    apart = draw(st.one_of(st.none(), numbers(0.901, 1.099)))
    return DCTMarketMakerInputs(
        mid_price=mid,
        inventory=draw(numbers(-1e6, 1e6)),
        target_inventory=draw(numbers(-1e5, 1e5)),
        inventory_limit=draw(numbers(5e5, 1e7)),
        volatility=draw(numbers(0.01, 1.6)),
        ton_reference_price=None if apart is None else mid * apart,
        onchain_depth=draw(st.one_of(st.none(), numbers(0, 1e9))),
        offchain_depth=draw(st.one_of(st.none(), numbers(0, 1e9))),
        recent_volume=draw(numbers(0, 1e9)),
    )


TELEMETRY = telemetry()


@pytest.mark.parametrize("convention", ["as2008", "dct"])
@settings(max_examples=25)
@given(inputs=TELEMETRY)
def test_the_sdks_quote_is_what_the_command_prints(
    convention: str, inputs: DCTMarketMakerInputs
) -> None:
    service = DCTMarketMakerService(convention=convention)
    quote = service.quote(inputs)
    for given_inputs in (dict(quote.model_inputs), asdict(inputs)):
        result = CliRunner().invoke(
            app, ["quote", "--model", convention, "--inputs", json.dumps(given_inputs), "--json"]
        )
        assert result.exit_code == 0, result.stderr
        assert json.loads(result.stdout) == quote.to_json()


@given(inputs=TELEMETRY)
def test_the_sdks_note_is_one_line_and_its_fair_value_between_the_prices(
    inputs: DCTMarketMakerInputs,
) -> None:
    service = DCTMarketMakerService()
    quote = service.quote(inputs)
    note = service.note_summary(quote)
    assert "\n" not in note
    assert 0 <= quote.confidence <= 1
    reference = inputs.ton_reference_price or inputs.mid_price
    low, high = sorted((inputs.mid_price, reference))
    assert low * (1 - 1e-12) <= quote.fair_value <= high * (1 + 1e-12)
    assert 0 < quote.bid < quote.ask


@given(inputs=TELEMETRY, factor=numbers(3, 1e6))
def test_a_volatility_that_moves_quotes_beyond_the_guard_is_refused_by_name(
    inputs: DCTMarketMakerInputs, factor: float
) -> None:
    values = asdict(inputs) | {"volatility": min(100.0, 5 * factor)}
    with pytest.raises(InputRefused, match=r"^volatility = "):
        DCTMarketMakerService().quote(values)


@given(inputs=TELEMETRY, apart=numbers(-18, 18), onchain=numbers(0, 1e30))
def test_a_reference_is_refused_by_name_or_moves_the_fair_value_within_the_guard(
    inputs: DCTMarketMakerInputs, apart: float, onchain: float
) -> None:
    reference = inputs.mid_price * 10**apart
    assume(1e-15 <= reference <= 1e15)
    values = asdict(inputs) | {"ton_reference_price": reference, "onchain_depth": onchain}
    refusal = ""
    try:
        quote = DCTMarketMakerService().quote(values)
    except InputRefused as refused:
        refusal = str(refused)
    if refusal:
        assert refusal.startswith("ton_reference_price = ")
        return
    assert abs(quote.fair_value / inputs.mid_price - 1) <= 0.1 * (1 + 1e-12)
    assert 0.5 <= reference / inputs.mid_price <= 2

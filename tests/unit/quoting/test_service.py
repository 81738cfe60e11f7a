"""The SDK's market maker on the documented input, on bad ones, and at its limits."""

from __future__ import annotations

import math
import re
from dataclasses import FrozenInstanceError
from decimal import Decimal

import numpy as np
import pytest

from dmm.market.fair_value import Source, blend
from dmm.quoting.models.evaluate import Model, evaluate
from dmm.quoting.models.inputs import InputRefused
from dmm.quoting.service import fair_price
from dynamic.trading.algo import (
    DCTMarketMakerInputs,
    DCTMarketMakerQuote,
    DCTMarketMakerService,
    coerce_market_inputs,
)

DOCUMENTED: dict[str, object] = {
    "mid_price": 1.05,
    "inventory": 4_750.0,
    "target_inventory": 5_000.0,
    "inventory_limit": 10_000.0,
    "volatility": 0.22,
    "ton_reference_price": 1.01,
    "onchain_depth": 15_000.0,
    "offchain_depth": 11_000.0,
    "recent_volume": 2_900.0,
}


def quote(*, convention: str = "as2008", **changes: object) -> DCTMarketMakerQuote:
    service = DCTMarketMakerService(convention=convention)
    return service.quote(coerce_market_inputs(DOCUMENTED | changes))


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, "nan", "1e999", "", "1,05", "9" * 61, True, [1], b"1", 1j]
)
@pytest.mark.parametrize("name", DOCUMENTED)
def test_what_is_no_finite_number_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(InputRefused, match=f"^{name} = .*takes a finite number"):
        coerce_market_inputs(DOCUMENTED | {name: value})


@pytest.mark.parametrize(
    ("name", "value", "unit"),
    [
        ("mid_price", 0, "quote per base"),
        ("mid_price", -1.05, "quote per base"),
        ("ton_reference_price", 0, "quote per base"),
        ("inventory_limit", 0, "base tokens"),
        ("inventory_limit", -1, "base tokens"),
        ("inventory", 1e31, "base tokens"),
        ("onchain_depth", -1, "base tokens"),
        ("recent_volume", -0.1, "base tokens"),
        ("volatility", 0, "annualised volatility as a fraction"),
        ("volatility", -0.2, "annualised volatility as a fraction"),
        ("volatility", 101, "annualised volatility as a fraction"),
    ],
)
def test_what_is_out_of_range_is_refused_by_name_and_unit(
    name: str, value: float, unit: str
) -> None:
    with pytest.raises(InputRefused, match=f"^{name} = {re.escape(str(float(value)))}: .*{unit}"):
        coerce_market_inputs(DOCUMENTED | {name: value})


@pytest.mark.parametrize("name", ["mid_price", "inventory", "inventory_limit", "volatility"])
def test_a_required_input_is_missed_by_name(name: str) -> None:
    given = {key: value for key, value in DOCUMENTED.items() if key != name}
    for incomplete in (given, given | {name: None}):
        with pytest.raises(InputRefused, match=f"^{name} is missing: "):
            coerce_market_inputs(incomplete)


def test_a_name_nobody_knows_is_refused() -> None:
    with pytest.raises(InputRefused, match="'ton_price' is no market input: there are mid_price"):
        coerce_market_inputs(DOCUMENTED | {"ton_price": 1.01})
    with pytest.raises(InputRefused, match="must be a mapping"):
        coerce_market_inputs([("mid_price", 1.05)])  # type: ignore[arg-type]


def test_a_volatility_in_percent_is_refused_by_name() -> None:
    with pytest.raises(InputRefused, match=r"^volatility = 22\.0: .* annualised fraction"):
        quote(volatility=22)


def test_inventory_in_atoms_is_refused_by_name() -> None:
    with pytest.raises(InputRefused, match=r"times inventory_limit = 10000\.0 away from"):
        quote(inventory=4_750 * 10**9)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("convention", "glft"), ("gamma_per_bp", 0), ("kappa_per_bp", -1), ("horizon_s", math.nan)],
)
def test_a_bad_parameter_of_the_service_is_refused_by_name(parameter: str, value: object) -> None:
    with pytest.raises(InputRefused, match=f"^{parameter} = "):
        DCTMarketMakerService(**{parameter: value})  # type: ignore[arg-type]


def test_kappa_of_another_unit_is_refused_by_the_guard() -> None:
    service = DCTMarketMakerService(kappa_per_bp=1e-4, gamma_per_bp=1e-5)
    with pytest.raises(InputRefused, match=r"half_spread = .* exceeds 10% of mid_price"):
        service.quote(DOCUMENTED)


def test_numbers_of_every_kind_are_read_as_floats() -> None:
    kinds = {
        "mid_price": "1.05",
        "inventory": 4_750,
        "target_inventory": Decimal(5_000),
        "inventory_limit": np.int64(10_000),
        "volatility": np.float32(0.25),
        "onchain_depth": " 15000 ",
    }
    inputs = coerce_market_inputs(DOCUMENTED | kinds)
    assert inputs == coerce_market_inputs(DOCUMENTED | {"volatility": 0.25})
    assert all(type(getattr(inputs, name)) is float for name in DOCUMENTED)


def test_optional_inputs_have_defaults() -> None:
    given = {"mid_price": 2, "inventory": 30, "inventory_limit": 100, "volatility": 0.5}
    inputs = coerce_market_inputs(given | {"ton_reference_price": None})
    assert inputs.ton_reference_price is inputs.onchain_depth is inputs.offchain_depth is None
    assert (inputs.target_inventory, inputs.recent_volume) == (0.0, 0.0)
    made = DCTMarketMakerService().quote(inputs)
    assert (made.fair_value, made.confidence) == (2.0, 0.0)
    assert made.inventory_lots == pytest.approx(3)


def test_inputs_made_by_hand_are_checked_as_well() -> None:
    with pytest.raises(InputRefused, match=r"^volatility = 'high'"):
        DCTMarketMakerInputs(mid_price=1, inventory=0, inventory_limit=1, volatility="high")  # type: ignore[arg-type]


def test_the_documented_call_gives_a_quote_and_a_note() -> None:
    service = DCTMarketMakerService()
    made = service.quote(coerce_market_inputs(DOCUMENTED))
    assert 1.01 < made.bid < made.reservation_price < made.ask < 1.05
    # γ = 0.1 and κ = 1 per bp of mid, σ = 22 % a year over 120 s: δ = 0.92 + 10·ln 1.1 bp.
    variance_bps2 = (0.22e4) ** 2 * 120 / (365 * 86_400)
    assert made.half_spread / made.fair_value * 1e4 == pytest.approx(
        0.1 * variance_bps2 / 2 + 10 * math.log(1.1), rel=1e-9
    )
    assert made.inventory_lots == pytest.approx(-0.25)
    assert (made.may_buy, made.may_sell) == (True, True)
    note = service.note_summary(made)
    assert note.startswith(f"bid {made.bid:.8g} / ask {made.ask:.8g}; spread 3.75 bps")
    assert "-388 bps" in note
    assert "both sides open" in note
    assert "\n" not in note


def test_ten_lots_shift_the_documented_quote_by_eighteen_bps() -> None:
    long = quote(inventory=15_000)
    shift_bps = (long.fair_value - long.reservation_price) / long.fair_value * 1e4
    assert long.inventory_lots == pytest.approx(10)
    assert shift_bps == pytest.approx(18.42, abs=0.01)


def test_the_literal_rule_shifts_half_as_far_and_is_as_wide() -> None:
    paper, literal = quote(inventory=9_000), quote(inventory=9_000, convention="dct")
    assert literal.half_spread == paper.half_spread
    assert paper.reservation_price - paper.fair_value == pytest.approx(
        2 * (literal.reservation_price - literal.fair_value), rel=1e-9
    )
    assert literal.convention is Model.DCT


@pytest.mark.parametrize("convention", ["as2008", "dct"])
def test_a_quote_is_the_models_own_for_its_inputs(convention: str) -> None:
    made = quote(convention=convention, inventory=7_700)
    assert made.to_json() == evaluate(Model(convention), dict(made.model_inputs)).to_json()


@pytest.mark.parametrize(
    ("inventory", "may_buy", "may_sell", "note"),
    [
        (14_999, True, True, "both sides open"),
        (15_000, False, True, "ask only"),
        (-5_000, True, False, "bid only"),
    ],
)
def test_at_its_limit_only_the_side_that_reduces_is_open(
    inventory: float, may_buy: bool, may_sell: bool, note: str
) -> None:
    made = quote(inventory=inventory)
    assert (made.may_buy, made.may_sell) == (may_buy, may_sell)
    assert note in DCTMarketMakerService().note_summary(made)


def test_a_near_reference_moves_the_fair_value_by_its_share_of_the_depth() -> None:
    inputs = coerce_market_inputs(DOCUMENTED | {"ton_reference_price": 1.05 * (1 + 1e-6)})
    fair = fair_price(inputs)
    assert (fair.price / 1.05 - 1) * 1e6 == pytest.approx(15 / 26, rel=1e-3)
    assert fair.confidence == pytest.approx(1, abs=1e-3)


def test_a_far_reference_moves_it_less_the_farther_it_is() -> None:
    fairs = [
        fair_price(coerce_market_inputs(DOCUMENTED | {"ton_reference_price": 1.05 * factor}))
        for factor in (0.985, 0.9, 0.75, 0.5)
    ]
    moves = [1.05 - fair.price for fair in fairs]
    confidences = [fair.confidence for fair in fairs]
    assert moves[1] > moves[2] > moves[3] > 0
    assert confidences == sorted(confidences, reverse=True)
    assert moves == sorted(moves, reverse=True)
    assert max(moves) < 0.01


@pytest.mark.parametrize("depths", [(15_000.0, 11_000.0), (9_000.0, 1_000.0), (100.0, 5_000.0)])
def test_the_fair_value_moves_most_by_a_reference_where_the_docs_say(
    depths: tuple[float, float],
) -> None:
    onchain, offchain = depths
    peak_bps = 100 * math.sqrt(1 + onchain / offchain)
    moves = [
        fair_price(
            coerce_market_inputs(
                DOCUMENTED
                | {
                    "ton_reference_price": 1.05 * math.exp(share * peak_bps / 1e4),
                    "onchain_depth": onchain,
                    "offchain_depth": offchain,
                }
            )
        ).price
        for share in (0.5, 0.8, 1.0, 1.25, 2.0, 6.0)
    ]
    assert moves[:3] == sorted(moves[:3])
    assert moves[2:] == sorted(moves[2:], reverse=True)


@pytest.mark.parametrize("reference", [1e9, 1.05e6, 1.05e-6, 105.0, 2.11, 0.52])
def test_a_reference_in_another_unit_is_refused_by_name_value_and_unit(reference: float) -> None:
    with pytest.raises(
        InputRefused,
        match=rf"^ton_reference_price = {re.escape(str(reference))} is .* times mid_price = 1\.05; "
        r"takes 0\.5 to 2 times: both are quote per base",
    ):
        quote(ton_reference_price=reference)


def test_depths_in_two_units_are_refused_where_they_carry_the_fair_value_away() -> None:
    with pytest.raises(InputRefused, match=r"onchain_depth = 15000000000000\.0 .* base tokens"):
        quote(ton_reference_price=1.6, onchain_depth=15_000e9)


def test_a_venue_without_depth_has_no_say() -> None:
    assert quote(onchain_depth=0).fair_value == 1.05
    assert quote(offchain_depth=0).fair_value == pytest.approx(1.01)
    assert quote(onchain_depth=0, offchain_depth=0).fair_value == 1.05


def test_prices_are_weighed_as_the_desk_weighs_them() -> None:
    fair = fair_price(coerce_market_inputs(DOCUMENTED))
    desk = blend(
        [
            Source(price_microticks=1_050_000_000, weight=10**9, depth_lots=11_000),
            Source(
                price_microticks=1_010_000_000,
                weight=round(fair.confidence * 10**9),
                depth_lots=15_000,
            ),
        ]
    )
    assert desk is not None
    assert desk.price_microticks / 1e9 == pytest.approx(fair.price, abs=2e-9)


def test_a_quote_cannot_be_changed() -> None:
    made = quote()
    with pytest.raises(FrozenInstanceError):
        made.bid = 2.0  # type: ignore[misc]
    with pytest.raises(TypeError):
        made.model_inputs["gamma"] = 1.0  # type: ignore[index]

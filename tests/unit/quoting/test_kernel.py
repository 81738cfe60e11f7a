"""The vector kernel: the scalar path bit for bit, and the models' formulas."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from trading_values import policy

from dmm.quoting.kernel import MODEL_CODES, SKEW_CODES, quote_prices, skew_share
from dmm.quoting.models.avellaneda_stoikov import half_spread, reservation_price
from dmm.quoting.models.glft import closed_form_depths
from dmm.quoting.price import Priced, pooled_arrival, price_quote
from dmm.quoting.scale import MICRO, NANO, QuoteInputs, inputs_in_ticks
from dmm.quoting.vector import QuoteArrays, quote_columns, quote_many
from dmm.units.amount import HalfTicks, Lots
from dmm.units.errors import UsageFault

QUOTES = 100_000
CHECKED = 4_000


def arguments(seed: int, count: int, **names: str) -> QuoteArrays:
    """Return random arguments, many of them flat, at a soft or at a hard limit, or guarded."""
    rng = np.random.default_rng(seed)
    soft = rng.integers(1, 100, count).astype(float)
    hard = soft + rng.integers(0, 100, count)
    inventory = rng.integers(-220, 220, count).astype(float)
    inventory[::7], inventory[1::7], inventory[2::7] = 0.0, soft[1::7], -hard[2::7]
    return QuoteArrays(
        mid=rng.uniform(1.0, 1e6, count),
        inventory=inventory,
        sigma=np.exp(rng.uniform(-4, 5, count)),
        kappa=np.exp(rng.uniform(-7, 3, count)),
        gamma=np.exp(rng.uniform(-16, 0, count)),
        horizon_s=rng.integers(1, 600, count),
        floor=rng.uniform(0, 40, count),
        beta=rng.uniform(0, 20, count),
        soft_long=soft,
        soft_short=rng.permutation(soft),
        hard_long=hard,
        hard_short=rng.permutation(soft) + 100,
        lot=rng.integers(1, 20, count),
        arrival=np.exp(rng.uniform(-3, 5, count)),
        tilt=rng.normal(0, 3, count),
        widening=rng.uniform(1, 3, count),
        near_from=rng.uniform(0, 0.99, count),
        near_share=rng.uniform(0, 1, count),
        calm_share=rng.uniform(0.1, 1, count),
        calm_until=rng.uniform(0, 0.9, count),
        hard_share=rng.uniform(1, 4, count),
        guard=0.1,
        **names,
    )


@pytest.mark.parametrize("model", sorted(MODEL_CODES))
@pytest.mark.parametrize("skew", sorted(SKEW_CODES))
def test_the_kernel_equals_the_scalar_formula_bit_for_bit(model: str, skew: str) -> None:
    given = arguments(41, QUOTES if (model, skew) == ("as2008", "linear") else 10_000)
    given = replace(given, model=model, skew=skew)
    quotes = quote_many(given)
    rows = np.array(given.columns[:-1]).T.tolist()
    guards = given.columns[-1].tolist()
    mids = given.columns[0].tolist()
    refused = 0
    wanted = np.empty((5, len(rows)))
    for index, row in enumerate(rows):
        r, s, d, largest = quote_prices(MODEL_CODES[model], SKEW_CODES[skew], *row)
        if not (d <= guards[index] * mids[index] and largest <= guards[index] * mids[index]):
            r = s = d = math.nan
            refused += 1
        wanted[:, index] = r, s, d, r - s - d, r - s + d
    got = np.array([quotes.reservation, quotes.shift, quotes.half_spread, quotes.bid, quotes.ask])
    assert got.tobytes() == wanted.tobytes()
    assert 0 < refused < len(rows)


def arrays_of(inputs: list[QuoteInputs], *, widened: bool) -> QuoteArrays:
    """Return inputs of decisions, all of one policy, as arrays: what `price_quote` makes of one."""
    body = inputs[0].policy

    def column(name: str, scale: int = 1) -> Any:
        return np.array([getattr(one, name) / scale for one in inputs])

    pooled = [
        pooled_arrival(one.a_bid_micro, one.a_ask_micro, one.kappa_nano / NANO)
        if body.model == "glft"
        else (1.0, 0.0)
        for one in inputs
    ]
    return QuoteArrays(
        mid=column("fair_microticks", MICRO),
        inventory=column("inventory"),
        sigma=column("sigma_microticks", MICRO),
        kappa=column("kappa_nano", NANO),
        gamma=column("gamma_nano", NANO),
        horizon_s=column("horizon_s"),
        floor=column("floor_microticks", MICRO),
        beta=column("beta_microticks", MICRO),
        soft_long=column("inventory_soft_long"),
        soft_short=column("inventory_soft_short"),
        hard_long=column("inventory_hard_long"),
        hard_short=column("inventory_hard_short"),
        lot=column("quote_size"),
        arrival=np.array([arrival for arrival, _ in pooled]),
        tilt=np.array([tilt for _, tilt in pooled]),
        widening=column("widening_micro", MICRO)
        * (body.spike_widening_bps / 10_000 if widened else 1.0),
        near_from=body.skew_near_from_bps / 10_000,
        near_share=body.skew_near_spread_bps / 10_000,
        calm_share=body.gamma_calm_bps / 10_000,
        calm_until=body.gamma_calm_until_bps / 10_000,
        hard_share=body.gamma_hard_bps / 10_000,
        guard=body.guard_bps / 10_000,
        model=body.model,
        skew=body.skew,
    )


@pytest.mark.parametrize(("model", "widened"), [("as2008", False), ("glft", True)])
def test_the_kernel_equals_the_quotes_of_decisions_bit_for_bit(model: str, widened: bool) -> None:
    rng = np.random.default_rng(43)
    body = replace(
        policy(),
        model=model,
        skew="cubic",
        inventory_soft_short_bps=7_300,
        inventory_hard_short_bps=9_100,
        gamma_calm_bps=3_700,
        gamma_hard_bps=23_000,
        skew_near_spread_bps=4_100,
        skew_near_from_bps=3_300,
    )
    inputs = [
        inputs_in_ticks(
            body,
            mid=HalfTicks(int(rng.integers(2_001, 10**7))),
            inventory=Lots(int(rng.integers(-120, 120))),
            sigma_microticks=int(rng.integers(0, 10**9)),
            kappa_nano=int(rng.integers(1, 10**9)),
            a_bid_micro=int(rng.integers(1, 10**7)),
            a_ask_micro=int(rng.integers(1, 10**7)),
        )
        for _ in range(CHECKED)
    ]
    quotes = quote_many(arrays_of(inputs, widened=widened))
    priced = 0
    for index, one in enumerate(inputs):
        scalar = price_quote(one, widened=widened)
        if not isinstance(scalar, Priced):
            assert math.isnan(quotes.bid[index])
            continue
        priced += 1
        assert quotes.reservation[index] == scalar.reservation_ticks
        assert quotes.shift[index] == scalar.shift_ticks
        assert quotes.half_spread[index] == scalar.half_spread_ticks
        assert (quotes.bid[index], quotes.ask[index]) == (scalar.bid_ticks, scalar.ask_ticks)
    assert priced > CHECKED // 2


PLAIN = {"near_share": 0.0, "calm_share": 1.0, "hard_share": 1.0, "widening": 1.0, "tilt": 0.0}


@pytest.mark.parametrize("inventory", [-7.0, 0.0, 3.0])
def test_without_desk_rules_the_formula_is_avellaneda_stoikovs(inventory: float) -> None:
    given = replace(arguments(5, 3), **PLAIN, inventory=inventory, floor=0.0, lot=1.0)
    for row in np.array(given.columns[:-1]).T.tolist():
        mid, _, sigma, kappa, _, _, _, gamma, horizon_s = row[:9]
        r, _, d, _ = quote_prices(0, 0, *row)
        variance = sigma**2 * horizon_s
        assert r == pytest.approx(
            reservation_price(
                mid_price=mid, inventory=inventory, risk_aversion=gamma, variance=variance
            ),
            rel=1e-13,
        )
        assert d == pytest.approx(
            half_spread(risk_aversion=gamma, variance=variance, arrival_decay=kappa), rel=1e-13
        )


@pytest.mark.parametrize("inventory", [-7.0, 0.0, 3.0])
def test_without_desk_rules_the_formula_is_the_closed_form_of_glft(inventory: float) -> None:
    given = replace(arguments(6, 3), **PLAIN, inventory=inventory, floor=0.0, lot=1.0)
    for row in np.array(given.columns[:-1]).T.tolist():
        mid, _, sigma, kappa, arrival, _, _, gamma, _ = row[:9]
        r, _, d, _ = quote_prices(1, 0, *row)
        depths = closed_form_depths(
            inventory=inventory,
            risk_aversion=gamma,
            volatility=sigma,
            arrival_decay=kappa,
            arrival_rate=arrival,
        )
        assert depths.bid is not None
        assert depths.ask is not None
        assert mid - r + d == pytest.approx(depths.bid, rel=1e-9, abs=1e-9)
        assert r + d - mid == pytest.approx(depths.ask, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "half"),
    [("linear", 0.5), ("cubic", 0.125), ("tanh", 0.7615941559557649 / 0.9640275800758169)],
)
def test_every_skew_function_starts_at_nought_and_ends_at_one(name: str, half: float) -> None:
    code = SKEW_CODES[name]
    assert skew_share(0.0, code) == 0.0
    assert skew_share(0.5, code) == pytest.approx(half, rel=1e-15)
    assert skew_share(1.0, code) == 1.0


def test_unknown_names_and_lengths_that_differ_are_refused() -> None:
    with pytest.raises(UsageFault, match="models are as2008, glft"):
        quote_many(replace(arguments(1, 2), model="as2009"))
    with pytest.raises(UsageFault, match=r"\(2,\), \(3,\)"):
        quote_many(replace(arguments(1, 3), mid=np.ones(2)))
    with pytest.raises(UsageFault, match="one length"):
        quote_many(replace(arguments(1, 2), mid=np.ones((2, 2))))


def test_arrays_the_loop_would_run_past_are_refused() -> None:
    columns = arguments(1, 4).columns
    results = tuple(np.empty(4) for _ in range(5))
    for wrong in (
        (columns[:-1], results),
        (columns, results[:-1]),
        (columns, (*results[:-1], np.empty(3))),
        ((np.ones(4, dtype=np.float32), *columns[1:]), results),
        ((np.ones(8)[::2], *columns[1:]), results),
    ):
        with pytest.raises(UsageFault, match="26 columns and 5 results"):
            quote_columns(*wrong, model="as2008", skew="linear")


def test_numbers_for_all_quotes_give_one_quote() -> None:
    one = QuoteArrays(
        mid=1e5, inventory=0, sigma=5, kappa=0.1, gamma=1e-6, horizon_s=120, floor=0, beta=1,
        soft_long=5, soft_short=5, hard_long=9, hard_short=9, lot=1,
    )  # fmt: skip
    quotes = quote_many(one)
    assert quotes.bid.shape == (1,)
    assert quotes.bid[0] + quotes.ask[0] == pytest.approx(2e5)
